"""Blinks, from the opening of both eyes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.spotting.rest import Array, robust_deviation, running_median

CLOSED = 0.3
"""Share of its usual opening that each eye must lose at the deepest point."""

EDGE = 0.15
"""Share of the opening that is lost at onset and offset."""

REST_WINDOW_S = 2.0
NOISE_LAG_S = 0.03
LONGEST_S = 0.8
"""A blink takes 0.1 to 0.4 s (Stern et al., "The endogenous eyeblink", Psychophysiology 21, 1984); slow ones twice
that. Longer closures are closed eyes, not blinks."""


def closure(eye_opening: npt.NDArray[np.floating], period_s: float) -> Array:
    """Share of each eye's usual opening that is lost, (n, 2), 0 open to 1 closed.

    Parameters
    ----------
    eye_opening
        (n, 2) evenly spaced, lid distance over eye width.
    period_s
        Seconds between samples.
    """
    opening = np.asarray(eye_opening, np.float64)
    usual = np.maximum(running_median(opening, period_s, REST_WINDOW_S), 0.08)
    return np.asarray(1.0 - opening / usual)


def find_blinks(closed: Array, period_s: float) -> list[tuple[int, int, int]]:
    """Onset, apex and offset samples of all blinks, in order.

    Parameters
    ----------
    closed
        (n, 2) of `closure`, lightly smoothed.
    period_s
        Seconds between samples.
    """
    both = closed.min(axis=1)
    mean = closed.mean(axis=1)
    # Lids that flutter in the landmarks alone must not look like blinks. The noise is read from differences, since a
    # smile narrows the eyes for seconds.
    lag = max(1, round(NOISE_LAG_S / period_s))
    noise = float(robust_deviation(mean[lag:] - mean[:-lag]) / np.sqrt(2)) if len(mean) > lag else 0.0
    needed = max(CLOSED, 6 * noise)
    found: list[tuple[int, int, int]] = []
    place = 0
    while place < len(both):
        if both[place] < needed:
            place += 1
            continue
        first = last = place
        while first > 0 and mean[first - 1] > EDGE:
            first -= 1
        while last < len(both) - 1 and mean[last + 1] > EDGE:
            last += 1
        if (last - first + 1) * period_s <= LONGEST_S:
            found.append((first, int(first + np.argmax(mean[first : last + 1])), last))
        place = last + 1
    return found
