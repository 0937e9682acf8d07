"""Opening a video: a file, or a folder of numbered images."""

from __future__ import annotations

from pathlib import Path

from fleeting.settings import LimitSettings
from fleeting.video import trouble
from fleeting.video.file_reader import FileReader
from fleeting.video.folder import FolderReader
from fleeting.video.stream import VideoReader


def open_video(path: str | Path, *, fps: float | None = None, limits: LimitSettings | None = None) -> VideoReader:
    """Open a video file or a folder of numbered images.

    Parameters
    ----------
    path
        Any file that FFmpeg reads, or a folder.
    fps
        Frames per second. A folder needs it. For a file it replaces the stored times: cameras for high speed often
        store 200 frames/s as if they were 25.
    limits
        See `settings.LimitSettings`.

    Raises
    ------
    VideoError
        Where it is no usable video; says what was expected, what came and what to do.
    """
    path = Path(path)
    trouble.check_rate(fps)
    trouble.check_path(path)
    kind = FolderReader if path.is_dir() else FileReader
    return kind(path, fps=fps, limits=limits or LimitSettings())
