"""The honest scores of a network in one clause, each with the data that it was measured on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleeting.report.wording import expression_score, finite, headline, number


def score(card: Mapping[str, Any]) -> str:
    """Return what a network reached on data that it was not trained on; empty where its card does not say so."""
    scores = card.get("scores")
    told = _TOLD.get(str(card.get("name", "")))
    found = told(scores) if told is not None and isinstance(scores, Mapping) else ""
    return found or expression_score(card) or headline(card)


def _finder(scores: Mapping[str, Any]) -> str:
    value = scores.get("average_precision")
    return f"average precision {number(value)} ({_protocol(scores)})" if finite(value) else ""


def _landmarks(scores: Mapping[str, Any]) -> str:
    test = scores.get("test")
    value = test.get("nme68") if isinstance(test, Mapping) else None
    return (
        f"mean error {number(value)} % of the distance between the outer eye corners, test people"
        if finite(value)
        else ""
    )


def _spotter(scores: Mapping[str, Any]) -> str:
    right = scores.get("accuracy")
    if not finite(right):
        return ""
    text = f"{number(right)} of the candidates in films of validation people judged rightly"
    talkers = scores.get("talkers_left_out")
    if not isinstance(talkers, Mapping) or not finite(talkers.get("false_micro")):
        return text
    return (
        f"{text}; {talkers['false_micro']} false micro-expression(s) in {number(talkers.get('seconds'))} s of "
        f"{number(talkers.get('films'))} films of people who talk{_interval(talkers.get('per_minute_95'), ' a minute')}"
    )


def _units(scores: Mapping[str, Any]) -> str:
    told = []
    for name in ("casme2 -> samm", "samm -> casme2"):
        one = scores.get(name)
        eight = one.get("eight") if isinstance(one, Mapping) else None
        if isinstance(eight, Mapping) and finite(eight.get("f1")):
            told.append(f"{number(eight['f1'])}{_interval(eight.get('f1_interval'))} ({name.replace('->', 'to')})")
    return f"mean F1 of 8 units in a laboratory that it was not trained on {' and '.join(told)}" if told else ""


def _flow(scores: Mapping[str, Any]) -> str:
    noise = scores.get("noise")
    if not isinstance(noise, Mapping) or not finite(noise.get("1")):
        return ""
    error = number(noise["1"])
    return f"mean end-point error {error} px at a peak of 1 px with noise, synthetic pairs of validation people"


_TOLD = {
    "action_units": _units,
    "face_finder": _finder,
    "landmarks": _landmarks,
    "micro_flow": _flow,
    "spotter": _spotter,
}


def _protocol(scores: Mapping[str, Any]) -> str:
    return str(scores.get("protocol", "protocol unknown")).split(";")[0]


def _interval(bounds: Any, unit: str = "") -> str:
    if isinstance(bounds, (list, tuple)) and len(bounds) == 2 and all(map(finite, bounds)):
        return f" [{number(bounds[0])} to {number(bounds[1])}{unit}]"
    return ""
