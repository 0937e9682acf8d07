"""The evenly spaced signals of one run, from which candidates are taken and judged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_IOD
from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import shutness, usual_opening
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.measurements import Measurements
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


class RunSignals:
    """Signals of one run.

    Parameters
    ----------
    measured
        The face over the whole video.
    frames
        Of the run.
    settings
        Smoothing and durations.

    Attributes
    ----------
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

    def __init__(self, measured: Measurements, frames: slice, settings: SpottingSettings) -> None:
        self.first = frames.start
        self.time_s = measured.time_s[frames]
        self.grid = uniform_times(self.time_s)
        self.period = sample_period(self.time_s)
        sigma = settings.smoothing_s / self.period
        place = resample(measured.displacement[frames], self.time_s, self.grid)
        place = smooth(place, sigma)
        self.quick = place - running_median(place, self.period, MICRO_REST_S)
        self.slow = place - _long_rest(place, self.period, 2 * settings.max_macro_s)
        del place  # 368 bytes a sample: in a long recording, copies of it are most of the memory
        eyes = resample(measured.eye_opening[frames], self.time_s, self.grid)
        self.closed = smooth(_closed(eyes, self.period), sigma / 2)
        usual = usual_opening(measured.eye_opening, measured.time_s, self.grid)
        self.shut = smooth(shutness(eyes, usual), sigma / 2)
        residual = resample(measured.residual_px[frames], self.time_s, self.grid)
        self.unrest = np.maximum(1.0, residual / (1.5 * max(float(np.median(residual)), LEAST_RESIDUAL_PX)))
        head = smooth(resample(_head(measured, frames), self.time_s, self.grid), sigma)
        self.head = head - running_median(head, self.period, MICRO_REST_S)

    def __len__(self) -> int:
        return len(self.grid)

    def frame(self, sample: int) -> int:
        """Frame of the video that is nearest in time to a sample."""
        return int(self.first + np.argmin(np.abs(self.time_s - self.grid[min(sample, len(self.grid) - 1)])))


def runs_of(measured: Measurements, settings: SpottingSettings) -> list[RunSignals]:
    """Signals of all runs that are long enough to hold a movement."""
    runs = [RunSignals(measured, s, settings) for s in measured.runs() if s.stop - s.start >= 4]
    return [r for r in runs if r.grid[-1] - r.grid[0] >= 2 * settings.min_duration_s]


def noise_of(runs: list[RunSignals]) -> Array:
    """(c,) the recording's own noise of one component of each cell, over all runs together."""
    if not runs:
        return np.full(len(CELL_REGION), np.nan)
    step = max(1, sum(len(r) for r in runs) // ENOUGH_SAMPLES)
    together = np.concatenate([r.quick[::step] for r in runs])
    return np.asarray(np.maximum(robust_deviation(together).mean(axis=1), NOISE_FLOOR), np.float64)


def _head(measured: Measurements, frames: slice) -> npt.NDArray[np.float64]:
    transform = measured.transform[frames]
    scale = np.sqrt(np.abs(np.linalg.det(transform[:, :, :2])))
    # Where the crop's origin lies in the frame: its motion is the face's, in units of the face's own size.
    place = -np.einsum("nij,nj->ni", np.linalg.inv(transform[:, :, :2]), transform[:, :, 2])
    unit = CANONICAL_IOD / float(np.median(scale))
    parts = [
        measured.pose[frames],
        100 * place / unit,
        100 * np.log(np.median(scale) / scale)[:, None],
        100 * measured.mouth_opening[frames][:, None],
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
