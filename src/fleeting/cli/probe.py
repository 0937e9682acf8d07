"""``fleeting probe`` says whether footage is fit for micro-expressions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleeting.cli.analyse import TURN_HELP, _settings
from fleeting.errors import FleetingError

if TYPE_CHECKING:
    from fleeting.quality.probe import Probe

_STYLES = {"good": "green", "fair": "yellow", "poor": "bold red", "unknown": "dim"}


def probe(
    videos: Annotated[
        list[Path], typer.Argument(metavar="VIDEO...", help="Video files, or folders of numbered images.")
    ],
    fps: Annotated[
        float | None,
        typer.Option("--fps", help="Frames per second of an image folder, or at which a slow-motion film was shot."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.0, help="Length of each video to look at, in seconds.")
    ] = 20.0,
    turn: Annotated[str | None, typer.Option(help=TURN_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list, one entry per video.")] = False,
) -> None:
    """Check whether a recording is good enough for micro-expressions, and say what to change.

    Example: fleeting probe interview.mp4
    """
    from fleeting.quality import probe as room

    settings = _settings(None, all_faces=False, flow=None, turn=turn)
    failed: list[FleetingError] = []
    entries: list[dict[str, Any]] = []
    for path in videos:
        try:
            found = room.probe(path, fps=fps, seconds=seconds, settings=settings)
        except FleetingError as error:
            failed.append(error)
            entries.append({"path": str(path), "error": str(error)})
            typer.echo(f"error: {error}", err=True)
            continue
        entries.append({"path": str(path), **found.to_dict()})
        if not as_json:
            _show(found)
    if as_json:
        import json

        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    if failed:
        raise typer.Exit(1)


def _show(found: Probe) -> None:
    """Print a table on a terminal and plain lines elsewhere."""
    import sys

    if not sys.stdout.isatty():
        for line in _lines(found):
            typer.echo(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fleeting.quality.meter import quality_rows

    title = Text(f"{found.video.path}\n{_header(found)}")
    table = Table(title=title, title_justify="left", title_style="")
    table.add_column("measure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("verdict", no_wrap=True)
    table.add_column("advice", ratio=1)
    for name, value, verdict, said in quality_rows(found.quality.to_dict()):
        table.add_row(name, Text(value), Text(verdict, style=_STYLES[verdict]), Text(said))
    console = Console()
    console.print(table)
    for note in found.warnings:
        console.print(Text(f"warning: {note}", style="yellow"))


def _lines(found: Probe) -> list[str]:
    from fleeting.quality.meter import quality_rows

    lines = [found.video.path, f"  {_header(found)}"]
    for name, value, verdict, said in quality_rows(found.quality.to_dict()):
        lines.append(f"  {name:<16} {value:<44} {verdict:<8} {said}".rstrip())
    return lines + [f"  warning: {note}" for note in found.warnings]


def _header(found: Probe) -> str:
    from fleeting.video.orientation import TURNS_TEXT

    video = found.video
    parts = [
        f"{video.width} x {video.height}",
        f"{video.codec} in {video.container.split(',')[0]}",
        f"{video.bit_depth} bits",
    ]
    if video.rotation:
        parts.append(f"turned by {TURNS_TEXT[video.rotation]}")
    if video.variable_frame_rate:
        parts.append("variable frame rate")
    if video.duration_s is not None:
        parts.append(f"{video.duration_s:.2f} s")
    looked = f"{found.frame_count} frames looked at"
    parts.append(looked if found.complete else f"{looked} (the first {found.duration_s:.0f} s)")
    return ", ".join(parts)
