"""What the auxiliary tasks and the teacher's portraits give the landmark network, at a shorter training.

    python benchmarks/studies/landmarks_ablation.py --data ../shared/data --epochs 10 --seeds 0,1

Trains the recipe ``recipes/landmarks.toml`` as it is, without the auxiliary tasks (pose, eye and mouth opening: their
heads still learn, but do not teach the trunk), and without the portraits and faces that a teacher labelled; all else
is equal. Results: ``benchmarks/results/landmarks_ablation.json`` and ``landmarks_ablation.md``. A training that was
stopped goes on, and one that has ended is not done again.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parents[1] / "results"
RECIPE = Path("recipes/landmarks.toml")

VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe, shortened": {},
    "without auxiliary tasks": {"auxiliary": False},
    "without the teacher's faces": {"counts": {}, "point_weights": {}},
}
FIGURES = ("nme68", "nme51", "worst1percent", "hard68_px", "pose_degrees", "eyes", "mouth", "kept_hard", "false")


def toml(values: dict[str, Any]) -> str:
    """Write a recipe; tables last, as TOML wants."""
    plain = [f"{k} = {json.dumps(v)}" for k, v in values.items() if not isinstance(v, dict)]
    tables = [(k, v) for k, v in values.items() if isinstance(v, dict)]
    parts = [f"\n[{k}]\n" + "\n".join(f"{a} = {json.dumps(b)}" for a, b in v.items()) for k, v in tables]
    return "\n".join([*plain, *parts]) + "\n"


def scores(changes: dict[str, Any], *, data: Path, out: Path) -> dict[str, float]:
    """Train one variant, unless that was done, and return its scores on test people."""
    from fleeting.training.run import train

    card = out / "landmarks.json"
    if not card.exists():
        out.mkdir(parents=True, exist_ok=True)
        recipe = out / "recipe.toml"
        recipe.write_text(toml(tomllib.loads(RECIPE.read_text(encoding="utf-8")) | changes), encoding="utf-8")
        train(recipe, data=data, out=out)
    found: dict[str, float] = json.loads(card.read_text(encoding="utf-8"))["scores"]["test"]
    return found


def table(results: dict[str, Any]) -> str:
    """Results as Markdown: mean over seeds, and the spread of the error."""
    lines = [
        "# What the auxiliary tasks give",
        "",
        f"`{results['command']}`: test people of landmarks68, {results['epochs']} epochs, seeds {results['seeds']}; "
        "mean over seeds. `nme68`, `nme51`, `worst1percent`: percent of the inter-ocular distance on plain crops; "
        "`hard68_px`: pixels of the 80 px crop under strong augmentation; openings: mean absolute error.",
        "",
        "| | " + " | ".join(FIGURES) + " |",
        "|---" * (len(FIGURES) + 1) + "|",
    ]
    for name, runs in results["variants"].items():
        means = [float(np.mean([run[f] for run in runs])) for f in FIGURES]
        spread = max(run["nme68"] for run in runs) - min(run["nme68"] for run in runs)
        cells = [f"{m:.3f}" for m in means]
        cells[0] += f" (seeds differ by {spread:.3f})" if len(runs) > 1 else ""
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, collect, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/landmarks_ablation"))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", default="0,1")
    options = parser.parse_args()
    seeds = [int(s) for s in options.seeds.split(",")]
    command = f"python benchmarks/studies/landmarks_ablation.py --epochs {options.epochs} --seeds {options.seeds}"
    results: dict[str, Any] = {"command": command, "epochs": options.epochs, "seeds": options.seeds, "variants": {}}
    for seed in seeds:
        for name, changes in VARIANTS.items():
            out = options.runs / f"{name.replace(' ', '_').replace(chr(39), '')}_{options.epochs}_{seed}"
            found = scores(changes | {"seed": seed, "epochs": options.epochs}, data=options.data, out=out)
            results["variants"].setdefault(name, []).append(found)
            print(name, seed, found, flush=True)
    (RESULTS / "landmarks_ablation.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "landmarks_ablation.md").write_text(table(results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
