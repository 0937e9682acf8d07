"""Moments of a recording in which nothing happens, where a movement can be put to see whether it is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_HEIGHT, CANONICAL_WIDTH
from fleeting.records import Event
from fleeting.spotting.measurements import Measurements

GUARD_S = 0.25
"""Seconds kept clear on either side of every event that was found."""

HEAD_SPEED = 60.0
"""Percent of the inter-ocular distance per second, about 5 cm/s: from there on the head counts as moving quickly."""

HEAD_LAG_S = 0.1
"""Seconds over which that speed is taken: over single frames it would be noise."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Where a recording is quiet.

    Attributes
    ----------
    frames
        (n,) bool.
    head_moves
        (n,) bool: frames with a face whose head moves quickly.
    stretches
        First and last frame of each stretch of quiet frames of one run.
    """

    frames: npt.NDArray[np.bool_]
    head_moves: npt.NDArray[np.bool_]
    stretches: tuple[tuple[int, int], ...]

    @property
    def share(self) -> float:
        """Share of all frames that are quiet."""
        return float(self.frames.mean()) if len(self.frames) else 0.0


def find_quiet(measured: Measurements, events: Sequence[Event], *, iod_px: float) -> Quiet:
    """Find the quiet moments of one face.

    Parameters
    ----------
    measured
        The face over the whole recording.
    events
        All that was found of it, blinks and winks among them.
    iod_px
        Its inter-ocular distance in pixels of the frame.
    """
    time_s = measured.time_s
    head_moves = _head_speed(measured, iod_px) > HEAD_SPEED
    quiet = (measured.run >= 0) & ~head_moves
    for event in events:
        quiet &= (time_s < event.onset_s - GUARD_S) | (time_s > event.offset_s + GUARD_S)
    stretches = []
    for run in measured.runs():
        edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet[run].astype(np.int8), [0]])))
        stretches += [(run.start + int(a), run.start + int(b) - 1) for a, b in edges.reshape(-1, 2)]
    return Quiet(quiet, head_moves, tuple(stretches))


def _head_speed(measured: Measurements, iod_px: float) -> npt.NDArray[np.float64]:
    """(n,) percent of the inter-ocular distance per second; NaN without a face, 0 where a run is too short for it."""
    # Any fixed point of the crop will do: it says where that point of the face is in the frame.
    where = np.full((len(measured.time_s), 2), np.nan)
    seen = measured.run >= 0
    to_crop = measured.transform[seen]
    centre = np.array([CANONICAL_WIDTH / 2, CANONICAL_HEIGHT / 2])
    where[seen] = np.linalg.solve(to_crop[:, :, :2], (centre - to_crop[:, :, 2])[..., None])[..., 0]
    speed = np.full(len(where), np.nan)
    for run in measured.runs():
        times, path = measured.time_s[run], where[run]
        speed[run] = 0.0
        if len(times) < 3 or times[-1] - times[0] < HEAD_LAG_S:
            continue
        before = np.clip(times - HEAD_LAG_S / 2, times[0], times[-1] - HEAD_LAG_S)
        ends = [np.stack([np.interp(t, times, c) for c in path.T], axis=1) for t in (before, before + HEAD_LAG_S)]
        speed[run] = 100.0 / iod_px * np.linalg.norm(ends[1] - ends[0], axis=1) / HEAD_LAG_S
    return speed
