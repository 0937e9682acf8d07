"""How numbers and names are worded for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

NONE = "–"
"""Stands where there is no value."""

_SHORT = {"uf1": "UF1", "uar": "UAR", "ece": "calibration error", "accuracy": "accuracy", "nme68": "NME (68 points)"}
HEADLINE_SCORES = ("uf1", "uar", "accuracy")


def finite(value: Any) -> bool:
    """Whether a value is a number that can be shown."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Return a number with this many significant digits and never an exponent; other things as text."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{THIN SPACE}")
    if isinstance(value, float):
        size = math.floor(math.log10(abs(value))) if value else 0
        text = f"{value:.{max(digits - 1 - size, 0)}f}" if abs(size) < 12 else f"{value:.{digits}g}"
        return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(v, str) and v.endswith(".") for v in value):
            return " ".join(value)
        return ", ".join(number(v, digits) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{words(str(k))} {number(v, digits)}" for k, v in value.items())
    return str(value)


def seconds(value: float) -> str:
    """Return a time in seconds with milliseconds."""
    return f"{value:.3f} s" if math.isfinite(value) else NONE


def thousandths(value: float) -> str:
    """Return seconds to three digits, without their unit."""
    return f"{value:.3f}" if math.isfinite(value) else NONE


def milliseconds(value: float) -> str:
    """Return a duration: milliseconds below one second, else seconds."""
    if not math.isfinite(value):
        return NONE
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"


def clock(value: float) -> str:
    """Return a place in the video as minutes and seconds."""
    if not math.isfinite(value):
        return NONE
    return f"{int(value // 60)}:{value % 60:05.2f}"


def lasting(value: float) -> str:
    """Return how long a recording is: seconds below two minutes, else minutes and seconds."""
    if not math.isfinite(value):
        return NONE
    return f"{number(value)} s" if value < 120 else f"{int(value // 60)} min {value % 60:.0f} s"


def percent(share: float | None) -> str:
    """Return a share of 0..1 as whole percent; the ends are not claimed by rounding."""
    if share is None or not math.isfinite(share):
        return NONE
    if 0.995 <= share < 1:
        return "> 99 %"
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"


def words(name: str) -> str:
    """Return an identifier as words."""
    return name.replace("_", " ")


def scores(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return all scores and texts of a card's ``scores``, nested ones with their path, as pairs of words."""
    found = card.get("scores")
    return list(_flat(found, "")) if isinstance(found, Mapping) else []


def headline(card: Mapping[str, Any]) -> str:
    """Return the two main honest scores of a card with their intervals and protocol; empty where the card has none."""
    found = card.get("scores")
    if not isinstance(found, Mapping):
        return ""
    leaves: dict[str, Any] = {}
    for key, value in _leaves(found):
        leaves.setdefault(key.lower(), value)
    parts = [_with_interval(k, leaves) for k in HEADLINE_SCORES if finite(leaves.get(k))]
    protocol = str(leaves.get("protocol", "")).split(";")[0].strip()
    return ", ".join(parts[:2]) + (f" ({protocol})" if parts and protocol else "")


def expression_score(card: Mapping[str, Any]) -> str:
    """Return how often the network of whole faces was right on pictures that it did not know; empty where unknown."""
    scores = card.get("scores")
    test = scores.get("public_test") if isinstance(scores, Mapping) else None
    if not isinstance(test, Mapping) or not finite(test.get("accuracy")):
        return ""
    return f"{percent(test['accuracy'])} of {number(test.get('pictures'))} test pictures (FER-2013, PublicTest)"


def _with_interval(key: str, leaves: Mapping[str, Any]) -> str:
    text = f"{_SHORT.get(key, words(key))} {number(leaves[key])}"
    interval = leaves.get(f"{key}_interval")
    if isinstance(interval, (list, tuple)) and len(interval) == 2 and all(map(finite, interval)):
        text += f" [{number(interval[0])} to {number(interval[1])}]"
    return text


def _leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield str(key), value


def _flat(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{path} {_SHORT.get(str(key), words(str(key)))}".strip()
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif not isinstance(value, (list, tuple)) or all(not isinstance(v, (list, tuple, dict)) for v in value):
            yield name, number(value)
