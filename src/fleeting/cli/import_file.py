"""``fleeting import``: another program's annotations as a coder's events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError


def import_file(
    file: Annotated[Path, typer.Argument(help="ELAN (.eaf), BORIS (.boris, csv, tsv), or a table (csv, tsv, xlsx).")],
    results: Annotated[Path, typer.Argument(help="The film's folder of results, or a folder of such folders.")],
    coder: Annotated[str, typer.Option("--coder", help="Whose events they are.")],
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="NAME=KIND for a tier or behaviour; NAME= leaves it out. Repeat for more."),
    ] = None,
    film: Annotated[str, typer.Option(help="The one film of the file that is meant, as the file names it.")] = "",
    face: Annotated[int, typer.Option(min=0, help="The face, where the file does not say it.")] = 0,
) -> None:
    """Read a file of annotations into a coder's log; reading it twice changes nothing.

    Example: fleeting import anna.eaf results/interview --coder anna --kind smiles=macro
    """
    from fleeting.coding.imports import import_file as read

    mapping = {}
    for pair in kinds or ():
        name, equals, kind = pair.rpartition("=")
        if not equals or not name:
            raise InputError("NAME=KIND", f"'{pair}'", "Write such as --kind smiles=macro.")
        mapping[name] = kind
    for done in read(file, results, coder, kinds=mapping, film=film, face=face):
        known = f", {done.known} were there already" if done.known else ""
        typer.echo(f"{done.film}: {done.added} events for {coder}{known}")
