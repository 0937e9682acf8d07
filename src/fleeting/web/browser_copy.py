"""A film for watching: whether a browser plays the file itself, and a copy with the same times where it does not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import av

from fleeting.errors import FleetingError
from fleeting.video.decoding import open_stream
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter
from fleeting.web import views

WIDEST = 1280
"""Pixels; a copy is for watching, the frames are there for coding."""

PLAYED = {
    "mov,mp4,m4a,3gp,3g2,mj2": frozenset({"h264", "vp9", "libdav1d", "av1"}),
    "matroska,webm": frozenset({"vp8", "libvpx", "vp9", "libdav1d", "av1"}),
}
"""Codecs by container that browsers play."""

PIXELS = frozenset({"yuv420p", "yuvj420p"})


def plays(path: Path) -> bool:
    """Whether browsers play a file as it is."""
    return _plays(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _plays(path: Path, _: int) -> bool:
    try:
        with open_stream(path) as (container, stream):
            name = container.format.name
            known = PLAYED.get(name, frozenset())
            if name == "matroska,webm" and path.suffix.lower() != ".webm":
                return False
            return stream.codec_context.name in known and str(stream.codec_context.pix_fmt) in PIXELS
    except (FleetingError, OSError, av.FFmpegError):
        return False


def copy_path(folder: Path, film: str, path: Path, fps: float | None, turn: int) -> Path:
    """Return the path of a film's copy; another one where the film, its rate or its turn has changed."""
    found = path.stat()
    key = hashlib.sha256(f"{found.st_mtime_ns} {found.st_size} {fps} {turn}".encode()).hexdigest()[:12]
    return folder / f"{film}-{key}.mp4"


def make_copy(
    video: Path, target: Path, *, fps: float | None, turn: int, progress: Callable[[int, int | None], Any]
) -> None:
    """Write a copy that browsers play (H.264, a key frame each second) with the times of the original.

    Raises
    ------
    VideoError
        Where the film cannot be read.
    OutputError
        Where the disk refuses.
    """
    with open_video(video, fps=fps or (25.0 if video.is_dir() else None)) as reader:
        if turn in (90, 180, 270):
            reader.turn(turn)
        info = reader.info
        width = min(info.width, WIDEST)
        size = (width - width % 2, max(round(info.height * width / info.width) // 2 * 2, 2))
        with VideoWriter(target, fps=info.fps, size=size, crf=21, preset="veryfast") as writer:
            for frame in reader:
                picture = views.whole(frame.rgb, width)[: size[1], : size[0]]
                writer.write(views.padded(picture, size), time_s=frame.time_s)
                progress(frame.index + 1, info.frame_count)
