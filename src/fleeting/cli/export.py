"""``fleeting export``: a coder's events for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    results: Annotated[Path, typer.Argument(help="A film's folder of results, or a folder of such folders.")],
    coder: Annotated[str, typer.Option("--coder", help="Whose events; 'machine' stands for the analysis.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Each film has a folder there.")] = Path("fleeting-coding"),
    formats: Annotated[
        list[str] | None, typer.Option("--format", "-f", help="csv, json, elan, bids, boris, megc; repeat for more.")
    ] = None,
) -> None:
    """Write a coder's events, with who coded them and where they are from.

    Example: fleeting export results --coder anna --format elan --out coded
    """
    from fleeting.coding.exports import export as write

    for path in write(results, coder, out=out, formats=formats or ("csv",)):
        typer.echo(str(path))
