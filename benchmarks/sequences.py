"""DSTICNN and macro-to-micro against themselves without what their papers add: ``python benchmarks/sequences.py``.

On sequences of transferred motion (`fleeting.recognisers.sequences.sets`), leave-one-subject-out: DSTICNN with and
without its interaction and on other inputs, each of its answers; MiNet with and without each guiding loss; a linear
machine on the same clips' flow images. Folds x seeds x variants are jobs that are kept in ``--runs`` as they end: the
same command goes on where it was stopped. Paired tests over subjects. Writes ``results/sequences.json``, ``.md`` and
``.png``.

The whole table takes a graphics card: ``--device cuda --jobs 4 --precision bfloat16``. On a processor a small one says
whether all works: ``--side 48 --width 56 --protocol kfold --folds 3 --seeds 1 --epochs 5``; the page then says so.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.datasets.load import load_samples
from fleeting.evaluation.benchmark.data import BenchmarkData, read_data
from fleeting.evaluation.benchmark.files import ANSWERS
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.evaluation.benchmark.scores import subject_counts
from fleeting.evaluation.comparison.compare import compare
from fleeting.evaluation.comparison.significance import permutation_test
from fleeting.labels import THREE
from fleeting.recognisers.contract import Recogniser
from fleeting.recognisers.dsticnn import recogniser as dsticnn
from fleeting.recognisers.dsticnn.recogniser import DsticnnSettings
from fleeting.recognisers.macro_to_micro import recogniser as macro_to_micro
from fleeting.recognisers.macro_to_micro.guide import GUIDE, MacroSettings, still_faces, train_manet, write_guide
from fleeting.recognisers.macro_to_micro.recogniser import MiNetSettings
from fleeting.recognisers.registry import recogniser
from fleeting.recognisers.sequences.fit import FitSettings
from fleeting.recognisers.sequences.sets import SequenceSettings, make_sets
from fleeting.scale.engines import make_engine

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "shared" / "data"
FLOW, FACES = "composite_flow_casme2_smic.npz", "fer2013_training_publictest.npz"
FLOOR = "linear-svm"
GUIDED: dict[str, dict[str, Any]] = {
    "macro-to-micro-start": {"start": "macro"},
    "macro-to-micro-unsaturated": {"adversary": "unsaturated"},
}
"""The whole system that also begins with MaNet's weights; or whose discriminator does not fall silent."""
FAMILIES = {
    "DSTICNN: does the interaction help?": (
        "dsticnn-none", ["dsticnn-js", "dsticnn-mse", "dsticnn", "dsticnn-strong", "dsticnn-detached"],
    ),
    "DSTICNN: what does it need to see?": (
        "dsticnn", ["dsticnn-grey", "dsticnn-change", "dsticnn-flow", "dsticnn-grey-flow"],
    ),
    "Macro-to-micro: do macro-expressions help?": (
        "minet",
        ["minet-adversarial", "minet-relation", "minet-contrastive", "macro-to-micro", *GUIDED],
    ),
    "Against a linear machine on the same clips' flow images": (FLOOR, ["dsticnn", "macro-to-micro"]),
}  # fmt: skip
"""What each is tested against, and what is tested."""

MORE: dict[str, dict[str, Any]] = {
    "dsticnn-strong": {"js": 10.0, "mse": 10.0},
    "dsticnn-detached": {"detach": True},
    "dsticnn-grey": {"kind": "grey"},
    "dsticnn-change": {"kind": "change"},
}
"""Settings of the whole system that have no name of their own in `fleeting benchmark`: why the interaction helps or
does not (its terms ten times as heavy; each stream a fixed teacher of the other), and other inputs."""


def models(options: argparse.Namespace, guide: Path) -> dict[str, Recogniser]:
    """Return every variant with the settings of this run."""
    fit = FitSettings(
        epochs=options.epochs,
        precision=options.precision,
        device=options.device,
        optimiser=options.optimiser,
        learning_rate=options.rate,
    )
    seen = {"length": options.length, "side": options.side}
    made: dict[str, Recogniser] = {FLOOR: recogniser(FLOOR)}
    plan = DsticnnSettings(kind=options.kind, fit=fit, **seen)
    for name in dsticnn.VARIANTS:
        made[name] = dsticnn.dsticnn(name, plan=plan)
    for name, changed in MORE.items():
        made[name] = dsticnn.DsticnnRecogniser(name, replace(plan, **changed))
    ours = MiNetSettings(guide=str(guide), fit=replace(fit, optimiser="adamw", learning_rate=1e-3), **seen)
    for name in macro_to_micro.VARIANTS:
        made[name] = macro_to_micro.macro_to_micro(name, plan=ours)
    made |= {name: macro_to_micro.MacroToMicro(name, replace(ours, **changed)) for name, changed in GUIDED.items()}
    twice = [n for n, m in made.items() if n != "dsticnn" and getattr(m, "plan", None) == plan]
    return {name: made[name] for name in options.variants or [n for n in made if n not in twice]}


