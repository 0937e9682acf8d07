"""``fleeting evaluate``: shipped networks on labelled data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError
from fleeting.settings import FLOW_METHODS

MODELS = ("action-units", "deep-emotion", "expression", "landmarks", "megc", "recogniser", "spotting")
"""The names of `fleeting.shipped.EVALUATIONS`, here so that the help needs no import."""


def evaluate(
    model: Annotated[str, typer.Argument(help="What to measure: " + ", ".join(MODELS) + ", or flow.")],
    data: Annotated[
        Path | None, typer.Argument(help="Labelled data, a file or a folder; flow needs none.", show_default=False)
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for metrics.json and a table of the rows behind it.")
    ] = Path("fleeting-output"),
    method: Annotated[str, typer.Option(help=f"Flow method, for flow: {', '.join(FLOW_METHODS)}.")] = "learned",
    pairs: Annotated[int, typer.Option(help="Number of picture pairs of each size and condition, for flow.")] = 4,
    fps: Annotated[float | None, typer.Option(help="Frames per second of image folders, for spotting.")] = None,
    coder: Annotated[
        str | None, typer.Option(help="Coder whose events are the truth, for spotting on coded results.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON, for programs.")] = False,
) -> None:
    """Measure a shipped network on labelled data, and write metrics.json.

    Example: fleeting evaluate landmarks faces.npz --out results
    """
    if model == "flow":
        _flow(method, pairs, out, as_json)
        return
    if data is None:
        raise InputError(f"labelled data for '{model}'", "none", "Name a file or a folder after the model.")
    from fleeting import shipped

    metrics = shipped.evaluate(model, data, out=out, fps=fps, coder=coder)
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    from fleeting.evaluation.metrics_text import metrics_text, spotting_text

    typer.echo(spotting_text(metrics) if model == "spotting" else metrics_text(metrics))


def _flow(method: str, pairs: int, out: Path, as_json: bool) -> None:
    from fleeting.evaluation.flow_error import error_table, evaluate_flow

    metrics = evaluate_flow(method, pairs=pairs, out=out)
    typer.echo(json.dumps(metrics) if as_json else error_table(metrics))
