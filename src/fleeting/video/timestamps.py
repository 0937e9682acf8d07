"""Presentation times that begin at zero and rise, whatever the file holds.

Stored timestamps may begin anywhere, be missing, repeat, or fall back where two recordings were joined. What is
sound is kept to the tick; the rest is repaired and counted, so that the user can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

MAX_REPEATS = 8
"""So many equal timestamps in a row are no stutter: the clock stands still, and frames are set at the nominal rate."""


class Clock:
    """Turn the timestamps of one pass, in order of presentation, into seconds.

    Parameters
    ----------
    time_base
        Seconds a tick.
    gap_s
        Seconds between frames where no timestamp says it.

    Attributes
    ----------
    repaired
        How many times were missing or did not rise.
    first_repair_s
        Where the first of them is.
    """

    def __init__(self, *, time_base: Fraction, gap_s: float) -> None:
        self.repaired = 0
        self.first_repair_s = 0.0
        self._time_base, self._gap_s = time_base, gap_s
        self._origin: int | None = None
        self._shift_s = 0.0
        self._last_s: float | None = None
        self._repeats = 0

    def time_s(self, tick: int | None) -> float:
        """Return the seconds of the next frame from its timestamp in ticks; None where it has none.

        A missing time is one gap after the last frame. A time that repeats is set half a gap after the last, the next a
        quarter, so that a sound time that follows keeps its place. A time that falls back by more than a gap begins a
        new count one gap after the last frame.
        """
        before = self._last_s
        if tick is None:
            now = self._repair(0.0 if before is None else before + self._gap_s)
        else:
            if self._origin is None:
                self._origin, self._shift_s = tick, 0.0 if before is None else before + self._gap_s
            now = float((tick - self._origin) * self._time_base) + self._shift_s
            if before is None or now > before:
                self._repeats = 0
            elif before - now > self._gap_s or self._repeats >= MAX_REPEATS:
                self._origin, self._shift_s = tick, before + self._gap_s
                now = self._repair(self._shift_s)
            else:
                self._repeats += 1
                now = self._repair(before + self._gap_s * 0.5**self._repeats)
        self._last_s = now
        return now

    def _repair(self, time_s: float) -> float:
        if not self.repaired:
            self.first_repair_s = time_s
        self.repaired += 1
        return time_s


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """The frame rate as timestamps tell it.

    Attributes
    ----------
    fps
        Frames a second from first to last; None where fewer than two frames have a time.
    variable
        Whether gaps differ by more than rounding to ticks does (up to two ticks, less where a gap has few ticks) and
        by more than a fiftieth of their median.
    gap_ticks
        Median gap, where at least nine of ten gaps are no more than that from it; else None.
    """

    fps: float | None
    variable: bool
    gap_ticks: float | None = None


def estimate_rate(ticks: Sequence[int], time_base: Fraction) -> RateEstimate:
    """Estimate the frame rate from timestamps in ticks, in any order."""
    times = np.unique(np.asarray(ticks, np.int64))
    if len(times) < 2:
        return RateEstimate(None, False)
    gaps = np.diff(times)
    fps = float((len(times) - 1) / (int(times[-1] - times[0]) * time_base))
    median = float(np.median(gaps))
    tolerance = max(min(2.0, median / 4), 0.02 * median)
    regular = float(np.mean(np.abs(gaps - median) <= tolerance)) >= 0.9
    return RateEstimate(fps, bool(gaps.max() - gaps.min() > tolerance), median if regular else None)
