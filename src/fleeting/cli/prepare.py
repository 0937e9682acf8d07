"""``fleeting prepare``: data sets to flow images and clips of one length."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleeting.cli.frame_progress import CLEAR
from fleeting.errors import FleetingError
from fleeting.settings import FLOW_DEFAULT, FLOW_METHODS

if TYPE_CHECKING:
    from fleeting.datasets.prepare import Prepared
    from fleeting.scale.executor import Outcome

SHOWN = 8
"""Failed clips that are listed; ``--json`` has all."""


def prepare(
    sets: Annotated[
        list[str],
        typer.Argument(metavar="NAME=PATH...", help="Data sets: the name of each, and its folder or annotation table."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write all clips to one .npz file. Other commands read it as prepared=FILE."),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps each finished clip.  [default: ~/.cache/fleeting/prepared]")
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of each sequence; 0 makes only flow images.")] = 10,
    width: Annotated[int, typer.Option(help="Width of the sequence's crops in pixels.")] = 140,
    flow: Annotated[
        str | None, typer.Option(help=f"Flow method: {', '.join(FLOW_METHODS)}. Default: {FLOW_DEFAULT}.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="Where to work on the clips: in-process, processes or ray.  "
            "[default: in-process, or processes with --jobs]"
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            help="Number of clips to work on at the same time.  [default: 1, or all cores with --engine]",
        ),
    ] = None,
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, one entry per data set.")] = False,
) -> None:
    """Find the faces of labelled clips and make flow images and sequences, with the same code as the analysis.

    Run the same command again to resume a stopped run.

    Example: fleeting prepare casme2=CASME2 --out casme2.npz --jobs 4
    """
    from fleeting.datasets import prepare as room
    from fleeting.datasets.load import cache_of
    from fleeting.datasets.readers import prepared as file
    from fleeting.datasets.registry import named_data
    from fleeting.errors import SettingsError
    from fleeting.scale.engines import make_engine
    from fleeting.settings import to_dict

    settings = room.PrepareSettings(frames=frames, width=width)
    if flow is not None:
        settings = replace(settings, flow=flow, event_flow=flow)  # type: ignore[arg-type]
    where = make_engine(engine, workers=jobs, address=address)
    if out is not None and out.suffix.lower() != ".npz":
        raise SettingsError("a file .npz for --out", f"'{out.name}'", "Name it for example casme2.npz.")
    entries: list[dict[str, Any]] = []
    parts: list[Prepared] = []
    for text in sets:
        try:
            data = named_data(text)
            if data.about.arrays:
                raise SettingsError(
                    "a data set of frames", f"'{data.name}', which holds none", "It needs no preparing."
                )
            display = Display(data.label, quiet=as_json)
            try:
                made = room.prepare(
                    data.read(), cache=cache_of(data, cache), settings=settings, engine=where, on_done=display
                )
            finally:
                display.end()
        except FleetingError as error:
            entries.append({"name": text.partition("=")[0], "error": str(error)})
            typer.echo(f"error: {error}", err=True)
            continue
        parts.append(made)
        entries.append(_entry(data.label, made, cache_of(data, cache)))
        if not as_json:
            typer.echo("\n".join(_lines(entries[-1])))
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    if out is not None and any(p.rows for p in parts):
        everything = room.Prepared(
            rows=tuple(r for p in parts for r in p.rows), results=tuple(r for p in parts for r in p.results)
        )
        typer.echo(f"wrote {file.write(everything, out, settings=to_dict(settings))}", err=True)
    if any("error" in e or e["failed"] for e in entries):
        raise typer.Exit(1)


def _entry(name: str, made: Prepared, folder: Path) -> dict[str, Any]:
    noted: dict[str, int] = {}
    for result in made.results:
        for note in result["notes"]:
            # Numbers differ from clip to clip; what happened is the same.
            what = " ".join("N" if word.isdigit() else word for word in note.split())
            noted[what] = noted.get(what, 0) + 1
    return {
        "name": name,
        "cache": str(folder),
        "prepared": len(made.rows),
        "kept": made.kept,
        "failed": [{"clip": clip, "error": why} for clip, why in made.failed],
        "notes": noted,
    }


def _lines(entry: dict[str, Any]) -> list[str]:
    lines = [
        f"{entry['name']}: {entry['prepared']} clips prepared, {entry['kept']} of them before, in {entry['cache']}"
    ]
    lines += [f"  {n} clips: {note}" for note, n in entry["notes"].items()]
    failed = entry["failed"]
    if failed:
        lines.append(f"  {len(failed)} failed:")
        lines += [f"    {f['clip']}: {f['error']}" for f in failed[:SHOWN]]
        if len(failed) > SHOWN:
            lines.append(f"    ... and {len(failed) - SHOWN} more (--json lists them)")
    return lines


class Display:
    """Progress over clips: a line that rewrites itself on a terminal, plain lines in a log.

    Parameters
    ----------
    name
        Of the data set.
    quiet
        Say nothing.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name, self._quiet = name, quiet
        self._live = sys.stderr.isatty()
        self._open = False
        self._began = self._shown = time.monotonic()
        self._made = 0

    def __call__(self, done: int, total: int, outcome: Outcome | None) -> None:
        """Tell the clips done and to do, and what became of the last one."""
        self._made += outcome is not None and not outcome.kept
        now = time.monotonic()
        if self._quiet or (done != total and now - self._shown < (0.2 if self._live else 10.0)):
            return
        self._shown = now
        left = ""
        if self._made and total > done:
            left = f", {(now - self._began) / self._made * (total - done):.0f} s left"
        text = f"{self._name}: {done} of {total} clips{left}"
        if self._live:
            typer.echo(CLEAR + text, err=True, nl=False)
            self._open = True
        else:
            typer.echo(text, err=True)

    def end(self) -> None:
        """Close the line that rewrites itself."""
        if self._open:
            typer.echo("", err=True)
            self._open = False