def guide_of(options: argparse.Namespace, macro: Path) -> Path:
    """Train MaNet once for all folds: its faces and portraits are nobody's of the transferred set."""
    path: Path = options.runs / GUIDE
    if path.exists():
        return path
    fit = {"device": options.device, "precision": options.precision, "optimiser": "adamw"}
    settings = MacroSettings(
        length=options.length,
        side=options.side,
        faces=options.faces,
        apexes=options.apexes,
        still=FitSettings(epochs=options.still_epochs, batch=64, learning_rate=1e-3, shift=0.08, **fit),
        moving=FitSettings(epochs=options.epochs, learning_rate=1e-3, **fit),
    )
    faces = still_faces(options.data / FACES, THREE, most=options.faces, seed=0)
    network, guide = train_manet(faces, load_samples(f"prepared={macro}"), settings, seed=0, out=options.runs / "manet")
    write_guide(guide, network, path, settings)
    return path


def measure(data: BenchmarkData, made: dict[str, Recogniser], options: argparse.Namespace) -> dict[str, Any]:
    """Run every variant, or read it where it has been run; one seed where nothing is drawn."""
    found = {}
    engine = make_engine(workers=options.jobs)
    for name, model in made.items():
        started = time.perf_counter()
        settings = BenchmarkSettings(
            name,
            protocol=options.protocol,
            folds=options.folds,
            validation=0.0 if name == FLOOR else options.validation,
            seeds=1 if name == FLOOR else options.seeds,
            data=("sequences",),
        )
        found[name] = run_benchmark(data, model, settings, out=options.runs / name, engine=engine, on_done=_say(name))
        print(f"{name}: UF1 {found[name]['uf1']['pooled']:.3f}, {time.perf_counter() - started:.0f} s", flush=True)
    return found


def _say(name: str) -> Any:
    return lambda outcome, count: print(f"{name}: {outcome.job.label} of {count}", outcome.error or "", flush=True)


def fused_against_single(folder: Path, classes: list[str]) -> dict[str, Any]:
    """Test the fused answer of a model against each of its streams, over subjects."""
    import pandas as pd

    table = pd.read_parquet(folder / ANSWERS)
    counts = {name: subject_counts(part, classes)[1] for name, part in table.groupby("answer", sort=False)}
    if "fused" not in counts:
        return {}
    fused = counts.pop("fused")
    return {name: permutation_test(fused, other)["uf1"] for name, other in counts.items()}


def tests(found: dict[str, Any], runs: Path) -> dict[str, Any]:
    """Return the paired tests of every family that was run."""
    made: dict[str, Any] = {}
    for title, (first, others) in FAMILIES.items():
        there = [name for name in others if name in found]
        if first in found and there:
            entries = compare([runs / name for name in (first, *there)])
            made[title] = {
                "against": first,
                **{name: e.tests for name, e in zip(there, entries[1:], strict=True)},
            }
    return made


def markdown(found: dict[str, Any], tested: dict[str, Any], single: dict[str, Any], about: dict[str, Any]) -> str:
    """Return the page."""
    some = next(iter(found.values()))
    lines = [
        "# Sequence systems on transferred motion",
        "",
        f"{some['clips']} clips of {some['subjects']} subjects; {about['protocol']}, {about['seeds']} seed(s);"
        f" {about['epochs']} epochs, {about['length']} frames of {about['side']} x {about['side']} pixels"
        f" ({about['kind']} for DSTICNN where its name does not say),"
        f" {about['precision']} on {about['device']}. Mean over seeds ± standard deviation over seeds; 95 % interval"
        " over bootstrap samples of subjects. The clips show real patterns of motion on other faces"
        " ([how](../../docs/explanation/sequences.md)); no figure here says how well a system does on films of people.",
        "",
        "| system | UF1 | UAR |",
        "|---|---|---|",
    ]
    for name, one in found.items():
        cells = []
        for score in ("uf1", "uar"):
            low, high = one[score]["interval"]
            cells.append(f"{one[score]['pooled']:.3f} ± {one[score]['spread']:.3f} [{low:.3f}, {high:.3f}]")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    for title, family in tested.items():
        lines += ["", f"## {title}", "", f"| against `{family['against']}` | UF1 difference | p |", "|---|---|---|"]
        for name, result in family.items():
            if name != "against" and result is not None:
                lines.append(f"| `{name}` | {result['uf1']['difference']:+.3f} | {result['uf1']['p']:.3f} |")
    if single:
        lines += [
            "",
            "## Fused and single answers",
            "",
            "| system | answer | UF1 | fused minus it | p |",
            "|---|---|---|---|---|",
        ]
        for name, results in single.items():
            for answer, result in results.items():
                uf1 = found[name]["answers"][answer]["uf1"]
                lines.append(f"| `{name}` | {answer} | {uf1:.3f} | {result['difference']:+.3f} | {result['p']:.3f} |")
    return "\n".join([*lines, "", f"By `{about['command']}`.", ""])


