"""A whole video with its movements enlarged, as a new video file."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from pathlib import Path

from fleeting.errors import FleetingWarning, VideoError
from fleeting.motion.magnification import Magnifier
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter


def magnify_video(
    path: str | Path,
    out: str | Path,
    *,
    factor: float = 8.0,
    band_hz: tuple[float, float] = (0.5, 10.0),
    fps: float | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> int:
    """Write a copy of a video in which small movements are enlarged; sound is not kept.

    One frame is held at a time. Everything that moves is enlarged, the head too: a still head shows the face best.

    Parameters
    ----------
    path
        Video file or folder of numbered images.
    out
        File to write; its suffix chooses the container. It appears only once it is complete.
    factor
        How many times larger a movement gets.
    band_hz
        Lower and upper end of the band of movements, in Hz.
    fps
        Frames per second of an image folder.
    progress
        Called after each frame with the number done and the number that the header claims, if it does.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    VideoError
        Where the video cannot be read.
    InputError
        Where factor or band make no sense, or the picture is too small.
    OutputError
        Where the file cannot be written.

    Warns
    -----
    FleetingWarning
        For a variable frame rate: the band is then off by as much as the rate varies.
    """
    done = 0
    with open_video(path, fps=fps) as reader:
        info = reader.info
        magnifier = Magnifier(info.fps, factor=factor, low_hz=band_hz[0], high_hz=band_hz[1])
        if info.variable_frame_rate:
            warnings.warn(
                f"{info.name} has a variable frame rate; the band of {band_hz[0]:g} to {band_hz[1]:g} Hz holds for its"
                f" average of {info.fps:g} frames/s.",
                FleetingWarning,
                stacklevel=2,
            )
        frames = iter(reader)
        first = next(frames, None)
        if first is None:
            raise VideoError("a video with frames", f"{info.path} without any", "Check the file in a video player.")
        # The usual pixel format stores colour at half the size, so odd sides lose a row or column.
        height, width = (side - side % 2 for side in first.rgb.shape[:2])
        with VideoWriter(out, fps=info.fps, size=(width, height)) as writer:
            for frame in itertools.chain([first], frames):
                writer.write(magnifier.step(frame.rgb)[:height, :width], time_s=frame.time_s)
                done += 1
                if progress is not None:
                    progress(done, info.frame_count)
    return done
