"""The table of recognisers: ``python benchmarks/studies/recognisers.py``.

Runs ``fleeting benchmark`` for every model by three protocols on the flow images at hand, each into a folder below
``--runs`` from which a stopped run goes on, and ``fleeting compare`` on them. Writes ``results/recognisers.json`` and
``.md``.

- ``loso``: the 40 people of CASME II and SMIC, one held out at a time;
- ``hde``: trained on one of the two data sets, tested on the other;
- ``leaky-best-epoch``: how much choosing the epoch by the test person adds to the same training (one seed, the models
  of ``--leaky``: it takes as long as the honest run).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fleeting.errors import FleetingError
from fleeting.evaluation.benchmark.benchmark import benchmark, settings_for
from fleeting.evaluation.benchmark.protocols import LEAKY
from fleeting.evaluation.comparison.compare import Entry, compare
from fleeting.evaluation.comparison.tables import header, notes, rows
from fleeting.recognisers.contract import Epochs, ManyFoldsEpochs
from fleeting.recognisers.registry import RECOGNISERS, recogniser
from fleeting.scale.engines import make_engine

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data" / "composite_flow_casme2_smic.npz"
FIRST = "linear-svm"
SAME_EVERY_SEED = ("linear-svm", "fleeting", "mdmo-flow-image", "flow-svm-image")
"""Nothing of weight is drawn in their training; one seed is enough."""
TITLES = {
    "loso": "One person held out at a time",
    "hde": "Trained on one data set, tested on the other",
    LEAKY: "What choosing the epoch by the test person would give",
}


def command(model: str, protocol: str, seeds: int) -> str:
    """Return what a reader types to get the row."""
    return (
        f"fleeting benchmark --data composite=../shared/data/{DATA.name} --model {model} --protocol {protocol} "
        f"--seeds {seeds} --out runs/recognisers/{protocol}/{model}"
    )


def models_for(protocol: str, names: list[str]) -> list[str]:
    """Return the models that read flow images (and have epochs to choose from, where the protocol chooses one)."""
    found = []
    for name in names:
        model = recogniser(name)
        epochs = protocol != LEAKY or isinstance(model, (Epochs, ManyFoldsEpochs))
        if model.needs == "flow" and epochs and not getattr(model, "subjects_seen", ()):
            found.append(name)
    return sorted(found, key=lambda name: name != FIRST)


def measure(names: list[str], protocol: str, options: argparse.Namespace) -> list[Entry]:
    """Run the models by a protocol and compare them; a model that fails is said and left out."""
    folders = []
    for name in models_for(protocol, options.leaky if protocol == LEAKY else names):
        seeds = 1 if name in SAME_EVERY_SEED or protocol == LEAKY else options.seeds
        (plan,) = settings_for([name], data=[f"composite={options.data}"], protocol=protocol, numbers={"seeds": seeds})
        out = options.runs / protocol / name
        try:
            benchmark(plan, out=out, engine=make_engine(workers=options.jobs))
        except FleetingError as error:
            print(f"{name}, {protocol}: {error}", flush=True)
            continue
        folders.append(out)
        print(f"{name}, {protocol}: done", flush=True)
    return compare(folders) if folders else []


def section(protocol: str, entries: list[Entry]) -> list[str]:
    """Return the table of one protocol in Markdown, with the commands that made it."""
    body = [
        [("**" + c + "**" if e.leaky and i == 0 else c) for i, c in enumerate(r)]
        for e, r in zip(entries, rows(entries), strict=True)
    ]
    table = ["| " + " | ".join(cells).replace("+-", "±") + " |" for cells in [header(entries), *body]]
    table.insert(1, "|" + "---|" * len(header(entries)))
    commands = [
        f"`{command(e.run.metrics['model'], protocol, e.run.metrics['seeds'])}`  " for e in entries if not e.leaky
    ]
    lines = [f"### {TITLES[protocol]}", "", *table, ""]
    lines += [line.replace("+-", "±") + "  " for line in notes(entries)]
    return [*lines, "", "By:", "", *commands, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--models", nargs="+", default=list(RECOGNISERS))
    parser.add_argument("--leaky", nargs="+", default=["ststnet"])
    parser.add_argument("--protocols", nargs="+", default=list(TITLES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=BENCHMARKS.parent / "runs" / "recognisers")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    lines: list[str] = []
    found: dict[str, Any] = {}
    for protocol in options.protocols:
        entries = measure(options.models, protocol, options)
        if entries:
            lines += section(protocol, entries)
            found[protocol] = [_rounded(_without_folder(e)) for e in entries]
    (options.out / "recognisers.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    block = "\n".join(lines).rstrip() + "\n"
    (options.out / "recognisers.md").write_text("# Recognisers of flow images\n\n" + block, encoding="utf-8")
    print(block)


def _without_folder(entry: Entry) -> dict[str, Any]:
    plain = entry.to_dict()
    del plain["folder"]
    return plain


def _rounded(value: Any) -> Any:
    """Four digits: far below the interval's width, and free of the last bits that differ between machines."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
