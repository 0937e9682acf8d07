"""``fleeting evaluate``: shipped networks on labelled data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from fleeting.errors import InputError


def _landmarks(data: Path, out: Path) -> dict[str, Any]:
    from fleeting.evaluation.landmarks import evaluate_landmarks

    return evaluate_landmarks(data, out=out)


def _recogniser(data: Path, out: Path) -> dict[str, Any]:
    from fleeting.evaluation.recogniser import evaluate_recogniser

    return evaluate_recogniser(data, out=out)


MODELS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {"landmarks": _landmarks, "recogniser": _recogniser}
"""What can be evaluated: takes the data and the folder of results, writes ``metrics.json`` there and returns it."""


def evaluate(
    model: Annotated[str, typer.Argument(help="What to measure: " + ", ".join(MODELS) + ".")],
    data: Annotated[Path, typer.Argument(help="Labelled data: a file or a folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of metrics.json and the rows behind it.")] = Path(
        "fleeting-output"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a shipped network on labelled data, and write metrics.json.

    Example: fleeting evaluate landmarks faces.npz --out results
    """
    if model not in MODELS:
        import difflib

        near = difflib.get_close_matches(model, MODELS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
        raise InputError(f"one of {', '.join(MODELS)}", f"'{model}'", hint)
    metrics = MODELS[model](data, out)
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    for name, value in metrics.items():
        typer.echo(f"{name:24} {value}")
