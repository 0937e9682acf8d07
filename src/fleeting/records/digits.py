"""How many digits of each measured number are kept: as many as mean something, and no more.

A tenth of a percent of the inter-ocular distance is less than the noise of a good recording. Beyond the digits below,
two processors may differ, since their linear algebra sums in another order. Times are those of the file.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from fleeting.records.faces import FaceBox

DIGITS: dict[str, int] = {
    "probability": 4,
    "probabilities": 4,
    "surroundings": 4,
    "confidence": 4,
    "displacement_percent_iod": 3,
    "motion": 3,
    "noise": 3,
    "eye_opening": 4,
    "mouth_opening": 4,
    "pose": 2,
    "median_iod_px": 2,
    "median_box": 2,
}
"""Decimal digits by attribute of `Timeline` and the records in it; all others are kept as they are."""

PROBABILITIES = frozenset({"probability", "probabilities", "confidence", "surroundings"})
"""Rounding must not claim certainty: only what is 0 or 1 is written so."""

T = TypeVar("T")


def rounded(record: T) -> T:
    """Return a record, and the records in it, with `DIGITS` digits."""
    if not is_dataclass(record) or isinstance(record, type):
        return record
    return replace(record, **{f.name: _value(f.name, getattr(record, f.name)) for f in fields(record)})


def rounded_array(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values of an attribute with its digits, if it has any."""
    if name not in DIGITS:
        return values
    # A zero has no sign, or equal values could be written differently.
    return np.asarray(np.round(values, DIGITS[name]) + np.zeros((), values.dtype))


def _value(name: str, value: Any) -> Any:
    digits = DIGITS.get(name)
    if digits is None:
        return tuple(rounded(v) for v in value) if isinstance(value, tuple) else rounded(value)
    if isinstance(value, dict):
        return {key: _value(name, v) for key, v in value.items()}
    if isinstance(value, FaceBox):
        return FaceBox(*(_value(name, v) for v in value))
    if isinstance(value, np.memmap):
        return value  # what grows with a film is rounded as it is written
    if isinstance(value, np.ndarray):
        return rounded_array(name, value)
    if value is None:
        return None
    least = 10.0**-digits
    if name in PROBABILITIES and 0 < value < 1:
        return min(max(round(float(value), digits), least), 1 - least)
    return round(float(value), digits) + 0.0
