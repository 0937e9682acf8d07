"""``fleeting calibrate``: how small a movement a recording can show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleeting.cli.frame_progress import FrameProgress

if TYPE_CHECKING:
    from fleeting.records import Calibration


def calibrate(
    video: Annotated[Path, typer.Argument(help="A video, or a folder of numbered images.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the results; the calibration is added to OUT/NAME/.")
    ] = Path("fleeting-output"),
    trials: Annotated[int, typer.Option(help="Number of movements to put in; more give a more exact result.")] = 120,
    seed: Annotated[int, typer.Option(help="Seed of the random movements.")] = 0,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of an image folder, or at which a slow-motion film was shot."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="TOML file of settings.  [default: those of the results]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON.")] = False,
) -> None:
    """Measure how small a movement a recording can show, by putting movements of known size into it.

    The video is analysed first, unless OUT already has its results.

    Example: fleeting calibrate interview.mp4 --out results
    """
    from fleeting.api import calibrate as measure
    from fleeting.api import result_folder
    from fleeting.settings import AnalyseSettings, load

    settings = None if settings_file is None else load(AnalyseSettings, settings_file)
    display = FrameProgress(str(video), quiet=as_json)
    try:
        found = measure(video, out=out, trials=trials, seed=seed, settings=settings, fps=fps, progress=display)
    finally:
        display.end()
    if as_json:
        import json

        from fleeting.export.timeline_json import calibration_json

        typer.echo(json.dumps(calibration_json(found)))
        return
    _show(found, video)
    folder = result_folder(video, out)
    report = folder / "report.html"
    typer.echo(f"  results: {report if report.exists() else folder}")


def _show(found: Calibration, video: Path) -> None:
    typer.echo(f"{video}: {found.summary}")
    typer.echo("  size in % of the eye distance   found          95 % interval   noticed at all")
    for low, high, count, hits, noticed, least, most in found.bins:
        typer.echo(
            f"  {f'{low:.2f} to {high:.2f}':<31} {f'{hits} of {count}':<14} {f'{least:.0%} to {most:.0%}':<15} "
            f"{noticed} of {count}"
        )
    for text in found.limits:
        typer.echo(f"  - {text}")
