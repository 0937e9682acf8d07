"""Long movements, from half a second to some seconds: macro-expressions, by physical criteria alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import Closing
from fleeting.spotting.cells import CELL_REGION, cells_of
from fleeting.spotting.movements import Movement, find_movements
from fleeting.spotting.plateaus import find_plateaus
from fleeting.spotting.rest import Array, Real, robust_deviation, smooth
from fleeting.spotting.run_signals import RunSignals

SAME_MOVEMENT = 0.3
"""Of two candidates that share more of the shorter one, the less probable is a part of the other."""

SLOW_NOISE = 3.0
SLOW_NOISE_FLOOR = 0.25
"""Percent of the inter-ocular distance: what is left of the turns of the head over some seconds."""

WANDER_S = 0.35
"""Standard deviation of the smoothing over time after which only drift is left."""

MOST_WANDER = 0.75
"""Percent of the inter-ocular distance: a face that goes further than a few times this is not still."""

PLATEAU_NOISE = 0.6
"""Share of the slow noise that counts against what lies right before and after: there rest wanders less."""

BLINK_MARGIN_S = 0.08
LIDS = [c for name in ("left_lid", "right_lid") for c in cells_of(name)]
_BUT_LIDS = np.array([name not in ("left_lid", "right_lid") for name in CELL_REGION], np.float64)
NEAR_EYES = [
    c
    for name in ("left_brow", "right_brow", "between_brows", "nose", "left_cheek", "right_cheek")
    for c in cells_of(name)
]

Judged = tuple[Movement, float]
"""A movement, and how probable it is, or how far it stands out."""


def most_periods(run: RunSignals, settings: SpottingSettings) -> int:
    """Periods of the longest micro-expression."""
    return int(settings.max_micro_s / run.period + 1e-6)


def find_macro(
    run: RunSignals,
    noise: Array,
    blinks: list[Closing],
    settings: SpottingSettings,
) -> list[Judged]:
    """Macro-expressions, with a confidence that rises with how far they stand out of the noise."""
    limits: dict[str, Any] = {
        "period_s": run.period,
        "threshold": settings.threshold,
        "min_peak": settings.min_macro_percent_iod,
        "open_to": open_to_macro(run, blinks),
    }
    # Rest itself wanders over seconds; of a short run, how far cannot be read from the signal.
    slow_noise = np.maximum(SLOW_NOISE * noise, SLOW_NOISE_FLOOR)
    unrest, wander = run.unrest[:, None], _wander(run, run.slow, settings)
    quick_noise = np.maximum(noise, _wander(run, run.quick, settings)) * unrest
    local_noise = np.maximum(PLATEAU_NOISE * slow_noise, wander) * unrest
    slow_noise = np.maximum(slow_noise, wander) * unrest
    # Eyes that look aside and stay there are a plateau of the lids.
    but_lids = {**limits, "open_to": limits["open_to"] * _BUT_LIDS}
    local = find_plateaus(run.slow, local_noise, **but_lids)
    slow = find_movements(run.slow, slow_noise, **limits)
    quick = find_movements(run.quick, quick_noise, **limits)
    least, most = most_periods(run, settings) + 2, settings.max_macro_s / run.period
    macro = [m for m in local if least <= len(m) <= most]
    macro += _apart(macro, [m for m in slow if least <= len(m) <= most and m.begins], shared=SAME_MOVEMENT)
    macro = [replace(m, long_rest=True) for m in macro]
    macro += _apart(macro, [m for m in quick if least <= len(m) and m.begins and m.ends], shared=0.0)
    return [(a, _confidence(a, settings)) for a in macro]


def _confidence(movement: Movement, settings: SpottingSettings) -> float:
    ratio = (movement.score / settings.threshold) ** 2
    return ratio / (1 + ratio)


def find_lasting(
    run: RunSignals,
    longer: list[Movement],
    macro: list[Judged],
    blinks: list[Closing],
    settings: SpottingSettings,
) -> list[Judged]:
    """Macro-expressions among movements that are a little longer than a micro-expression, and not found as one yet."""
    found: list[Judged] = []
    allowed = open_to_macro(run, blinks) if longer else np.ones((0, 0))
    for movement in sorted(longer, key=lambda m: -m.score):
        if (
            movement.score >= settings.threshold
            and movement.peak >= settings.min_macro_percent_iod
            and allowed[movement.apex, cells_of(movement.regions[0])].any()
            and not any(movement.overlap(a) for a, _ in (*macro, *found))
        ):
            found.append((movement, _confidence(movement, settings)))
    return found


def _wander(run: RunSignals, moved: Real, settings: SpottingSettings) -> Array:
    """(c,) how far each cell is from its rest as a rule; 0 where the run is too short to know.

    A face that is still drifts with the light and the breath; what stands out of that must do so by far more. Syllables
    are no drift: they are smoothed away. Of a run twice as long as the longest expression, expressions are the smaller
    part.
    """
    if len(run) * run.period < 2 * settings.max_macro_s:
        return np.zeros(moved.shape[1])
    step = max(1, round(WANDER_S / 8 / run.period))
    drift = smooth(moved[::step], WANDER_S / (step * run.period))
    return np.asarray(np.minimum(np.linalg.norm(robust_deviation(drift), axis=1), MOST_WANDER), np.float64)


def _apart(known: list[Movement], others: list[Movement], *, shared: float) -> list[Movement]:
    """Those of the others that are not known already."""
    return [m for m in others if all(m.overlap(a) <= shared * min(len(m), len(a)) for a in known)]


def open_to_macro(run: RunSignals, blinks: list[Closing]) -> npt.NDArray[np.float64]:
    """(n, c) how far each cell may raise a macro-expression: a blink moves the lids and drags the skin around them."""
    allowed = np.ones((len(run.grid), len(CELL_REGION)))
    margin = round(BLINK_MARGIN_S / run.period)
    lids = np.linalg.norm(run.quick[:, LIDS], axis=2).max(axis=1)
    for blink in blinks:
        span = slice(max(0, blink.onset - margin), blink.offset + margin + 1)
        allowed[span, LIDS] = 0.0
        dragged = np.linalg.norm(run.quick[span][:, NEAR_EYES], axis=2) < 0.6 * lids[span].max()
        block = allowed[span]
        block[:, NEAR_EYES] = np.where(dragged, 0.0, 1.0)
    return allowed
