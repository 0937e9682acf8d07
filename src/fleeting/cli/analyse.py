"""``fleeting analyse``: from videos to timelines, reports and files."""

from __future__ import annotations

import glob
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleeting.errors import InputError
from fleeting.settings import FLOW_METHODS, AnalyseSettings

if TYPE_CHECKING:
    from fleeting.api import Outcome


def analyse(
    videos: Annotated[list[str], typer.Argument(help="Videos, globs, or folders of numbered images.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results: OUT/NAME/.")] = Path(
        "fleeting-output"
    ),
    formats: Annotated[
        str | None,
        typer.Option("--format", help="Files to write, separated by commas: report,csv,json,... All where not given."),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second of image folders.")] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Analyse every face, not the largest alone.")] = False,
    flow: Annotated[str | None, typer.Option(help=f"Flow method: {', '.join(FLOW_METHODS)}.")] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="Settings as TOML.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Analyse videos that are finished already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per video.")] = False,
) -> None:
    """Find the micro-expressions of videos: a timeline, a report and annotation files for each.

    Example: fleeting analyse interview.mp4 --out results
    """
    from fleeting.api import analyse_many

    settings = _settings(settings_file, all_faces=all_faces, flow=flow)
    paths = _expand(videos)
    display = _Display(as_json=as_json)
    chosen = [f.strip() for f in formats.split(",") if f.strip()] if formats else None
    outcomes = analyse_many(
        paths,
        out=out,
        settings=settings,
        fps=fps,
        formats=chosen,
        force=force,
        on_start=display.start,
        progress=display.progress,
        on_done=display.done,
    )
    failed = [o for o in outcomes if o.error is not None]
    if failed:
        typer.echo(f"{len(failed)} of {len(outcomes)} failed:", err=True)
        for outcome in failed:
            typer.echo(f"  {outcome.path}: {outcome.error}", err=True)
        raise typer.Exit(1)


def _settings(path: Path | None, *, all_faces: bool, flow: str | None) -> AnalyseSettings:
    from fleeting.settings import from_dict, load, to_dict

    values = to_dict(load(AnalyseSettings, path) if path is not None else AnalyseSettings())
    if all_faces:
        values["faces"]["all_faces"] = True
    if flow is not None:
        values["motion"]["flow"] = flow
    return from_dict(AnalyseSettings, values)


def _expand(patterns: list[str]) -> list[Path]:
    """Files that the arguments name; a pattern that the shell left alone is expanded here."""
    paths: list[Path] = []
    for pattern in patterns:
        found = sorted(glob.glob(pattern, recursive=True)) if any(c in pattern for c in "*?[") else []
        if found:
            paths += [Path(p) for p in found]
        elif any(c in pattern for c in "*?[") and not Path(pattern).exists():
            raise InputError("a pattern that matches a file", f"'{pattern}' without a match", "Check the path.")
        else:
            paths.append(Path(pattern))
    unique = list(dict.fromkeys(p.resolve() for p in paths))
    by_resolved = {p.resolve(): p for p in reversed(paths)}
    return [by_resolved[p] for p in unique]


class _Display:
    """Progress: a line that rewrites itself on a terminal, plain lines in a log."""

    def __init__(self, *, as_json: bool) -> None:
        import sys

        self._live = sys.stderr.isatty() and not as_json
        self._json = as_json
        self._began = self._shown = 0.0

    def start(self, path: Path, place: int, count: int) -> None:
        self._began = self._shown = time.monotonic()
        if not self._json:
            typer.echo(f"[{place + 1}/{count}] {path}", err=True)

    def progress(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if self._json or (done != total and now - self._shown < (0.2 if self._live else 10.0)):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-6)
        left = f", {max(total - done, 0) / rate:.0f} s left" if total else ""
        of = f" of {total}" if total else ""
        text = f"  {done}{of} frames, {rate:.0f} frames/s{left}"
        if self._live:
            typer.echo(f"\r\x1b[K{text}", err=True, nl=done == total)
        else:
            typer.echo(text, err=True)

    def done(self, outcome: Outcome) -> None:
        if self._live:
            typer.echo("\r\x1b[K", err=True, nl=False)
        if self._json:
            typer.echo(_json_line(outcome))
        elif outcome.skipped:
            typer.echo(f"  finished before, skipped: {outcome.folder} (--force analyses it again)", err=True)
        elif outcome.error is not None:
            typer.echo(f"  failed: {outcome.error}", err=True)
        elif outcome.timeline is not None:
            _summary(outcome)


def _summary(outcome: Outcome) -> None:
    timeline = outcome.timeline
    assert timeline is not None
    counts = {kind: len(timeline.of_kind(kind)) for kind in ("micro", "macro", "blink")}
    typer.echo(
        f"{outcome.path}: {counts['micro']} micro-expression(s), {counts['macro']} macro-expression(s), "
        f"{counts['blink']} blink(s) in {timeline.duration_s:.1f} s"
    )
    for event in timeline.events:
        if event.kind != "blink":
            chance = f" {event.emotion} ({event.probability:.0%})" if event.emotion and event.probability else ""
            typer.echo(
                f"  {event.kind} {event.onset_s:.3f} - {event.apex_s:.3f} - {event.offset_s:.3f} s{chance}, "
                f"{event.displacement_percent_iod:.1f} % of the eye distance, {', '.join(event.regions[:3])}"
            )
    report = outcome.folder / "report.html"
    typer.echo(f"  results: {report if report.exists() else outcome.folder}")


def _json_line(outcome: Outcome) -> str:
    import json

    row: dict[str, object] = {"path": str(outcome.path), "folder": str(outcome.folder), "skipped": outcome.skipped}
    row["error"] = outcome.error
    if outcome.timeline is not None:
        row["events"] = {k: len(outcome.timeline.of_kind(k)) for k in ("micro", "macro", "blink")}
    return json.dumps(row)
