"""``fleeting synthesise``: clips whose every movement is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fleeting.errors import FleetingError, SettingsError


def synthesise(
    sources: Annotated[
        list[Path], typer.Argument(metavar="PORTRAIT_OR_VIDEO...", help="Pictures of a face, or videos of one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the clips and truth.csv.")] = Path(
        "fleeting-synthetic"
    ),
    events: Annotated[int, typer.Option(help="Expressions per clip.")] = 4,
    kind: Annotated[str, typer.Option(help="Kind of expressions: micro, macro or mixed.")] = "micro",
    percent: Annotated[
        str | None,
        typer.Option(
            help="Range of the largest displacement in percent of the distance between the eyes, such as 1-4.  "
            "[default: 0.8-4, and 3-6 for macro]"
        ),
    ] = None,
    emotions: Annotated[str | None, typer.Option(help="Emotions to draw from, separated by commas.")] = None,
    clips: Annotated[int, typer.Option(help="Clips per portrait or video.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the random choices; the same seed gives the same clips.")] = 0,
    crf: Annotated[float, typer.Option(help="Compression of H.264: 0 none, 16 weak, 28 strong.")] = 16.0,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second of a portrait's film, or of an image folder.  [default: 200]"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Length of a portrait's film in seconds.  [default: 10]")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Size of a portrait's film in pixels.  [default: 640x480]")] = None,
    iod: Annotated[
        float | None, typer.Option(help="Distance of the outer eye corners in pixels of the film.  [default: 100]")
    ] = None,
    blinks: Annotated[float | None, typer.Option(help="Blinks per minute of a portrait.  [default: 12]")] = None,
    drift: Annotated[
        float | None, typer.Option(help="Head movement of a portrait: 1 as in a person who sits, 0 none.  [default: 1]")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help="Sensor noise at mid grey, in grey levels, of a portrait's film.  [default: 1.3]"),
    ] = None,
    hard: Annotated[
        bool,
        typer.Option(
            "--hard",
            help="Disturb a portrait's film with gaze, head turns, speech, flicker and more; best with --crf 30.",
        ),
    ] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Write folders of png pictures, without loss, instead of videos.")
    ] = False,
) -> None:
    """Film a portrait, or put expressions into a video, with the exact truth beside it.

    Example: fleeting synthesise portrait.jpg --out clips --fps 200 --seconds 10 --events 4
    """
    from fleeting.cli.frame_progress import FrameProgress
    from fleeting.synthesis.synthesise import SynthesisSettings, expected_names, is_picture
    from fleeting.synthesis.synthesise import synthesise as make

    film: dict[str, Any] = {"seconds": seconds, "size": size, "iod": iod, "blinks": blinks, "drift": drift}
    film["noise"] = noise
    settings = SynthesisSettings(
        plan=_plan(events=events, kind=kind, percent=percent, emotions=emotions, blinks=blinks, hard=hard),
        clip=_clip(film, fps),
        clips=clips,
        crf=crf,
        pictures=pictures,
        hard=hard,
        seed=seed,
    )
    expected_names(sources, settings)
    failed = False
    for source in sources:
        try:
            still = is_picture(source)
            given = [name for name, value in film.items() if value is not None]
            if given and not still and source.exists():
                raise SettingsError(
                    "a portrait for " + ", ".join(f"--{n}" for n in given), f"{source}", "Leave it out."
                )
            progress = FrameProgress(source.name)
            for path in make(source, out, settings=settings, fps=None if still else fps, progress=progress):
                typer.echo(str(path))
        except FleetingError as error:
            failed = True
            typer.echo(f"error: {error}", err=True)
    if (out / "truth.csv").exists():
        typer.echo(f"truth: {out / 'truth.csv'}", err=True)
    if (out / "disturbances.csv").exists():
        typer.echo(f"disturbances: {out / 'disturbances.csv'}", err=True)
    if failed:
        raise typer.Exit(1)


def _plan(
    *, events: int, kind: str, percent: str | None, emotions: str | None, blinks: float | None, hard: bool
) -> Any:
    from fleeting.synthesis.plan import PlanSettings

    chosen: dict[str, Any] = {"events": events, "kind": kind, "odd_blinks": 0.3 if hard else 0.0}
    if percent is not None:
        chosen["percent"] = _pair(percent, "-", float, option="--percent", example="1-4")
    if emotions is not None:
        chosen["emotions"] = tuple(word.strip() for word in emotions.split(",") if word.strip())
    if blinks is not None:
        chosen["blinks_per_minute"] = blinks
    return PlanSettings(**chosen)


def _clip(film: dict[str, Any], fps: float | None) -> Any:
    from dataclasses import replace

    from fleeting.synthesis.camera import CameraSettings
    from fleeting.synthesis.clip import ClipSettings
    from fleeting.synthesis.face.head import HeadSettings

    chosen: dict[str, Any] = {}
    if fps is not None:
        chosen["fps"] = fps
    if film["seconds"] is not None:
        chosen["seconds"] = film["seconds"]
    if film["size"] is not None:
        chosen["width"], chosen["height"] = _pair(film["size"], "x", int, option="--size", example="640x480")
    if film["iod"] is not None:
        chosen["iod_px"] = film["iod"]
    if film["drift"] is not None:
        chosen["head"] = HeadSettings().times(film["drift"])
    if film["noise"] is not None:
        camera = CameraSettings()
        ratio = film["noise"] / (camera.read_noise**2 + camera.shot_noise**2) ** 0.5
        chosen["camera"] = replace(camera, read_noise=camera.read_noise * ratio, shot_noise=camera.shot_noise * ratio)
    return ClipSettings(**chosen)


def _pair(text: str, separator: str, kind: type, *, option: str, example: str) -> tuple[Any, Any]:
    parts = text.lower().split(separator)
    try:
        first, second = (kind(part) for part in parts)
    except ValueError:
        raise SettingsError(f"two numbers for {option}", f"'{text}'", f"Write it as {example}.") from None
    return first, second
