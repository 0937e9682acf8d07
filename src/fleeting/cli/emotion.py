"""``fleeting emotion``: the expression of every face in pictures and videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleeting.cli.frame_progress import FrameProgress
from fleeting.errors import FleetingError
from fleeting.labels import counted

if TYPE_CHECKING:
    from fleeting.expressions.readings import Emotions, Reading


def emotion(
    inputs: Annotated[list[Path], typer.Argument(help="Pictures, videos, or folders of both.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results: OUT/NAME.emotion.csv and .json.")] = (
        Path("fleeting-output")
    ),
    render: Annotated[
        bool, typer.Option("--render", help="Also write each input with the expressions drawn on it.")
    ] = False,
    per_second: Annotated[
        float | None, typer.Option(help="How many times per second of video to read each face.  [default: every frame]")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of a folder of numbered images, which is then read as one clip."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per input.")] = False,
) -> None:
    """Read the expressions of faces: seven classes with calibrated probabilities per face and frame.

    The result says what a face looks like, not what a person feels. The exit status is 0 only if every input could be
    read.

    Example: fleeting emotion portrait.jpg --out results --render
    """
    from fleeting.expressions.files import emotion as read
    from fleeting.results import check_writable, result_names

    check_writable(out)
    failed = False
    for path, name in zip(inputs, result_names(inputs), strict=True):
        unit = "files" if path.is_dir() and fps is None else "frames"
        display = FrameProgress(str(path), quiet=as_json, unit=unit)
        try:
            found = read(path, out=out, render=render, per_second=per_second, fps=fps, name=name, progress=display)
        except FleetingError as error:
            if len(inputs) == 1:
                raise
            failed = True
            typer.echo(f"error: {path}: {error}", err=True)
            continue
        finally:
            display.end()
        failed |= bool(found.failed) or not found.faces
        results = out / f"{name}.emotion.csv"
        if as_json:
            typer.echo(json.dumps(_line(found, results)))
        else:
            _show(found, results)
    if failed:
        raise typer.Exit(1)


def _line(found: Emotions, results: Path) -> dict[str, object]:
    return {
        "input": found.name,
        "sources": len(found.sources),
        "readings": found.faces,
        "without_a_face": [s.name for s in found.sources if s.error is None and not s.readings],
        "failed": {s.name: s.error for s in found.failed},
        "results": str(results),
    }


def _show(found: Emotions, results: Path) -> None:
    from collections import Counter

    for source in found.sources:
        if source.error is not None:
            typer.echo(f"error: {source.name}: {source.error}", err=True)
        elif not source.readings:
            typer.echo(f"warning: {source.name}: no face", err=True)
    if len(found.sources) == 1 and not found.sources[0].video:
        for reading in found.sources[0].readings:
            typer.echo(f"  face {reading.face}: {_said(reading)}")
    else:
        counts = Counter(r.expression or "turned too far" for s in found.sources for r in s.readings)
        most = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        typer.echo(f"  {counted(found.faces, 'reading')} in {counted(len(found.sources), 'file')}: {most or 'none'}")
    typer.echo(f"  results: {results}")


def _said(reading: Reading) -> str:
    return "turned too far" if reading.probability is None else f"{reading.expression} ({reading.probability:.0%})"
