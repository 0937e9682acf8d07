"""``fleeting agree``: two coders, or a coder and the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def agree(
    results: Annotated[Path, typer.Argument(help="A film's folder of results, or a folder of such folders.")],
    coders: Annotated[tuple[str, str], typer.Option("--coders", help="Two coders; 'machine' stands for the analysis.")],
    iou: Annotated[float, typer.Option(help="Smallest IoU of two events that are the same.")] = 0.5,
    precision: Annotated[
        float, typer.Option(help="With the machine: the precision for which its confidence is looked up.")
    ] = 0.9,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files; RESULTS if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON, for programs.")] = False,
) -> None:
    """Compare two coders event by event and frame by frame; write agreement_A_B.csv, .json and .html.

    Example: fleeting agree results --coders anna ben
    """
    from fleeting.coding import agreement_files
    from fleeting.coding.machine import agree_with_machine

    found = agree_with_machine(results, *coders, iou=iou, precision=precision)
    written = agreement_files.write(found, results if out is None else out)
    if as_json:
        typer.echo(json.dumps(found.metrics))
        return
    typer.echo(agreement_files.text(found))
    typer.echo(f"\nwritten: {', '.join(map(str, written))}")
