"""``fleeting live``: events of a camera, or of a file played at its own pace, while they happen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleeting.cli.analyse import TURN_HELP, found_text, units_text
from fleeting.errors import SettingsError
from fleeting.labels import class_text, counted

if TYPE_CHECKING:
    from fleeting.live.live import LiveAnalysis, Told
    from fleeting.video.live_source import LiveSource


def live(
    source: Annotated[
        str, typer.Argument(help="Number of a camera, camera:NAME, or a video that is played as if it happened now.")
    ] = "0",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save the results at the end, in OUT/live-DATE-TIME/.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after this many seconds.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second to ask the camera for.")] = None,
    size: Annotated[str | None, typer.Option(help="Picture size to ask the camera for, such as 640x480.")] = None,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="TOML file of settings.")] = None,
    all_faces: Annotated[bool, typer.Option("--all-faces", help="Report every face, not only the largest.")] = False,
    face: Annotated[int | None, typer.Option(help="Report only the face with this number.")] = None,
    turn: Annotated[str | None, typer.Option(help=TURN_HELP)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line per event.")] = False,
) -> None:
    """Report micro-expressions while they happen, about a second after each has ended.

    Ctrl-C stops it; the results are then saved if --out is given. Frames that come too fast for this machine
    are left out and counted.

    Example: fleeting live interview.mp4 --out results
    """
    from contextlib import closing

    from fleeting.cli.analyse import _settings
    from fleeting.live.live import LiveAnalysis, stand_upright, steps
    from fleeting.results import check_writable

    settings = _settings(settings_file, all_faces=all_faces, face=face, flow=None, turn=turn)
    if out is not None:
        check_writable(out)
    origin = _open(source, fps, size)
    stand_upright(origin, settings.faces)
    analysis = LiveAnalysis(origin.info, settings=settings, late_s=origin.late_s)
    info = origin.info
    typer.echo(f"{info.name}: {info.width}x{info.height}, {info.fps:.4g} frames/s. Ctrl-C stops.", err=True)
    try:
        with closing(steps(origin, analysis)) as running:
            for frame, seen in running:
                _show(analysis.add(frame, seen), as_json=as_json)
                if seconds is not None and frame.time_s >= seconds:
                    break
    except KeyboardInterrupt:
        typer.echo("stopped.", err=True)
    _show(analysis.end(), as_json=as_json)
    _finish(analysis, origin, out)


def _open(source: str, fps: float | None, size: str | None) -> LiveSource:
    from fleeting.cli.synthesise import _pair
    from fleeting.video.live_source import Camera, Playback

    if not source.isdigit() and not source.startswith("camera:"):
        if size is not None:
            raise SettingsError("a camera for --size", source, "Leave it out; a file has its own size.")
        return Playback(source, fps=fps)
    width_height: Any = None if size is None else _pair(size, "x", int, option="--size", example="640x480")
    return Camera(int(source) if source.isdigit() else source.removeprefix("camera:"), fps=fps, size=width_height)


def _show(told: list[Told], *, as_json: bool) -> None:
    for one in told:
        event = one.event
        if as_json:
            import json
            from dataclasses import asdict

            typer.echo(json.dumps({**asdict(event), "delay_s": round(one.delay_s, 3)}))
            continue
        named = class_text(event.emotion, event.probability)
        chance = f", {named}" if named else ""
        chance += f", contradicts the face around it ({event.surrounding})" if event.contradicts else ""
        typer.echo(
            f"{event.onset_s:8.2f} s  {event.kind} of {event.duration_s:.2f} s{chance}{units_text(event)}, "
            f"{event.displacement_percent_iod:.1f} % of the eye distance, {', '.join(event.regions[:3])}"
        )


def _finish(analysis: LiveAnalysis, origin: LiveSource, out: Path | None) -> None:
    timeline = analysis.timeline(dropped=origin.dropped)
    frames = counted(timeline.frame_count, "frame")
    typer.echo(f"{found_text(timeline)}; {frames}, {origin.dropped} left out", err=True)
    if out is not None:
        from fleeting.api import save_live

        typer.echo(f"results: {save_live(timeline, out)}", err=True)
