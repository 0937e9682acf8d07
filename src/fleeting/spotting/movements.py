"""Movements in the motion of cells: peaks that stand out of the noise, with onset, apex and offset.

Works on evenly spaced samples of one run; `spotting.spot` turns samples into frames and events.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fleeting.spotting.cells import CELL_REGION

Array = npt.NDArray[np.float64]

EDGE = 0.1
"""Share of the peak displacement that is read as onset and offset before both are moved out along the slope."""

MID = 0.5
SLOPE_REACH = 0.15
"""How far beyond the 10 % crossing the movement begins, in units of the time from 10 % to 50 %: for a raised cosine it
is 0.70 down to rest and 0.20 down to 5 %, for a straight ramp 0.25; smoothing over time has moved the crossing out by
about the difference."""

SETTLES = 0.1
"""A return that goes on by less than this share of the peak, in the time that its first half took, has become settling:
the coders of CASME leave changes that can hardly be seen out of the movement (`docs/explanation/analyse.md`)."""

LONG = 3.2
"""Settling is looked for where the second half of the return takes so many times as long as the first one: longer than
in an exponential, which has no moment at which it becomes slow."""

LEAST_RETURN = 0.45
"""A movement that is still further from rest than this has not come back, however slowly it goes on."""

TOGETHER_S = 0.06
"""Regions whose peaks lie this close in time belong to one movement."""

REACH_S = 20.0
"""A movement is looked for so far before and after its peak; further where it is not over by then."""

ALSO = 0.5
"""Share of the threshold that a second region must reach to be named."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A movement found in one run.

    Attributes
    ----------
    onset, apex, offset
        Samples.
    regions
        Regions that moved, the strongest first.
    peak
        Displacement of the strongest cell at the apex, percent of the inter-ocular distance.
    score
        Peak in units of the noise.
    begins, ends
        Whether the rest before and after it was seen; False where the run is cut there.
    long_rest
        Whether it was found against the rest over twice the longest macro-expression (`RunSignals.slow`), not the one
        over `MICRO_REST_S`.
    rest
        (c, 2) place of the rest that a long movement left, in the coordinates of `RunSignals.slow`; None where it
        was found against the rest that is 0 there.
    """

    onset: int
    apex: int
    offset: int
    regions: tuple[str, ...]
    peak: float
    score: float
    begins: bool = True
    ends: bool = True
    long_rest: bool = False
    rest: Array | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return self.offset - self.onset + 1

    def overlap(self, other: Movement) -> int:
        """Count the samples that both cover."""
        return max(0, min(self.offset, other.offset) - max(self.onset, other.onset) + 1)


def find_movements(
    deviation: Array, noise: Array, *, period_s: float, threshold: float, min_peak: float, open_to: Array | None = None
) -> list[Movement]:
    """Find movements, the most striking first.

    Parameters
    ----------
    deviation
        (n, c, 2) displacement of every cell against its rest, percent of the inter-ocular distance.
    noise
        (c,) or (n, c) standard deviation of one component.
    period_s
        Seconds between samples.
    threshold
        Smallest peak in units of the noise.
    min_peak
        Smallest peak in percent of the inter-ocular distance.
    open_to
        (n, c) in 0..1: how far a cell may raise an event (0 where a blink moves it).
    """
    size = np.linalg.norm(deviation, axis=2)
    standing_out = size / np.broadcast_to(noise, size.shape)
    if open_to is not None:
        standing_out = standing_out * open_to
    strength = np.where(size >= min_peak, standing_out, 0.0)
    strongest = strength.max(axis=1)
    del strength
    together = max(1, round(TOGETHER_S / period_s))
    reach = max(together, round(REACH_S / period_s))
    found: list[Movement] = []
    while True:
        apex = int(np.argmax(strongest))
        if strongest[apex] < threshold:
            return found
        movement = _near(deviation, size, standing_out, apex, reach, together=together, threshold=threshold)
        strongest[movement.onset : movement.offset + 1] = 0.0
        strongest[apex] = 0.0
        # A peak on the shoulder of a stronger movement is a part of it.
        if all(movement.overlap(other) <= 0.3 * len(movement) for other in found):
            found.append(movement)


def _near(
    deviation: Array, size: Array, standing_out: Array, apex: int, reach: int, *, together: int, threshold: float
) -> Movement:
    """`grow` on so many samples around the apex; on twice as many where the movement may go on beyond them."""
    low, high = max(0, apex - reach), min(len(size), apex + reach + 1)
    near = slice(low, high)
    found = grow(deviation[near], size[near], standing_out[near], apex - low, together=together, threshold=threshold)
    if (low > 0 and not found.begins) or (high < len(size) and not found.ends):
        return _near(deviation, size, standing_out, apex, 2 * reach, together=together, threshold=threshold)
    return replace(found, onset=found.onset + low, apex=found.apex + low, offset=found.offset + low)


def grow(deviation: Array, size: Array, standing_out: Array, apex: int, *, together: int, threshold: float) -> Movement:
    """Follow a movement from its apex to where it begins and ends.

    Parameters
    ----------
    deviation
        (n, c, 2) displacement against rest.
    size, standing_out
        (n, c) its length, and this in units of the noise.
    apex
        Sample.
    together
        Samples within which the peaks of regions belong to one movement.
    threshold
        As in `find_movements`.
    """
    near = slice(max(0, apex - together), apex + together + 1)
    score = standing_out[near].max(axis=0)
    main = int(np.argmax(standing_out[apex]))
    takes_part = (score >= ALSO * threshold) & (size[near].max(axis=0) >= 0.3 * size[apex, main])
    takes_part[main] = True
    weight = np.where(takes_part, standing_out[apex] ** 2 / np.maximum(size[apex] ** 2, 1e-9), 0.0)
    profile = np.einsum("nrc,rc,r->n", deviation, deviation[apex], weight)
    # The joint profile is smoother than one region's, so its own peak is the better apex.
    apex = near.start + int(np.argmax(profile[near]))
    profile = profile / max(float(profile[apex]), 1e-12)
    onset, begins = _edge(profile, apex, step=-1)
    offset, ends = _edge(_settled(profile, apex, together), apex, step=1)
    order = [i for i in np.argsort(-size[apex]) if takes_part[i]]
    return Movement(
        onset=onset,
        apex=apex,
        offset=offset,
        regions=tuple(dict.fromkeys(CELL_REGION[i] for i in order)),
        peak=float(size[apex][takes_part].max()),
        score=float(score.max()),
        begins=begins,
        ends=ends,
    )


def _settled(profile: Array, apex: int, least: int) -> Array:
    """Return the profile with the level at which its fast return has ended as rest, where it settles from there slowly.

    Parameters
    ----------
    profile
        (n,) 1 at the apex.
    apex
        Sample.
    least
        Samples over which a slope can be told.
    """
    after = profile[apex:]
    back, half = (np.flatnonzero(after <= level) for level in (EDGE, MID))
    if not len(half):
        return profile
    middle = int(half[0])
    began = int(np.flatnonzero(after[: middle + 1] >= 1 - EDGE)[-1])
    first = max(middle - began, least)
    end = int(back[0]) if len(back) else len(after) - 1
    if end - middle <= LONG * first:
        return profile
    # The mean over two stretches, so that noise makes no slope.
    width = max(1, first // 2)
    level = np.convolve(after[: end + first + 1], np.ones(width) / width, "valid")
    for place in range(middle, min(end, len(level) - first)):
        rest = float(level[place + first])
        if rest <= LEAST_RETURN and level[place] - rest < SETTLES:
            return (profile - rest) / max(1 - rest, 1e-6)
    return profile


def _edge(profile: Array, apex: int, *, step: int) -> tuple[int, bool]:
    """Sample at which the movement that peaks at `apex` begins (step -1) or ends (step 1), and whether it was seen."""
    last = len(profile) - 1 if step > 0 else 0
    middle: int | None = None
    lowest, place = apex, apex
    while place != last:
        place += step
        if profile[place] < profile[lowest]:
            lowest = place
        if middle is None and profile[place] <= MID:
            middle = place
        if profile[place] <= EDGE:
            break
        if middle is not None and profile[place] > profile[lowest] + 0.25:
            # It rises again before it came to rest: another movement begins where this one was lowest.
            return lowest, True
    if middle is None or profile[place] > EDGE:
        return lowest, False
    beyond = place + step * round(SLOPE_REACH * abs(place - middle))
    return min(max(beyond, 0), len(profile) - 1), True
