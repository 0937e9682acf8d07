"""DSTICNN and macro-to-micro beside what they are compared with, on the same clips: ``python benchmarks/sequences.py``.

On transferred motion (`fleeting.recognisers.sequences.sets`), groups of people held out in turn:

- one table: linear SVM and `fleeting` on the flow image of each clip, LBP-TOP, MDMO; DSTICNN with and without
  its interaction, from random weights and from drawn flow (`-start`); MiNet alone and guided by macro-expressions;
- DSTICNN's interaction where people are few (``--shares``): differences with intervals over people, and a plot;
- single answers and how often the two streams disagree.

Folds x seeds x variants are jobs that are kept in ``--runs`` as they end: the same command goes on where it was
stopped. Writes ``results/sequences*.json``, ``.md`` and ``_interaction.png``; ``--name`` for another page, as that of
``--protocol hde`` (one laboratory left out).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sequences_fewer import Fewer
from sequences_models import FLOORS, VARIANTS, models

from fleeting.evaluation.benchmark.data import BenchmarkData, read_data
from fleeting.evaluation.benchmark.files import ANSWERS, PREDICTIONS
from fleeting.evaluation.benchmark.run import run_benchmark
from fleeting.evaluation.benchmark.scores import subject_counts
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.evaluation.comparison.significance import permutation_test
from fleeting.metrics import scores_of_counts
from fleeting.recognisers.contract import Recogniser
from fleeting.recognisers.dsticnn.recogniser import STREAMS, DsticnnRecogniser
from fleeting.recognisers.sequences.sets import SequenceSettings, make_sets

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
FLOW = "composite_flow_three_labs.npz"
INTERACTION = {"random weights": ("dsticnn", "dsticnn-none"), "drawn flow": ("dsticnn-start", "dsticnn-none-start")}
AGAINST = {
    "dsticnn-start": ("dsticnn-none-start", "linear-svm", "mdmo", "fleeting"),
    "dsticnn": ("dsticnn-none", "linear-svm"),
    "macro-to-micro": ("minet", "linear-svm", "mdmo"),
}
"""What is tested against what."""
FLATTERED = (
    " `fleeting`, the shipped recogniser of flow images, is flattered a little: its settings were chosen on flow images"
    " of these people, and it began with portraits that show some of these clips."
)
Counts = npt.NDArray[np.int64]


def measure(data: BenchmarkData, made: dict[str, Recogniser], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Run every variant, or read it where it has been run; one seed where nothing is drawn."""
    found = {}
    own = dict(text.split("=") for text in options.seeds_of)
    for share in options.shares:
        for name, model in made.items():
            if share < 100 and not isinstance(model, DsticnnRecogniser):
                continue
            label = name if share == 100 else f"{name}@{share}"
            started = time.perf_counter()
            settings = BenchmarkSettings(
                name,
                protocol=options.protocol,
                folds=options.folds,
                seeds=1 if name in FLOORS else int(own.get(label, options.seeds)),
                data=("sequences",),
            )
            asked = Fewer(model, share / 100) if share < 100 and isinstance(model, DsticnnRecogniser) else model
            found[label] = run_benchmark(data, asked, settings, out=options.runs / label)
            print(
                f"{label}: UF1 {found[label]['uf1']['pooled']:.3f}, {time.perf_counter() - started:.0f} s", flush=True
            )
    return found


def counts_of(folder: Path, classes: list[str], answer: str = "") -> Counts:
    """Return (seeds, subjects, classes, classes) of a run, or of one answer of it."""
    import pandas as pd

    table = pd.read_parquet(folder / (ANSWERS if answer else PREDICTIONS))
    return subject_counts(table[table["answer"] == answer] if answer else table, classes)[1]


def difference(one: Counts, other: Counts, *, draws: int = 4000) -> dict[str, float | list[float]]:
    """Return the UF1 difference of means over seeds, its 95 % interval over people, and p of the permutation."""
    people = one.shape[1]
    weight = np.random.default_rng(0).multinomial(people, np.full(people, 1 / people), size=draws)
    drawn = [scores_of_counts(np.einsum("dp,spij->dsij", weight, counts))["uf1"].mean(1) for counts in (one, other)]
    test = permutation_test(one, other)["uf1"]
    low, high = np.quantile(drawn[0] - drawn[1], (0.025, 0.975))
    return {"difference": test["difference"], "interval": [float(low), float(high)], "p": test["p"]}


def disagreement(folder: Path) -> float | None:
    """Return how often the two streams say different classes, as a share of the clips."""
    import pandas as pd

    if not (folder / ANSWERS).exists():
        return None
    table = pd.read_parquet(folder / ANSWERS)
    said = [table[table["answer"] == name]["predicted"].to_numpy() for name in STREAMS]
    return float((said[0] != said[1]).mean()) if len(said[0]) else None


def studies(found: dict[str, Any], options: argparse.Namespace, classes: list[str]) -> dict[str, Any]:
    """Return the paired tests, the interaction by share of the people, and what single streams say."""
    counts = {name: counts_of(options.runs / name, classes) for name in found}
    tests = {
        f"{name} against {other}": difference(counts[name], counts[other])
        for name, others in AGAINST.items()
        for other in others
        if name in counts and other in counts
    }
    interaction: dict[str, Any] = {}
    for begin, (one, other) in INTERACTION.items():
        for share in options.shares:
            ends = "" if share == 100 else f"@{share}"
            if one + ends in counts and other + ends in counts:
                result = difference(counts[one + ends], counts[other + ends])
                interaction[f"{begin}, {share} %"] = result | {"begin": begin, "share": share}
    streams = {}
    for name in found:
        apart = disagreement(options.runs / name)
        if apart is not None:
            alone = {
                stream: float(scores_of_counts(counts_of(options.runs / name, classes, stream).sum(1))["uf1"].mean())
                for stream in STREAMS
            }
            streams[name] = alone | {"disagreement": apart}
    return {"tests": tests, "interaction": interaction, "streams": streams}


