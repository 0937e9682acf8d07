"""``fleeting magnify``: small movements of a video, enlarged so that people see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError


def magnify(
    video: Annotated[Path, typer.Argument(help="Video, or folder of numbered images.")],
    factor: Annotated[float, typer.Option(help="How many times larger a movement gets.")] = 8.0,
    band: Annotated[str, typer.Option(help="Frequencies of the movements to enlarge in Hz, LOW-HIGH.")] = "0.5-10",
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Video file to write, or a folder for NAME-magnified.mp4.")
    ] = Path("fleeting-output"),
    fps: Annotated[float | None, typer.Option(help="Frames per second of an image folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the file and its number of frames as JSON.")] = False,
) -> None:
    """Enlarge the small movements of a video. It works best if the head is still.

    Example: fleeting magnify interview.mp4 --factor 8 --band 0.5-10 --out magnified.mp4
    """
    from fleeting.cli.frame_progress import FrameProgress
    from fleeting.motion.magnify_video import magnify_video

    target = out if out.suffix and not out.is_dir() else out / f"{video.stem}-magnified.mp4"
    if target.resolve() == video.resolve():
        raise InputError("another file to write than to read", f"'{target}' for both", "Choose another --out.")
    frames = magnify_video(
        video,
        target,
        factor=factor,
        band_hz=_band(band),
        fps=fps,
        progress=FrameProgress(video.name, quiet=as_json),
    )
    typer.echo(json.dumps({"file": str(target), "frames": frames}) if as_json else f"{target}: {frames} frames")


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split("-"))
    except ValueError:
        raise InputError("a band LOW-HIGH in Hz", f"'{text}'", "Write for example --band 0.5-10.") from None
    return low, high
