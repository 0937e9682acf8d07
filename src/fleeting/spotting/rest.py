"""The rest position of a signal, and the noise around it: what a movement must stand out from."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MEDIAN_HZ = 50.0
"""Rate at which running medians are taken: rest changes slowly, and a median costs its window in every sample."""


def uniform_times(time_s: Array) -> Array:
    """Evenly spaced times over a stretch of frames, at its median frame period, (m,)."""
    if len(time_s) < 2:
        return time_s.copy()
    period = float(np.median(np.diff(time_s)))
    return np.asarray(time_s[0] + period * np.arange(int(np.floor((time_s[-1] - time_s[0]) / period + 0.5)) + 1))


def resample(values: npt.NDArray[np.floating], time_s: Array, grid_s: Array) -> Array:
    """Linear interpolation over time of every column, (n, ...) to (m, ...)."""
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    columns = [np.interp(grid_s, time_s, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(len(grid_s), *values.shape[1:])


def smooth(values: Array, sigma: float) -> Array:
    """Gaussian smoothing along the first axis; `sigma` in samples, edges repeated."""
    if sigma < 0.3:
        return values
    flat = np.ascontiguousarray(values.reshape(len(values), -1))
    size = 2 * int(np.ceil(3 * sigma)) + 1
    kernel = cv2.getGaussianKernel(size, sigma)
    done = cv2.sepFilter2D(flat, cv2.CV_64F, np.ones((1, 1)), kernel, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(done, np.float64).reshape(values.shape)


def running_median(values: Array, period_s: float, window_s: float) -> Array:
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
        for first in range(0, len(windows), 2048):
            rest[half + first : half + first + len(windows[first : first + 2048])] = np.median(
                windows[first : first + 2048], axis=-1
            )
    if step == 1:
        return rest.reshape(values.shape)
    places = np.arange(count) * step
    full = [np.interp(np.arange(len(flat)), places, column) for column in rest.T]
    return np.stack(full, axis=1).reshape(values.shape)


def robust_deviation(values: Array) -> Array:
    """Return the standard deviation that follows from the median absolute deviation from rest, along the first axis."""
    return np.asarray(1.4826 * np.median(np.abs(values), axis=0))