def plot(found: dict[str, Any], path: Path) -> None:
    """Draw UF1 with its interval, one row per system, and chance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(found)[::-1]
    values = np.array([found[n]["uf1"]["pooled"] for n in names])
    spans = np.abs(np.array([found[n]["uf1"]["interval"] for n in names]).T - values)
    figure, axis = plt.subplots(figsize=(7, 0.35 * len(names) + 1.2))
    axis.errorbar(values, range(len(names)), xerr=spans, fmt="o", color="#6d28d9", capsize=3)
    axis.set_yticks(range(len(names)), names)
    axis.axvline(1 / 3, color="#999999", linewidth=1)
    axis.text(1 / 3, len(names) - 0.4, " chance", color="#666666", fontsize=8)
    axis.set_xlabel("UF1 on transferred motion, people never seen; 95 % interval over subjects")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--runs", type=Path, default=HERE.parent / "runs" / "sequences")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--variants", nargs="+", help="all where not given")
    parser.add_argument("--protocol", default="loso")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--validation", type=float, default=0.15)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--still-epochs", type=int, default=12)
    parser.add_argument("--faces", type=int, default=0, help="still faces for MaNet; 0 for all")
    parser.add_argument(
        "--apexes",
        action="store_true",
        help="MaNet learns and guides by apexes of macro-expressions; takes its own --runs",
    )
    parser.add_argument(
        "--kind", default="grey", help="input of DSTICNN where the variant does not say: grey, change, flow"
    )
    parser.add_argument("--optimiser", default="sgd", help="of DSTICNN")
    parser.add_argument("--rate", type=float, default=0.01, help="its learning rate")
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--side", type=int, default=112)
    parser.add_argument("--width", type=int, default=112, help="of the stored crops")
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--count", type=int, default=900, help="macro-expressions that are drawn")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    drawn = SequenceSettings(length=options.length, width=options.width, copies=options.copies, count=options.count)
    paths = make_sets(options.data, options.runs / "sets", drawn, flow=FLOW)
    wanted = options.variants or [*dsticnn.VARIANTS, *macro_to_micro.VARIANTS, *GUIDED]
    guided = [n for n in wanted if n in (*macro_to_micro.VARIANTS, *GUIDED) and n != "minet"]
    guide = guide_of(options, paths["macro"]) if guided else options.runs / GUIDE
    made = models(options, guide)
    found = measure(read_data([f"prepared={paths['transferred']}"]), made, options)
    tested = tests(found, options.runs)
    classes = list(next(iter(found.values()))["confusion"]["classes"])
    single = {n: fused_against_single(options.runs / n, classes) for n, one in found.items() if "answers" in one}
    single = {n: results for n, results in single.items() if results}
    shown = {k: v for k, v in vars(options).items() if k not in ("data", "runs", "out")}
    changed = [f"--{k.replace('_', '-')}{_words(v)}" for k, v in shown.items() if v != parser.get_default(k)]
    about = shown | {"command": " ".join(["python benchmarks/sequences.py", *changed])}
    kept = {name: {k: one[k] for k in ("uf1", "uar", "confusion", "training_seconds")} for name, one in found.items()}
    stored = {"about": about, "systems": kept, "tests": tested, "fused_against_single": single}
    (options.out / "sequences.json").write_text(json.dumps(_rounded(stored), indent=1) + "\n", encoding="utf-8")
    page = markdown(found, tested, single, about)
    (options.out / "sequences.md").write_text(page, encoding="utf-8")
    plot(found, options.out / "sequences.png")
    print(page)


def _words(value: Any) -> str:
    values = [] if value is True else value if isinstance(value, list) else [value]
    return "".join(f" {v}" for v in values)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, (list, tuple)):
        return [_rounded(v) for v in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
