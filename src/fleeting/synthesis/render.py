"""Writing a clip to a video file, with its truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.synthesis.clip import PortraitClip
from fleeting.synthesis.truth import TruthRow, truth_row
from fleeting.video.writer import ImageFolderWriter, VideoWriter

DEFAULT_CRF = 16
"""Compression of rendered clips: weak, as cameras in laboratories have it."""

DRAWING_THREADS = 2

Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number of all frames."""


def render_clip(
    clip: PortraitClip, path: str | Path, *, crf: float | None = DEFAULT_CRF, progress: Progress | None = None
) -> list[TruthRow]:
    """Write a clip, and return its truth in order of onset.

    Parameters
    ----------
    clip
        What to film.
    path
        A file whose suffix chooses the container (H.264), or a path without suffix for a folder of numbered png
        pictures, which lose nothing.
    crf
        Constant-rate factor of H.264; lower is better. A folder has none.
    progress
        Told after every frame.

    Returns
    -------
    list of TruthRow
        Movements that begin within the clip; ``file`` is the name of `path`.

    Raises
    ------
    OutputError
        Where the disk refuses.
    SettingsError
        Where a movement reaches over the end of the clip.
    """
    path = Path(path)
    settings = clip.settings
    rows = clip_truth(clip, path.name)
    writer: VideoWriter | ImageFolderWriter
    if path.suffix:
        writer = VideoWriter(path, fps=settings.fps, size=(settings.width, settings.height), crf=crf)
    else:
        writer = ImageFolderWriter(path)
    with writer as film:
        for index, picture in enumerate(_drawn_ahead(clip)):
            film.write(picture)
            if progress:
                progress(index + 1, len(clip))
    return rows


def _drawn_ahead(clip: PortraitClip) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames in order, a few of them drawn ahead on other cores while one is being encoded."""
    with ThreadPoolExecutor(DRAWING_THREADS) as pool:
        coming = deque(pool.submit(clip.frame, i) for i in range(min(2 * DRAWING_THREADS, len(clip))))
        for index in range(len(clip)):
            picture = coming.popleft().result()
            if index + 2 * DRAWING_THREADS < len(clip):
                coming.append(pool.submit(clip.frame, index + 2 * DRAWING_THREADS))
            yield picture


def clip_truth(clip: PortraitClip, file: str) -> list[TruthRow]:
    """Rows of the truth file for a clip, in order of onset.

    Raises
    ------
    SettingsError
        Where a movement starts before the clip or reaches over its end.
    """
    rows = []
    for movement in clip.movements:
        peak = clip.blink_peak_percent_iod if movement.kind == "blink" else None
        row = truth_row(movement, file=file, fps=clip.settings.fps, peak_percent_iod=peak)
        if movement.profile.onset_s < 0 or row.offset >= len(clip):
            raise SettingsError(
                f"movements within the clip of {clip.settings.seconds:g} s",
                f"one from {movement.profile.onset_s:.2f} to {movement.profile.offset_s:.2f} s",
                "Lengthen the clip, or move the event.",
            )
        rows.append(row)
    return sorted(rows, key=lambda row: (row.onset, row.offset))
