"""Candidates for events: every movement that stands out a little, with what the judge is shown of it.

A candidate is shown as it is seen by somebody who looks at the curves: what each region did from a second before the
apex to a second after it, in units of the recording's noise and in shares of the candidate's own peak, beside eyes,
mouth and head. So a single syllable of speech is seen among its neighbours, a lid beside the other eye's, and a
movement in the noise that it stands in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.records import REGIONS
from fleeting.settings import SpottingSettings
from fleeting.spotting.cells import CELL_REGION, cells_of
from fleeting.spotting.movements import Movement, find_movements
from fleeting.spotting.rest import Array
from fleeting.spotting.run_signals import RunSignals

SAMPLES = 96
STEP_S = 0.02
"""What is shown of a candidate: so many samples, so far apart, centred on the apex."""

LEAST_NOISE = 3.0
"""A candidate's smallest peak in units of the noise."""

CHOICE_S = 0.12
"""Of each region the cell is shown that moved most so close to the apex."""

MOST_FACTOR = 1.3
"""From its onset to its apex alone, a candidate may last so much longer than the longest micro-expression: another
movement may stand before it."""

PARTS: tuple[tuple[str, ...], ...] = (
    REGIONS,
    ("left_brow", "right_brow", "between_brows"),
    ("left_lid", "right_lid"),
    ("nose", "left_cheek", "right_cheek"),
    ("left_mouth_corner", "right_mouth_corner", "upper_lip"),
    ("lower_lip", "chin"),
)
"""Parts of the face that are searched each for itself; where one speaks or blinks, another may show an expression."""

CONTEXT_S = 3.0
"""So long before the apex, and as long after it as the window reaches, is told how busy the mouth and the rest are."""

CHANNELS = 4 * len(REGIONS) + 2 + 7 + 1
SCALARS = 10

_HEAD_SCALE = np.array([3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 10.0])
_LIDS = ("left_lid", "right_lid")
_MOUTH = ("left_mouth_corner", "right_mouth_corner", "upper_lip", "lower_lip", "chin")
_BUSY = [
    np.array([name in _MOUTH for name in CELL_REGION]),
    np.array([name not in (*_MOUTH, *_LIDS) for name in CELL_REGION]),
]
_PARTS = [np.array([[float(name in part) for name in CELL_REGION]]) for part in PARTS]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A movement that may be an event.

    Attributes
    ----------
    movement
        With its borders, in samples of its run.
    window
        (`CHANNELS`, `SAMPLES`) float32.
    scalars
        (`SCALARS`,) float32.
    """

    movement: Movement
    window: npt.NDArray[np.float32]
    scalars: npt.NDArray[np.float32]


def find_candidates(run: RunSignals, noise: Array, settings: SpottingSettings) -> list[Candidate]:
    """Find all candidates of a run: over the whole face, and in each part of it, since others may be busy.

    Parameters
    ----------
    run
        Signals.
    noise
        (c,) of `run_signals.noise_of`.
    settings
        The longest micro-expression, and the smallest displacement that is looked at.
    """
    found: list[Movement] = []
    for part in _PARTS:
        moved = find_movements(
            run.quick,
            noise,
            period_s=run.period,
            threshold=LEAST_NOISE,
            min_peak=settings.min_displacement_percent_iod,
            open_to=part,
        )
        for movement in moved:
            if (movement.apex - movement.onset) * run.period > MOST_FACTOR * settings.max_micro_s:
                continue
            twins = (m for m in found if abs(m.apex - movement.apex) * run.period < STEP_S)
            if all(m.regions[:1] != movement.regions[:1] for m in twins):
                found.append(movement)
    busy = busy_of(run)
    return [Candidate(m, *describe(run, m, noise, busy)) for m in found]


def busy_of(run: RunSignals) -> Array:
    """(m + 1, 2) running sums of the mean square displacement of the mouth, and of all else but the lids."""
    square = (np.asarray(run.quick, np.float64) ** 2).sum(axis=2)
    each = np.stack([square[:, cells].mean(axis=1) for cells in _BUSY], axis=1)
    return np.concatenate([np.zeros((1, 2)), each.cumsum(axis=0)])


def describe(
    run: RunSignals, movement: Movement, noise: Array, busy: Array
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return window and scalars of a candidate, as in `Candidate`."""
    at = np.arange(SAMPLES) * STEP_S - SAMPLES * STEP_S / 2 + run.grid[movement.apex]
    place = np.clip((at - run.grid[0]) / run.period, 0, len(run.grid) - 1)
    low = np.minimum(place.astype(int), len(run.grid) - 2) if len(run.grid) > 1 else np.zeros(SAMPLES, int)
    share = (place - low)[:, None]

    high = np.minimum(low + 1, len(run.grid) - 1)

    def taken(values: Array, columns: slice | list[int] = slice(None)) -> Array:
        before, after = (values[places][:, columns].reshape(SAMPLES, -1) for places in (low, high))
        return np.asarray((1 - share) * before + share * after)

    reach = max(1, round(CHOICE_S / run.period))
    near = slice(max(0, movement.apex - reach), movement.apex + reach + 1)
    standing_out = (np.linalg.norm(run.quick[near], axis=2) / noise).max(axis=0)
    cells = [max(cells_of(name), key=lambda c: standing_out[c]) for name in REGIONS]
    moved = taken(run.quick, cells)
    spread = np.repeat(noise[cells], 2)
    peak = max(movement.peak, 1e-3)
    parts = [
        np.arcsinh(moved / (3 * spread)),
        np.clip(moved / peak, -2, 2),
        np.clip(taken(run.closed), -1, 1),
        np.clip(taken(run.head) / _HEAD_SCALE, -3, 3),
        np.log(taken(run.unrest[:, None])),
    ]
    active = standing_out[cells]
    inside = (at >= run.grid[0]) & (at <= run.grid[-1])
    scalars = [
        np.log(peak),
        np.log(max(movement.score, 1e-3)) - 2,
        len(movement) * run.period / 0.25 - 1,
        (movement.apex - movement.onset) / max(len(movement), 1) - 0.5,
        np.log(run.period / 0.02),
        float((active > 0.5 * active.max()).mean()),
        float(inside.mean()) - 1,
        float(np.log(np.median(noise) / 0.1)),
        *_context(run, movement, busy),
    ]
    return np.concatenate(parts, axis=1).T.astype(np.float32), np.array(scalars, np.float32)


