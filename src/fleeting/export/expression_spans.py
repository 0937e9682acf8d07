"""Stretches of a film in which one face shows one expression, for formats that know intervals but no curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleeting.labels import SEVEN_CLASSES
from fleeting.records import ExpressionCurve

LEAST_PROBABILITY = 0.5
"""Mean probability of the class over a stretch below which it is not named."""

LEAST_READINGS = 3
"""A class that is most probable in fewer consecutive readings is flicker, not an expression."""


@dataclass(frozen=True, slots=True)
class ExpressionSpan:
    """One expression, the most probable class, from `start_s` to `end_s` in seconds."""

    start_s: float
    end_s: float
    expression: str


def expression_spans(curve: ExpressionCurve) -> list[ExpressionSpan]:
    """Return the stretches of a curve in which the same class is the most probable one, in order, without overlap.

    A stretch reaches half a step beyond its first and last reading, so that neighbours touch. Stretches that are short
    (`LEAST_READINGS`) or doubtful (`LEAST_PROBABILITY`) are left out.
    """
    if len(curve.frame) < LEAST_READINGS:
        return []
    step = curve.step_s
    best = curve.probabilities.argmax(1)
    breaks = np.flatnonzero((best[1:] != best[:-1]) | curve.absences) + 1
    spans = []
    for rows in np.split(np.arange(len(best)), breaks):
        name = int(best[rows[0]])
        probability = float(curve.probabilities[rows, name].mean())
        if len(rows) >= LEAST_READINGS and probability >= LEAST_PROBABILITY:
            first, last = (float(curve.time_s[i]) for i in (rows[0], rows[-1]))
            spans.append(ExpressionSpan(max(first - step / 2, 0.0), last + step / 2, SEVEN_CLASSES[name]))
    return spans
