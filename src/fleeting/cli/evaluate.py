"""``fleeting evaluate``: shipped networks on labelled data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

MODELS = ("deep-emotion", "expression", "landmarks", "megc", "recogniser", "spotting")
"""The names of `fleeting.api.EVALUATIONS`, here so that the help needs no import."""


def evaluate(
    model: Annotated[str, typer.Argument(help="What to measure: " + ", ".join(MODELS) + ".")],
    data: Annotated[Path, typer.Argument(help="Labelled data: a file or a folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of metrics.json and the rows behind it.")] = Path(
        "fleeting-output"
    ),
    fps: Annotated[float | None, typer.Option(help="Frames per second of image folders, for spotting.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a shipped network on labelled data, and write metrics.json.

    Example: fleeting evaluate landmarks faces.npz --out results
    """
    from fleeting import api

    metrics = api.evaluate(model, data, out=out, fps=fps)
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    for name, value in metrics.items():
        typer.echo(f"{name:24} {value}")
