"""Writing a clip to a video file, with its truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.records import LID_KINDS
from fleeting.synthesis.clip import PortraitClip
from fleeting.synthesis.face.disturbances import Disturbances
from fleeting.synthesis.truth import TruthRow, truth_row
from fleeting.video.writer import ImageFolderWriter, VideoWriter

DEFAULT_CRF = 16
"""Compression of rendered clips: weak, as cameras in laboratories have it."""

DRAWING_THREADS = 2

Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number of all frames."""


def render_clip(
    clip: PortraitClip,
    path: str | Path,
    *,
    crf: float | None = DEFAULT_CRF,
    preset: str | None = None,
    progress: Progress | None = None,
) -> list[TruthRow]:
    """Write a clip, and return its truth in order of onset.

    Where frames are dropped, the others keep their times, so that a gap is left; the truth counts the frames that are
    there.

    Parameters
    ----------
    clip
        What to film.
    path
        A file whose suffix chooses the container (H.264), or a path without suffix for a folder of numbered png
        pictures, which lose nothing.
    crf
        Constant-rate factor of H.264; lower is better. A folder has none.
    preset
        Of x264, which trades its speed for size; None is its own choice (medium).
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
        Where a movement reaches over the end of the clip, or a folder of pictures, which has no times, is to leave a
        gap.
    """
    path = Path(path)
    settings = clip.settings
    rows = clip_truth(clip, path.name)
    kept = clip.disturbances.kept(len(clip))
    gaps = len(kept) < len(clip)
    if gaps and not path.suffix:
        raise SettingsError("a video file for a clip with dropped frames", f"the folder {path}", "Write an mp4 file.")
    size = (settings.width, settings.height)
    done = 0
    if path.suffix:
        with VideoWriter(path, fps=settings.fps, size=size, crf=crf, preset=preset) as film:
            for index, picture in _drawn_ahead(clip, kept):
                film.write(picture, time_s=index / settings.fps if gaps else None)
                done += 1
                if progress:
                    progress(done, len(kept))
        return rows
    with ImageFolderWriter(path) as folder:
        for _, picture in _drawn_ahead(clip, kept):
            folder.write(picture)
            done += 1
            if progress:
                progress(done, len(kept))
    return rows


def _drawn_ahead(clip: PortraitClip, frames: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Frames in order with their index, a few of them drawn ahead on other cores while one is being encoded."""
    ahead = 2 * DRAWING_THREADS
    with ThreadPoolExecutor(DRAWING_THREADS) as pool:
        coming = deque(pool.submit(clip.frame, i) for i in frames[:ahead])
        for place, index in enumerate(frames):
            picture = coming.popleft().result()
            if place + ahead < len(frames):
                coming.append(pool.submit(clip.frame, frames[place + ahead]))
            yield index, picture


def clip_truth(clip: PortraitClip, file: str) -> list[TruthRow]:
    """Rows of the truth file for a clip, in order of onset.

    Raises
    ------
    SettingsError
        Where a movement starts before the clip or reaches over its end.
    """
    rows = []
    for movement in clip.movements:
        peak = clip.blink_peak_percent_iod * movement.closure if movement.kind in LID_KINDS else None
        row = truth_row(movement, file=file, fps=clip.settings.fps, peak_percent_iod=peak)
        if movement.profile.onset_s < 0 or row.offset >= len(clip):
            raise SettingsError(
                f"movements within the clip of {clip.settings.seconds:g} s",
                f"one from {movement.profile.onset_s:.2f} to {movement.profile.offset_s:.2f} s",
                "Lengthen the clip, or move the event.",
            )
        rows.append(_without(row, clip.disturbances, clip.settings.fps) if clip.disturbances.dropped else row)
    return sorted(rows, key=lambda row: (row.onset, row.offset))


def _without(row: TruthRow, disturbances: Disturbances, fps: float) -> TruthRow:
    """Row of a film in which frames are missing: its frames are counted among those that are there.

    An onset that is missing is seen at the next frame, an offset at the last one, an apex at the nearest.
    """

    def missing_before(frame: int) -> int:
        return sum(d < frame for d in disturbances.dropped)

    onset, offset = row.onset, row.offset
    while onset in disturbances.dropped:
        onset += 1
    while offset in disturbances.dropped:
        offset -= 1
    apex = onset if row.apex is None else row.apex
    there = [f for f in range(onset, offset + 1) if f not in disturbances.dropped]
    if not there:
        raise SettingsError("a film that shows every movement", "one all of whose frames are dropped", "Drop fewer.")
    apex = min(there, key=lambda f: (abs(f - apex), f))
    frames = {name: f - missing_before(f) for name, f in (("onset", onset), ("apex", apex), ("offset", offset))}
    return replace(row, **frames, onset_s=onset / fps, apex_s=apex / fps, offset_s=offset / fps)  # type: ignore[arg-type]
