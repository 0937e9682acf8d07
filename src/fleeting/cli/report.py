"""``fleeting report`` and ``methods``: what is written of results that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from fleeting.errors import FleetingError, InputError

if TYPE_CHECKING:
    from fleeting.report.references import Style
    from fleeting.settings import LimitSettings


def report(
    timelines: Annotated[list[Path], typer.Argument(help="timeline.json files, or the folders that hold them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Page to write.  [default: report.html beside the timeline]"),
    ] = None,
    pictures: Annotated[
        bool, typer.Option(help="Show pictures of the events, from media.npz beside the timeline.")
    ] = True,
    without_faces: Annotated[
        bool,
        typer.Option(
            "--without-faces", help="Show drawings of the landmarks instead of faces, so that you can share the report."
        ),
    ] = False,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file of settings, of which [limits] counts.")
    ] = None,
) -> None:
    """Build a report again from a timeline, without the video.

    Example: fleeting report results/interview/timeline.json --out interview.html
    """
    if out is not None and len(timelines) > 1:
        raise InputError("one timeline with --out", f"{len(timelines)} timelines", "Leave --out away, or give one.")
    from fleeting.settings import AnalyseSettings, load

    limits = (AnalyseSettings() if settings_file is None else load(AnalyseSettings, settings_file)).limits
    failed = 0
    for path in timelines:
        try:
            typer.echo(str(_build(path, out, limits, pictures=pictures, without_faces=without_faces)))
        except FleetingError as error:
            failed += 1
            typer.echo(f"error: {path}: {error}", err=True)
    if failed:
        raise typer.Exit(1)


def methods(
    results: Annotated[Path, typer.Argument(help="A film's folder of results, or a folder of such folders.")],
    style: Annotated[
        str, typer.Option("--format", "-f", help="Form of the output: text, markdown, latex or bibtex.")
    ] = "text",
) -> None:
    """Print the methods paragraph of a paper: settings, networks with their scores, quality and citations.

    text has the BibTeX entries below it; markdown and latex cite by key; bibtex prints the entries alone.

    Example: fleeting methods results --format latex
    """
    from fleeting.api import methods as write

    typer.echo(write(results, style=cast("Style", style)))


def _build(path: Path, out: Path | None, limits: LimitSettings, *, pictures: bool, without_faces: bool) -> Path:
    from fleeting.export.media import read_faces, read_media
    from fleeting.export.timeline_json import read_timeline
    from fleeting.report.build import build_report

    source = path / "timeline.json" if path.is_dir() else path
    timeline = read_timeline(source, limits=limits)
    store = source.with_name("media.npz")
    shown = pictures and store.exists()
    media = read_media(store, limits=limits) if shown else {}
    faces = read_faces(store, limits=limits) if shown else {}
    name = "report_without_faces.html" if without_faces else "report.html"
    return build_report(timeline, media, out or source.with_name(name), faces=faces, without_faces=without_faces)
