"""``fleeting benchmark``: models on labelled data, by a protocol that cannot leak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fleeting.scale.executor import Outcome

PROTOCOLS = ("loso", "cde", "hde", "kfold", "leaky-best-epoch")
"""`fleeting.evaluation.protocols.PROTOCOLS`, here so that the help needs no import."""


def benchmark(
    model: Annotated[list[str], typer.Option("--model", "-m", help="What to measure; may be given several times.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results; a stopped run goes on there.")],
    data: Annotated[list[str] | None, typer.Option("--data", help="NAME=PATH of a data set; may be repeated.")] = None,
    train: Annotated[list[str] | None, typer.Option("--train", help="NAME=PATH to train on, for a hold-out.")] = None,
    test: Annotated[list[str] | None, typer.Option("--test", help="NAME=PATH to test on, for a hold-out.")] = None,
    protocol: Annotated[str, typer.Option(help="One of " + ", ".join(PROTOCOLS) + ".")] = "loso",
    seeds: Annotated[int, typer.Option(help="Repetitions, with the seeds 0, 1, ...")] = 1,
    folds: Annotated[int, typer.Option(help="Of the protocol kfold.")] = 5,
    validation: Annotated[float, typer.Option(help="Share of training subjects held out to validate on.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train and test models fold by fold, and write honest scores (needs the extra 'research').

    Example: fleeting benchmark --data composite=flow_images.npz --model linear-svm --protocol loso --out runs/svm
    """
    from fleeting.evaluation.benchmark import benchmark as measure
    from fleeting.evaluation.run_benchmark import BenchmarkSettings

    found: dict[str, Any] = {}
    for name in model:
        settings = BenchmarkSettings(
            model=name,
            protocol=protocol,
            seeds=seeds,
            folds=folds,
            validation=validation,
            data=(*(data or ()), *(train or ())),
            test=tuple(test or []),
        )
        found[name] = measure(settings, out=out if len(model) == 1 else out / name, on_done=None if as_json else _said)
        if not as_json:
            _show(found[name])
    if as_json:
        typer.echo(json.dumps(found[model[0]] if len(model) == 1 else found))


def _said(outcome: Outcome, count: int) -> None:
    state = "was there" if outcome.kept else f"failed: {outcome.error}" if outcome.error else "done"
    typer.echo(f"{outcome.job.label}: {state} ({count} in all)", err=True)


def _show(found: dict[str, Any]) -> None:
    for name in ("uf1", "uar", "accuracy"):
        typer.echo(f"{name} {found[name]}")