def _context(run: RunSignals, movement: Movement, busy: Array) -> list[float]:
    """How far mouth and the rest moved around a candidate, without what they did in it: logarithms of 0.3 %."""
    last = len(busy) - 1
    before, after = round(CONTEXT_S / run.period), round(SAMPLES * STEP_S / 2 / run.period)
    first, end = max(movement.apex - before, 0), min(movement.apex + after + 1, last)
    onset, offset = max(movement.onset, first), min(movement.offset + 1, end)
    total = busy[end] - busy[first] - (busy[offset] - busy[onset])
    mean = total / max(end - first - (offset - onset), 1)
    return [float(v) for v in np.log(np.sqrt(np.maximum(mean, 0)) + 0.02) - np.log(0.3)]


def mirrored(window: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return windows (..., `CHANNELS`, `SAMPLES`) of the mirrored face."""
    return np.ascontiguousarray(window[..., _MIRROR_ORDER, :] * _MIRROR_SIGN[:, None])


def _mirror() -> tuple[list[int], npt.NDArray[np.float32]]:
    def other(name: str) -> str:
        side, _, rest = name.partition("_")
        swap = {"left": "right", "right": "left"}
        return f"{swap[side]}_{rest}" if side in swap else name

    count = 2 * len(REGIONS)
    regions = [2 * REGIONS.index(other(name)) + k for name in REGIONS for k in (0, 1)]
    order = [*regions, *(count + i for i in regions)]
    sign = [-1.0, 1.0] * (2 * len(REGIONS))
    order += [2 * count + 1, 2 * count]  # the eyes
    sign += [1.0, 1.0]
    order += list(range(2 * count + 2, CHANNELS))
    sign += [-1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0]
    return order, np.array(sign, np.float32)


_MIRROR_ORDER, _MIRROR_SIGN = _mirror()
