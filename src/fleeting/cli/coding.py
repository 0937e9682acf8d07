"""``fleeting import``, ``agree``, ``export`` and ``summarise``: what people say of films."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError

Results = Annotated[Path, typer.Argument(help="A film's folder of results, or a folder of such folders.")]


def import_file(
    file: Annotated[Path, typer.Argument(help="ELAN (.eaf), BORIS (.boris, csv, tsv), or a table (csv, tsv, xlsx).")],
    results: Results,
    coder: Annotated[str, typer.Option("--coder", help="Coder whose events these are.")],
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="NAME=KIND for a tier or behaviour; NAME= leaves it out. Repeat for more."),
    ] = None,
    film: Annotated[str, typer.Option(help="Name of the film within the file, if the file has several films.")] = "",
    face: Annotated[int, typer.Option(min=0, help="Number of the face, if the file does not say it.")] = 0,
) -> None:
    """Read a file of annotations as a coder's events. Reading it twice changes nothing.

    Example: fleeting import anna.eaf results/interview --coder anna --kind smiles=macro
    """
    from fleeting.coding.imports import import_file as read
    from fleeting.labels import counted

    mapping = {}
    for pair in kinds or ():
        name, equals, kind = pair.rpartition("=")
        if not equals or not name:
            raise InputError("NAME=KIND", f"'{pair}'", "Write such as --kind smiles=macro.")
        mapping[name] = kind
    for done in read(file, results, coder, kinds=mapping, film=film, face=face):
        known = f", {done.known} were there already" if done.known else ""
        typer.echo(f"{done.film}: {counted(done.added, 'event')} for {coder}{known}")


def agree(
    results: Results,
    coders: Annotated[tuple[str, str], typer.Option("--coders", help="Two coders; 'machine' stands for the analysis.")],
    iou: Annotated[float, typer.Option(help="Smallest overlap (IoU) at which two events count as the same.")] = 0.5,
    precision: Annotated[
        float, typer.Option(help="With 'machine': find the confidence from which on this share of its events is right.")
    ] = 0.9,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files.  [default: RESULTS]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON, for programs.")] = False,
) -> None:
    """Compare two coders event by event and frame by frame, and write agreement_A_B.csv, .json and .html.

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


def export(
    results: Results,
    coder: Annotated[
        str, typer.Option("--coder", help="Coder whose events to use; 'machine' stands for the analysis.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to; each film gets a folder in it.")] = Path(
        "fleeting-coding"
    ),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", help="One of csv, json, elan, bids, boris, megc; repeat for more.  [default: csv]"
        ),
    ] = None,
) -> None:
    """Write a coder's events for other programs, with who coded them and whether the machine proposed them.

    Example: fleeting export results --coder anna --format elan --out coded
    """
    from fleeting.coding.exports import export as write

    for path in write(results, coder, out=out, formats=formats or ("csv",)):
        typer.echo(str(path))


def summarise(
    results: Results,
    groups: Annotated[Path | None, typer.Option(help="Csv table with the columns film, person and condition.")] = None,
    coder: Annotated[
        str, typer.Option("--coder", help="Coder whose events to use; 'machine' stands for the analysis.")
    ] = "machine",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files.  [default: RESULTS]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, for programs.")] = False,
) -> None:
    """Count events per codable minute by condition, and write summary.csv (a row for each film) and summary.json.

    Example: fleeting summarise results --groups study.csv --coder anna
    """
    from fleeting.coding import summary
    from fleeting.evaluation.metrics_text import number, table

    told = {} if groups is None else summary.read_groups(groups)
    rows, alone = summary.summarise_results(results, told, coder)
    written = summary.write(rows, results if out is None else out)
    found = summary.summarise(rows)
    if as_json:
        typer.echo(json.dumps(found))
        return
    lines = []
    for condition, values in found.items():
        for kind in ("micro", "macro", "blink", "wink"):
            one = values[kind]
            span = "-" if one["interval"] is None else " to ".join(number(v) for v in one["interval"])
            about = (condition or "-", kind, values["films"], values["people"], number(values["minutes"]))
            lines.append([*about, one["events"], number(one["per_minute"]), span])
    header = ("condition", "kind", "films", "people", "minutes", "events", "a minute", "95 %")
    for line in table(header, lines):
        typer.echo(line)
    if groups is not None and alone:
        typer.echo(f"warning: without a row in {groups}: {', '.join(alone)}", err=True)
    typer.echo(f"\nwritten: {', '.join(map(str, written))}")
