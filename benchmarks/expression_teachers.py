"""Several teachers of one expression network: ``python benchmarks/expression_teachers.py --data ../shared/data``.

Each ended training that ``recipes/expression_taught.toml`` names answers for the validation pictures of FER-2013,
each through its own views; so does the mean of all answers, which is what is taught (through ``matched_tilts`` where
a recipe has them), and the network that was taught it, alone and in a mean with those; and each for as many training
pictures, of which the teachers can tell the less the better they know them by heart. On how many pictures two of them
disagree says how much one can learn from the other. PublicTest stands beside it as each training measured it at its
end. Needs the trainings under ``--runs``; writes ``expression_teachers.json`` and ``.md`` under ``results/``.
``--recipe recipes/NAME.toml`` does the same for another network and its teachers, in ``NAME.json`` and ``.md``:
``expression_faces``, which begins with a face recogniser's layers, and ``expression_matched``, which learns the
function of its teachers.
"""

from __future__ import annotations

import argparse
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from expression import mcnemar

from fleeting import settings
from fleeting.datasets import fer2013
from fleeting.training.calibration import fit_temperature
from fleeting.training.expression_answers import mean_answers
from fleeting.training.expression_export import scores
from fleeting.training.expression_pictures import labelled, logits_of
from fleeting.training.expression_recipe import ExpressionRecipe
from fleeting.training.expression_teachers import sources, teacher_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
DEFAULT = "expression_taught"
COMMAND = "python benchmarks/expression_teachers.py --data ../shared/data"


def row(said: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> dict[str, float]:
    """Accuracy and log loss in nats of probabilities (n, 7)."""
    found = scores(said, truth)
    return {key: found[key] for key in ("accuracy", "log_loss")}


def paired(
    new: npt.NDArray[np.float32], old: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]
) -> dict[str, float]:
    """How two networks' probabilities (n, 7) differ, each at its best temperature: new minus old.

    McNemar's exact p of the accuracy; log loss in nats, with the standard error over pictures.
    """
    losses, right = [], []
    for said in (new, old):
        logits = np.log(said)
        scaled = torch.from_numpy(logits / fit_temperature(logits, truth)).log_softmax(1).numpy()
        losses.append(-scaled[np.arange(len(truth)), truth])
        right.append(said.argmax(1) == truth)
    difference = losses[0] - losses[1]
    return {
        "accuracy": round(float(right[0].mean() - right[1].mean()), 4),
        "accuracy_p": round(mcnemar(*right), 3),
        "log_loss": round(float(difference.mean()), 4),
        "log_loss_error": round(float(difference.std() / len(truth) ** 0.5), 4),
    }


def public_test(run: Path) -> dict[str, float]:
    """Accuracy and log loss, after the temperature, on PublicTest in the card that a training ended with."""
    (card,) = run.glob("*.json")
    found = json.loads(card.read_text(encoding="utf-8"))["scores"]["public_test"]
    return {key: found[key] for key in ("accuracy", "log_loss")}


def measure(data: Path, recipe: Path, runs: Path) -> dict[str, Any]:
    """All figures."""
    chosen = settings.load(ExpressionRecipe, recipe)
    torch.set_num_threads(chosen.threads)
    faces = fer2013.read(data / chosen.data)
    split = fer2013.training_rows(faces, validation_percent=chosen.validation_percent)
    held = labelled(faces.select(split.validation), chosen, torch.device("cpu"))
    truth = held.label.numpy()
    taught = recipe.stem if (runs / recipe.stem / f"{chosen.network}.onnx").exists() else None
    known = labelled(faces.select(split.train[:: len(split.train) // len(truth)]), chosen, torch.device("cpu"))
    said: dict[str, npt.NDArray[np.float32]] = {}
    by_heart: dict[str, float] = {}
    names = (*chosen.taught_by, *chosen.matched_by)
    for name in dict.fromkeys((*names, *([taught] if taught else []))):
        teacher = teacher_of(runs / name, chosen)
        logits = logits_of(teacher.network, held, teacher.views)
        said[name] = torch.from_numpy(logits).softmax(1).numpy()
        right = logits_of(teacher.network, known, teacher.views).argmax(1) == known.label.numpy()
        by_heart[name] = round(float(right.mean()), 4)
    others = sources(chosen, known, beside=runs, stopped=True)
    mean = mean_answers([*others.teachers, *others.matched], held).numpy()  # through the views that are taught
    differ = {
        f"{a}, {b}": round(float((said[a].argmax(1) != said[b].argmax(1)).mean()), 4) for a, b in combinations(said, 2)
    }
    return {
        "command": COMMAND if recipe.stem == DEFAULT else f"{COMMAND} --recipe recipes/{recipe.name}",
        "public_test": {name: public_test(runs / name) for name in said},
        "training_pictures": by_heart,
        "taught_recipe": recipe.name,
        "pictures": len(truth),
        "alone": {name: row(said[name], truth) for name in names},
        "together": row(mean, truth),
        "taught": row(said[taught], truth) if taught else None,
        "against": paired(said[taught], said[names[0]], truth) if taught else None,
        "all": row(np.mean([*said.values()], axis=0), truth) if taught else None,
        "differ": differ,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Several teachers of one expression network",
        "",
        f"By `{found['command']}`: {found['pictures']} validation pictures of FER-2013, log loss in nats; PublicTest "
        "as each training measured it at its end, where nothing was chosen any more, after the temperature.",
        "",
        "| | accuracy, % | log loss | training pictures, % | PublicTest, % | its log loss |",
        "|---|---|---|---|---|---|",
    ]
    test = {k: f"{100 * v['accuracy']:.1f} | {v['log_loss']:.3f}" for k, v in found["public_test"].items()}
    test = {k: f"{100 * found['training_pictures'][k]:.1f} | {v}" for k, v in test.items()}
    rows = [(k, v, test[k]) for k, v in found["alone"].items()] + [
        ("their mean, as it is taught", found["together"], "| |")
    ]
    if found["taught"]:
        name = Path(found["taught_recipe"]).stem
        rows.append((f"{name}, which was taught it", found["taught"], test[name]))
        rows.append(("the mean of all networks above", found["all"], "| |"))
    lines += [f"| {k} | {100 * v['accuracy']:.1f} | {v['log_loss']:.3f} | {on_test} |" for k, v, on_test in rows]
    lines += ["", "| two networks | differ on, % of the pictures |", "|---|---|"]
    lines += [f"| {k} | {100 * v:.1f} |" for k, v in found["differ"].items()]
    if found.get("against"):
        row, first = found["against"], next(iter(found["alone"]))
        lines += [
            "",
            f"{Path(found['taught_recipe']).stem} minus {first}, each at its best temperature: accuracy "
            f"{100 * row['accuracy']:+.1f} points (McNemar, exact: p = {row['accuracy_p']:.2g}), log loss "
            f"{row['log_loss']:+.4f} ± {row['log_loss_error']:.4f} (standard error over pictures).",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    parser.add_argument("--recipe", type=Path, default=HERE.parent / "recipes" / f"{DEFAULT}.toml")
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs", help="folder of the trainings")
    options = parser.parse_args()
    found = measure(options.data, options.recipe, options.runs)
    stem = "expression_teachers" if options.recipe.stem == DEFAULT else options.recipe.stem
    (RESULTS / f"{stem}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / f"{stem}.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
