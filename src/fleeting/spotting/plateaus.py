"""Long movements by what lies around them: skin that goes somewhere, stays, and comes back to where it was.

Against a rest that is read from many seconds, a smile of somebody who talks is one stretch among many in which the
mouth is elsewhere. Here each stretch is compared to the moments right before and after it, in means over tenths of a
second, in which syllables even out. So a smile gives the same answer in a cut of three seconds as in a long film.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.spotting.cells import cells_of
from fleeting.spotting.movements import TOGETHER_S, Array, Movement, grow
from fleeting.spotting.rest import Real, smooth

DURATIONS_S = (0.7, 0.95, 1.3, 1.75, 2.4, 3.2, 4.0)
"""Lengths of the stretches; what lasts a fifth longer or shorter is seen as well."""

FLANK = 0.4
FLANK_S = (0.4, 1.0)
"""How much before and after is looked at: a share of the stretch, within bounds in seconds."""

LEAST_FLANK_S = 0.2
"""Where a run begins or ends so soon, nothing is known of the rest there."""

SAME_REST = 0.35
"""Before and after may differ by this share of what lies between."""

STAYS, LEAST_STAY = 0.85, 0.5
"""For so much of the middle half of a stretch it is at this share of its peak at least: syllables come and go."""

SMOOTHING_S = 0.1
"""Standard deviation of the smoothing before onset and offset are read: a syllable must not end a smile."""

STEP_S = 0.04
CHUNK_S = 60.0
"""So much is worked on at once, to bound the memory."""

SAME = 0.3


def find_plateaus(
    place: Real,
    noise: Real,
    *,
    period_s: float,
    threshold: float,
    min_peak: float,
    open_to: Array,
) -> list[Movement]:
    """Find long movements whose begin and end are both seen, the most striking first.

    Parameters
    ----------
    place
        (n, c, 2) displacement of every cell, percent of the inter-ocular distance.
    noise
        (n, c) standard deviation of one component.
    period_s
        Seconds between samples.
    threshold, min_peak, open_to
        As in `events.find_movements`.
    """
    found: list[Movement] = []
    for _, apex, duration in sorted(_peaks(place, noise, period_s, threshold, min_peak, open_to), reverse=True):
        if any(m.onset <= apex <= m.offset for m in found):
            continue
        movement = _around(place, noise, open_to, apex, duration, period_s, threshold)
        if movement is None or not (movement.begins and movement.ends):
            continue
        # Smoothing draws a short movement out, but not that far.
        long_enough = len(movement) * period_s >= DURATIONS_S[0]
        if long_enough and movement.score >= threshold and movement.peak >= min_peak:
            shorter = (min(len(movement), len(m)) for m in found)
            if all(movement.overlap(m) <= SAME * least for m, least in zip(found, shorter, strict=True)):
                found.append(movement)
    return found


def _lengths(duration_s: float, period_s: float) -> tuple[int, int, int]:
    """Half of a stretch, half of its core, and a flank, in samples."""
    flank = float(np.clip(FLANK * duration_s, *FLANK_S))
    return (
        max(1, round(duration_s / 2 / period_s)),
        max(1, round(duration_s / 4 / period_s)),
        max(1, round(flank / period_s)),
    )


def _peaks(
    place: Real, noise: Real, period_s: float, threshold: float, min_peak: float, open_to: Array
) -> Iterator[tuple[float, int, float]]:
    """Yield how far each stretch stands out, its middle, and its duration."""
    longest = _lengths(DURATIONS_S[-1], period_s)
    reach, chunk = longest[0] + longest[2] + 1, round(CHUNK_S / period_s)
    for first in range(0, len(place), chunk):
        low = max(0, first - reach)
        part = place[low : first + chunk + reach]
        sums = np.zeros((len(part) + 1, *part.shape[1:]))
        np.cumsum(part, axis=0, dtype=np.float64, out=sums[1:])
        step = max(1, round(STEP_S / period_s))
        middle = np.arange(first - low, min(first + chunk, len(place)) - low, step)
        for duration in DURATIONS_S:
            half, core, flank = _lengths(duration, period_s)
            inside = (middle - core >= 0) & (middle + core < len(part))
            here, _ = _mean(sums, middle - core, middle + core + 1)
            before, seen_before = _mean(sums, middle - half - flank, middle - half)
            after, seen_after = _mean(sums, middle + half + 1, middle + half + 1 + flank)
            inside &= np.minimum(seen_before, seen_after) * period_s >= LEAST_FLANK_S - 1e-6
            size = np.linalg.norm(here - (before + after) / 2, axis=2)
            back = np.linalg.norm(before - after, axis=2) < SAME_REST * size
            striking = size / noise[middle + low] * open_to[middle + low]
            score = np.where(inside[:, None] & back & (size >= min_peak), striking, 0.0).max(axis=1)
            for place_of in np.flatnonzero(score >= threshold):
                yield float(score[place_of]), int(middle[place_of] + low), duration


def _mean(sums: Array, first: npt.NDArray[np.intp], after: npt.NDArray[np.intp]) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return means over stretches, cut off where the sums end, and the lengths that were left."""
    first, after = (np.clip(border, 0, len(sums) - 1) for border in (first, after))
    length = after - first
    return (sums[after] - sums[first]) / np.maximum(length, 1)[:, None, None], length


def _around(
    place: Real, noise: Real, open_to: Array, middle: int, duration_s: float, period_s: float, threshold: float
) -> Movement | None:
    """Read a movement against the line from what lies before it to what lies after it; None where it does not stay."""
    half, core, flank = _lengths(duration_s, period_s)
    low, high = max(0, middle - half - flank), min(len(place), middle + half + flank + 1)
    before, after = place[low : middle - half].mean(axis=0), place[middle + half + 1 : high].mean(axis=0)
    share = (np.arange(low, high) - (middle - half - flank / 2)) / (2 * half + flank)
    share = np.clip(share, 0, 1)[:, None, None]
    deviation = smooth(place[low:high] - ((1 - share) * before + share * after), SMOOTHING_S / period_s)
    size = np.linalg.norm(deviation, axis=2)
    standing_out = size / noise[low:high] * open_to[low:high]
    near = slice(max(0, middle - low - core), middle - low + core + 1)
    apex = near.start + int(np.argmax(standing_out[near].max(axis=1)))
    main = int(np.argmax(standing_out[apex]))
    along = deviation[near, main] @ deviation[apex, main] / max(float(size[apex, main]) ** 2, 1e-12)
    if np.quantile(along, 1 - STAYS) < LEAST_STAY:
        return None
    together = max(1, round(TOGETHER_S / period_s))
    found = grow(deviation, size, standing_out, apex, together=together, threshold=threshold)
    # How far it went is told against the rest that it left.
    cells = [c for name in found.regions for c in cells_of(name)]
    gone = np.linalg.norm(place[found.apex + low][cells] - before[cells], axis=1).max()
    return replace(
        found,
        onset=found.onset + low,
        apex=found.apex + low,
        offset=found.offset + low,
        peak=float(gone),
        rest=np.asarray(before, np.float64),
    )
