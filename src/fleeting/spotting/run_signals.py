"""The evenly spaced signals of one run, from which candidates are taken and judged.

A long run is cut into parts that overlap, so that memory does not grow with the film.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_IOD
from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import USUAL_WINDOW_S, shutness, usual_opening
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.measurements import Measurements, StoredMeasurements
from fleeting.spotting.rest import (
    Array,
    Real,
    resample,
    robust_deviation,
    running_median,
    sample_period,
    smooth,
    uniform_times,
)

MICRO_REST_S = 1.3
"""Window of the rest position for micro-expressions: more than twice the longest one."""

CLOSED_REST_S = 2.0

NOISE_FLOOR = 0.04
"""Percent of the inter-ocular distance: no flow is more exact than this, however quiet the recording."""

BEGINNING_S = 0.2
"""Of a recording too short for a running median, the beginning is taken for rest: so clips of expressions are cut."""

ENOUGH_SAMPLES = 20_000
"""Samples of a long recording from which its noise is read."""

LEAST_RESIDUAL_PX = 0.02

MOST_SAMPLES = 9_000
"""Samples of a run that are worked on at once: five minutes at 30 frames/s, one and a half at 100 and more."""

MARGIN_S = 15.0
"""So much of a run is seen before and after a part of it; what is asked of a moment never reaches further."""


class Part(NamedTuple):
    """A part of a run: all its frames, and those among them that no other part answers for."""

    frames: slice
    own: slice


class RunSignals:
    """Signals of one run, or of a part of it.

    Parameters
    ----------
    measured
        The face over the whole video.
    part
        Of the run.
    settings
        Smoothing and durations.
    least_open
        (2,) of `blinks.least_opening`, over the whole video.

    Attributes
    ----------
    first, own
        First frame, and the frames of `Part.own`.
    grid
        (m,) evenly spaced times in seconds; `period` apart.
    quick, slow
        (m, c, 2) displacement of every cell against its rest, percent of the inter-ocular distance: rest over
        `MICRO_REST_S`, and over twice the longest macro-expression.
    closed
        (m, 2) share of each eye's opening of the last seconds that is lost: what the judge sees.
    shut
        (m, 2) share of the way from this person's open eye to a shut one, of `blinks.shutness`.
    unrest
        (m,) 1 where the head's motion fits as usual, more where it fits badly.
    head
        (m, 7) against its own rest: yaw, pitch and roll in degrees, place right and down in percent of the inter-ocular
        distance, size in percent, opening of the mouth in percent of its width.
    """

    def __init__(
        self, measured: Measurements | StoredMeasurements, part: Part, settings: SpottingSettings, least_open: Array
    ) -> None:
        self.first, self.own = part.frames.start, part.own
        seen = measured.part(part.frames)
        self.time_s = seen.time_s
        self.grid = uniform_times(self.time_s)
        self.period = sample_period(self.time_s)
        sigma = settings.smoothing_s / self.period
        place = resample(seen.displacement, self.time_s, self.grid)
        place = smooth(place, sigma)
        self.quick = place - running_median(place, self.period, MICRO_REST_S)
        self.slow = place - _long_rest(place, self.period, 2 * settings.max_macro_s)
        del place  # 368 bytes a sample: in a long recording, copies of it are most of the memory
        eyes = resample(seen.eye_opening, self.time_s, self.grid)
        self.closed = smooth(_closed(eyes, self.period), sigma / 2)
        reach = (self.grid[0] - USUAL_WINDOW_S / 2, self.grid[-1] + USUAL_WINDOW_S / 2)
        around = measured.part(slice(*(np.searchsorted(measured.time_s, reach) + (0, 1)).tolist()))
        usual = usual_opening(around.eye_opening, around.time_s, self.grid, least_open)
        self.shut = smooth(shutness(eyes, usual), sigma / 2)
        residual = resample(seen.residual_px, self.time_s, self.grid)
        self.unrest = np.maximum(1.0, residual / (1.5 * max(float(np.median(residual)), LEAST_RESIDUAL_PX)))
        head = smooth(resample(_head(seen), self.time_s, self.grid), sigma)
        self.head = head - running_median(head, self.period, MICRO_REST_S)

    def __len__(self) -> int:
        return len(self.grid)

    def frame(self, sample: int) -> int:
        """Frame of the video that is nearest in time to a sample."""
        return int(self.first + np.argmin(np.abs(self.time_s - self.grid[min(sample, len(self.grid) - 1)])))

    def owned(self) -> slice:
        """Return the samples of the frames that no other part answers for."""
        begin, end = self.own.start - self.first, self.own.stop - self.first
        first = 0 if begin <= 0 else int(np.searchsorted(self.grid, self.time_s[begin]))
        last = len(self.grid) if end >= len(self.time_s) else int(np.searchsorted(self.grid, self.time_s[end]))
        return slice(first, last)


class Runs(Sequence[RunSignals]):
    """Signals of all runs that are long enough to hold a movement, long ones in parts.

    They are made when they are asked for, and all kept only where they are few.

    Parameters
    ----------
    measured
        The face over the whole video.
    settings
        Smoothing and durations.
    """

    def __init__(self, measured: Measurements | StoredMeasurements, settings: SpottingSettings) -> None:
        self._measured, self._settings = measured, settings
        self._parts: list[Part] = []
        self._made: dict[int, RunSignals] = {}
        self.samples = 0
        for frames in measured.runs():
            grid = uniform_times(measured.time_s[frames])
            if frames.stop - frames.start >= 4 and grid[-1] - grid[0] >= 2 * settings.min_duration_s:
                self._parts += _parts(frames, measured.time_s, -(-len(grid) // MOST_SAMPLES))
                self.samples += len(grid)
        self._least_open = measured.least_opening() if self._parts else np.zeros(2)

    def __len__(self) -> int:
        return len(self._parts)

    @overload
    def __getitem__(self, place: int) -> RunSignals: ...

    @overload
    def __getitem__(self, place: slice) -> list[RunSignals]: ...

    def __getitem__(self, place: int | slice) -> RunSignals | list[RunSignals]:
        if isinstance(place, slice):
            return [self[i] for i in range(len(self))[place]]
        place = range(len(self))[place]
        if place not in self._made:
            if self.samples > MOST_SAMPLES:
                self._made.clear()
            self._made[place] = RunSignals(self._measured, self._parts[place], self._settings, self._least_open)
        return self._made[place]


def _parts(frames: slice, time_s: Array, count: int) -> list[Part]:
    """Cut a run into parts of the same length."""
    borders = np.linspace(frames.start, frames.stop, count + 1).round().astype(int).tolist()
    parts = []
    for first, stop in zip(borders, borders[1:], strict=False):
        seen = np.searchsorted(time_s, (time_s[first] - MARGIN_S, time_s[stop - 1] + MARGIN_S)).tolist()
        parts.append(Part(slice(max(seen[0], frames.start), min(seen[1], frames.stop)), slice(first, stop)))
    return parts


def noise_of(runs: Runs) -> Array:
    """(c,) the recording's own noise of one component of each cell, over all runs together."""
    if not runs:
        return np.full(len(CELL_REGION), np.nan)
    step = max(1, runs.samples // ENOUGH_SAMPLES)
    together = np.concatenate([run.quick[run.owned()][::step] for run in runs])
    return np.asarray(np.maximum(robust_deviation(together).mean(axis=1), NOISE_FLOOR), np.float64)


def _head(seen: Measurements) -> npt.NDArray[np.float64]:
    transform = np.asarray(seen.transform, np.float64)
    scale = np.sqrt(np.abs(np.linalg.det(transform[:, :, :2])))
    # Where the crop's origin lies in the frame: its motion is the face's, in units of the face's own size.
    place = -np.einsum("nij,nj->ni", np.linalg.inv(transform[:, :, :2]), transform[:, :, 2])
    unit = CANONICAL_IOD / float(np.median(scale))
    parts = [
        seen.pose,
        100 * place / unit,
        100 * np.log(np.median(scale) / scale)[:, None],
        100 * seen.mouth_opening[:, None],
    ]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _closed(eye_opening: Real, period_s: float) -> Array:
    opening = np.asarray(eye_opening, np.float64)
    return np.asarray(1.0 - opening / np.maximum(running_median(opening, period_s, CLOSED_REST_S), 0.08))


def _long_rest(place: Real, period_s: float, window_s: float) -> Real:
    """Rest for macro-expressions: the running median where the run is long enough to know it, else its beginning."""
    if len(place) * period_s >= window_s:
        return running_median(place, period_s, window_s)
    first = place[: max(1, round(BEGINNING_S / period_s))]
    return np.broadcast_to(np.median(first, axis=0), place.shape)