def markdown(found: dict[str, Any], said: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the page."""
    some = next(iter(found.values()))
    lines = [
        "# Sequence systems on transferred motion",
        "",
        f"{some['clips']} clips of {some['subjects']} people; {about['protocol']}"
        + (f" of {about['folds']} groups" if about["protocol"] == "kfold" else "")
        + f"; flow, {about['length']} frames of {about['side']} x {about['side']} pixels. From random weights"
        f" {about['epochs']} epochs; `-start` learned {about['drawn']} drawn sequences once and {about['start_epochs']}"
        " epochs in each fold. Mean over the seeds ± standard deviation where there are several; 95 % interval over"
        " people. The clips show real patterns of motion on other faces"
        " ([how](../../docs/explanation/sequences.md)); no figure here says how well a system does on films of people."
        + (FLATTERED if "fleeting" in found else ""),
        "",
        "| system | seeds | UF1 | UAR | 32 frames | 64 frames | streams disagree |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        cells = [str(one["seeds"])]
        for score in ("uf1", "uar"):
            low, high = one[score]["interval"]
            spread = f" ± {one[score]['spread']:.3f}" if one["seeds"] > 1 else ""
            cells.append(f"{one[score]['pooled']:.3f}{spread} [{low:.3f}, {high:.3f}]")
        alone = said["streams"].get(name, {})
        cells += [f"{alone[stream]:.3f}" if alone else "" for stream in (*STREAMS, "disagreement")]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    for title, rows in (("Paired tests", said["tests"]), ("Interaction: on minus off", said["interaction"])):
        if rows:
            lines += ["", f"## {title}", "", "| | UF1 difference | p |", "|---|---|---|"]
        for name, row in rows.items():
            low, high = row["interval"]
            lines.append(f"| {name} | {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}] | {row['p']:.3f} |")
    return "\n".join([*lines, "", f"By `{about['command']}`.", ""])


def plot(interaction: dict[str, Any], path: Path) -> None:
    """Draw the interaction's effect by share of the training people."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 3.4))
    for k, (begin, colour) in enumerate(zip(INTERACTION, ("#6d28d9", "#0f766e"), strict=True)):
        rows = [row for row in interaction.values() if row["begin"] == begin]
        if not rows:
            continue
        values = np.array([row["difference"] for row in rows])
        spans = np.abs(np.array([row["interval"] for row in rows]).reshape(-1, 2).T - values)
        place = [row["share"] + 2 * k for row in rows]
        axis.errorbar(place, values, yerr=spans, fmt="o", color=colour, capsize=3, label=f"from {begin}")
    axis.axhline(0, color="#999999", linewidth=1)
    axis.set_xlabel("training people, %")
    axis.set_ylabel("UF1, interaction on minus off")
    axis.set_ylim(-0.05, 0.05)
    axis.legend(loc="upper left", ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "sequences")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--name", default="sequences", help="of the page")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--shares", nargs="+", type=int, default=[100], help="training people, percent")
    parser.add_argument("--protocol", default="kfold")
    parser.add_argument("--folds", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--seeds-of", nargs="+", default=[], metavar="SYSTEM=N", help="where not --seeds: minet=1 dsticnn@25=1"
    )
    parser.add_argument("--epochs", type=int, default=10, help="from random weights")
    parser.add_argument("--start-epochs", type=int, default=4)
    parser.add_argument("--start-rate", type=float, default=5e-4)
    parser.add_argument("--drawn", type=int, default=4000, help="sequences to begin with")
    parser.add_argument("--drawn-epochs", type=int, default=3)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--width", type=int, default=56, help="of the stored crops")
    options = parser.parse_args()
    drawn = SequenceSettings(length=options.length, width=options.width, copies=1, count=3)
    paths = make_sets(options.data, options.runs / "sets", drawn, flow=FLOW)
    found = measure(read_data([f"prepared={paths['transferred']}"]), models(options), options)
    classes = list(next(iter(found.values()))["confusion"]["classes"])
    said = studies(found, options, classes)
    shown = {k: v for k, v in vars(options).items() if k not in ("data", "runs", "out")}
    changed = [f"--{k.replace('_', '-')} {_words(v)}" for k, v in shown.items() if v != parser.get_default(k)]
    about = shown | {"command": " ".join(["python benchmarks/sequences.py", *changed])}
    kept = {name: {k: one[k] for k in ("seeds", "uf1", "uar", "confusion", "training_seconds")}
            for name, one in found.items()}  # fmt: skip
    stored = json.dumps(_rounded({"about": about, "systems": kept} | said), indent=1) + "\n"
    (options.out / f"{options.name}.json").write_text(stored, encoding="utf-8")
    page = markdown(found, said, about)
    (options.out / f"{options.name}.md").write_text(page, encoding="utf-8")
    if said["interaction"] and len(options.shares) > 1:
        plot(said["interaction"], options.out / f"{options.name}_interaction.png")
    print(page)


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
