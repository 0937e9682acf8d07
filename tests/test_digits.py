"""Rounded records: as many digits as mean something, and no certainty that was not measured."""

from __future__ import annotations

import pytest

from fleeting.records import Event
from fleeting.records.digits import rounded


@pytest.mark.parametrize(
    ("exact", "kept"), [(0.999996, 0.9999), (0.00001, 0.0001), (0.12344, 0.1234), (1.0, 1.0), (0.0, 0.0)]
)
def test_rounding_claims_no_certainty(exact: float, kept: float) -> None:
    said = {"negative": exact}
    event = Event(0, "micro", 1, 2, 3, 0.1, 0.2, 0.3, confidence=exact, probability=exact, probabilities=said)
    found = rounded(event)
    assert (found.confidence, found.probability, found.probabilities["negative"]) == (kept, kept, kept)


def test_what_is_no_probability_is_only_rounded() -> None:
    event = Event(0, "micro", 1, 2, 3, 0.1, 0.2, 0.3, displacement_percent_iod=0.99996)
    assert rounded(event).displacement_percent_iod == 1.0
