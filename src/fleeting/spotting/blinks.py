"""Blinks: both eyes lose their opening, or both lids are seen to come down.

Two witnesses, since each fails alone: the openings come from the landmark network, which hardly sees a half blink or a
narrow eye close; the motion of the lids cannot tell a blink from a look downwards unless the opening shrinks too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.spotting.rest import Array, robust_deviation, running_median

CLOSED = 0.3
"""Share of its usual opening that each eye must lose at the deepest point, where nothing else is seen."""

LIDS_DOWN = 0.8
"""Percent of the inter-ocular distance by which both lids must come down, where the eyes close a little only."""

ALSO_CLOSED = 0.1

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


def find_blinks(closed: Array, lids: Array, period_s: float) -> list[tuple[int, int, int]]:
    """Onset, apex and offset samples of all blinks, in order.

    Parameters
    ----------
    closed
        (n, 2) of `closure`, lightly smoothed.
    lids
        (n, 2) how far the left and the right lid are below their rest, percent of the inter-ocular distance.
    period_s
        Seconds between samples.
    """
    # Lids that flutter in the landmarks alone must not look like blinks. The noise is read from differences, since a
    # smile narrows the eyes for seconds.
    needed = max(CLOSED, 6 * _noise(closed.mean(axis=1), period_s))
    down = max(LIDS_DOWN, 8 * _noise(lids.mean(axis=1), period_s))
    seen = lids.min(axis=1)
    by_motion = [
        b
        for b in _dips(seen, lids.mean(axis=1), down, period_s, edge=None)
        if closed[b[0] : b[2] + 1].min(axis=1).max() >= ALSO_CLOSED
    ]
    by_opening = _dips(closed.min(axis=1), closed.mean(axis=1), needed, period_s, edge=EDGE)
    # Motion is measured more finely than openings, so its borders are the better ones.
    alone = [b for b in by_opening if not any(b[0] <= m[2] and m[0] <= b[2] for m in by_motion)]
    return sorted([*by_motion, *alone])


def _noise(signal: Array, period_s: float) -> float:
    lag = max(1, round(NOISE_LAG_S / period_s))
    return float(robust_deviation(signal[lag:] - signal[:-lag]) / np.sqrt(2)) if len(signal) > lag else 0.0


def _dips(
    both: Array, mean: Array, needed: float, period_s: float, *, edge: float | None
) -> list[tuple[int, int, int]]:
    """Stretches around samples where `both` reaches what is needed, out to where `mean` falls to its edge.

    The edge is absolute, or (None) the share `EDGE` of each stretch's own peak.
    """
    found: list[tuple[int, int, int]] = []
    place = 0
    while place < len(both):
        if both[place] < needed:
            place += 1
            continue
        first = last = place
        while last < len(both) - 1 and both[last + 1] >= needed:
            last += 1
        apex = place + int(np.argmax(mean[place : last + 1]))
        border = EDGE * mean[apex] if edge is None else edge
        while first > 0 and mean[first - 1] > border:
            first -= 1
        while last < len(both) - 1 and mean[last + 1] > border:
            last += 1
        if (last - first + 1) * period_s <= LONGEST_S and not (found and first <= found[-1][2]):
            found.append((first, apex, last))
        place = last + 1
    return found
