"""The rest position of a signal, and the noise around it: what a movement must stand out from."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Real = npt.NDArray[Any]
"""float32 or float64, as given: a long recording's displacements are kept in single precision."""

MEDIAN_HZ = 50.0
"""Rate at which running medians are taken: rest changes slowly, and a median costs its window in every sample."""

AT_ONCE = 256
"""Running medians that are taken at once."""

MOST_HZ = 100.0
"""Rate of the signals that are spotted in, at most (up to 150 where the frame rate is no multiple of it)."""


def sample_period(time_s: Array) -> float:
    """Seconds between the signals' samples: the median frame period, or several of them at high frame rates."""
    period = float(np.median(np.diff(time_s)))
    return period * max(1, int(1.02 / (MOST_HZ * period)))


def uniform_times(time_s: Array) -> Array:
    """Evenly spaced times over a stretch of frames, `sample_period` apart, (m,)."""
    if len(time_s) < 2:
        return time_s.copy()
    period = sample_period(time_s)
    return np.asarray(time_s[0] + period * np.arange(int(np.floor((time_s[-1] - time_s[0]) / period + 0.5)) + 1))


def resample(values: npt.NDArray[np.floating], time_s: Array, grid_s: Array) -> Real:
    """Linear interpolation over time of every column, (n, ...) to (m, ...), in the precision given."""
    flat = values.reshape(len(values), -1)
    return _columns(grid_s, time_s, flat).reshape(len(grid_s), *values.shape[1:])


def _columns(places: Array, known: Array, flat: npt.NDArray[np.floating]) -> Real:
    done = np.empty((len(places), flat.shape[1]), flat.dtype)
    for column in range(flat.shape[1]):
        done[:, column] = np.interp(places, known, flat[:, column])
    return done


def smooth(values: Real, sigma: float) -> Real:
    """Gaussian smoothing along the first axis; `sigma` in samples, edges repeated."""
    if sigma < 0.3:
        return values
    flat = np.ascontiguousarray(values.reshape(len(values), -1))
    size = 2 * int(np.ceil(3 * sigma)) + 1
    kernel = cv2.getGaussianKernel(size, sigma)
    done = cv2.sepFilter2D(flat, -1, np.ones((1, 1)), kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(done).reshape(values.shape)


def running_median(values: Real, period_s: float, window_s: float) -> Real:
    """Take the running median over a window in seconds, centred on each sample.

    A movement shorter than half of the window leaves the median at rest; a lasting change of position moves it along.
    Towards the ends the window shrinks on both sides alike, so that this holds there too (a window that is cut on one
    side would look ahead into a change, and call the time before it a movement).

    Parameters
    ----------
    values
        (n, ...) evenly spaced samples.
    period_s
        Seconds between samples.
    window_s
        Width of the window.
    """
    flat = values.reshape(len(values), -1)
    step = max(1, round(1.0 / (MEDIAN_HZ * period_s)))
    if window_s > 4:
        step = max(step, round(window_s / (80 * period_s)))
    coarse = flat[::step]
    count = len(coarse)
    half = min(max(1, round(window_s / (2 * period_s * step))), (count - 1) // 2)
    rest = coarse.copy()
    for reach in range(1, half):
        for place in {reach, count - 1 - reach}:
            rest[place] = np.median(coarse[place - reach : place + reach + 1], axis=0)
    if half > 0:
        windows = np.lib.stride_tricks.sliding_window_view(coarse, 2 * half + 1, axis=0)
        for first in range(0, len(windows), AT_ONCE):
            part = windows[first : first + AT_ONCE]  # the median copies it
            rest[half + first : half + first + len(part)] = np.median(part, axis=-1)
    if step == 1:
        return rest.reshape(values.shape)
    places = np.arange(count, dtype=np.float64) * step
    return _columns(np.arange(len(flat), dtype=np.float64), places, rest).reshape(values.shape)


def robust_deviation(values: Real) -> Real:
    """Return the standard deviation that follows from the median absolute deviation from rest, along the first axis."""
    return np.asarray(1.4826 * np.median(np.abs(values), axis=0))
