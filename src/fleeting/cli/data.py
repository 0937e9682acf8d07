"""``fleeting data``: what is in labelled data sets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleeting.errors import FleetingError

if TYPE_CHECKING:
    from fleeting.datasets.check import Checked
    from fleeting.datasets.manifest import Manifest

SHOWN = 8
"""Missing folders and corrections of one kind that are listed without ``--all``."""

data = typer.Typer(
    help="Look into labelled data sets.\n\nExample: fleeting data check casme2=CASME2",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@data.callback()
def _group() -> None:
    """Look into labelled data sets.

    Example: fleeting data check casme2=CASME2
    """


@data.command()
def check(
    sets: Annotated[
        list[str],
        typer.Argument(metavar="NAME=PATH...", help="Data sets: the name of each, and its folder or annotation table."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the manifest of all sets (.csv or .parquet).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, one entry per data set.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every missing folder and every correction.")] = False,
) -> None:
    """List what was read, what is missing and what was repaired, and compare the counts with the published ones.

    Example: fleeting data check casme2=CASME2 samm=SAMM/SAMM_Micro_FACS_Codes_v2.xlsx
    """
    from fleeting.datasets import check as room
    from fleeting.datasets.manifest import joined, with_absolute_paths
    from fleeting.datasets.manifest_files import write_manifest
    from fleeting.datasets.registry import named_data

    entries: list[dict[str, Any]] = []
    manifests: list[Manifest] = []
    failed = False
    for text in sets:
        try:
            found, manifest = room.check(named_data(text))
        except FleetingError as error:
            failed = True
            entries.append({"name": text.partition("=")[0], "error": str(error)})
            typer.echo(f"error: {error}", err=True)
            continue
        manifests.append(manifest)
        entries.append(found.to_dict())
        if not as_json:
            typer.echo("\n".join(_lines(found, everything=everything)))
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    if out is not None and manifests:
        for path in write_manifest(with_absolute_paths(joined(manifests)), out):
            typer.echo(f"wrote {path}", err=True)
    if failed:
        raise typer.Exit(1)


def _lines(found: Checked, *, everything: bool) -> list[str]:
    whose = "" if found.subjects is None else f" of {found.subjects} subjects in {found.videos} recordings"
    lines = [
        f"{found.name}: {found.title}",
        f"  read         {', '.join(found.source)}",
        f"  clips        {found.clips}{whose}",
    ]
    for title, counts in (("types", found.types), ("emotions", found.emotions), ("3 classes", found.three_classes)):
        if counts:
            lines.append(f"  {title:<12} {_counts(counts)}")
    if found.published:
        verdict = "; ".join(found.differences) or "the same counts"
        lines.append(f"  published    {verdict} ({found.published['source']})")
    if found.clips_without_frames:
        lines.append(f"  missing      frames of {found.clips_without_frames} clips")
        lines += _some([f"    {path}" for path in found.missing], everything=everything)
    if found.corrections:
        lines.append(f"  corrections  {len(found.corrections)}")
        lines += _corrections(found, everything=everything)
    return lines + [f"  note         {remark}" for remark in found.remarks]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def _some(lines: list[str], *, everything: bool) -> list[str]:
    if everything or len(lines) <= SHOWN:
        return lines
    return [*lines[:SHOWN], f"    ... and {len(lines) - SHOWN} more (--all lists them)"]


def _corrections(found: Checked, *, everything: bool) -> list[str]:
    """Corrections by column, so that many of one kind do not hide the others."""
    lines = []
    for column in Counter(c.column for c in found.corrections):
        same = [
            f"    {c.where}  {c.column}: {c.was or '(empty)'} -> {c.now or '(empty)'}  {c.why}"
            for c in found.corrections
            if c.column == column
        ]
        lines += _some(same, everything=everything)
    return lines
