from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.datasets.action_unit_text import LARGEST, SIDES, ActionUnit, as_text, parse


@pytest.mark.parametrize(
    ("text", "units", "remarks"),
    [
        ("12", "AU12", ()),
        ("4+L10", "AU04+LAU10", ()),
        ("15A+17", "AU15A+AU17", ()),
        ("A1B+A2C", "AAU01B+AAU02C", ()),
        ("ref(7B)+43", "ref(AU07B)+AU43", ()),
        ("L12 or L14", "LAU12?+LAU14?", ()),
        ("ref(7B+4)+43", "ref(AU07B)+ref(AU04)+AU43", ()),
        ("(R6 or R12)+R15", "RAU06?+RAU12?+RAU15", ()),
        ("4A/B", "AU04A/B", ()),
        ("T18+39", "TAU18+AU39", ()),
        ("R14+17+soft focus", "RAU14+AU17", ("soft focus",)),
        ("4(k)+7", "AU04?+AU07", ()),
        ("B17, 24; r12", "BAU17+AU24+RAU12", ()),
        (" AU6 + AU 12 ", "AU06+AU12", ()),
        ("12+12", "AU12", ()),
        ("5?", "AU05?", ()),
        ("", "", ()),
        ("/", "", ()),
        ("none", "", ()),
        ("144", "", ("144",)),
        ("(R6 or", "", ("(R6",)),
        ("4+", "AU04", ()),
    ],
)
def test_cells_of_the_data_sets(text: str, units: str, remarks: tuple[str, ...]) -> None:
    found = parse(text)
    assert as_text(found.units) == units
    assert found.remarks == remarks


def test_what_the_letters_mean() -> None:
    (unit,) = parse("L12C").units
    assert (unit.name, unit.side, unit.intensity) == ("AU12", "left", "C")
    assert not unit.doubtful
    (rest, other) = parse("ref(7B)+43").units
    assert rest.at_rest
    assert not other.at_rest


UNITS = st.builds(
    ActionUnit,
    number=st.integers(1, LARGEST),
    side=st.sampled_from(["", *SIDES.values()]),
    intensity=st.sampled_from(["", "A", "E", "B/C"]),
    doubtful=st.booleans(),
    at_rest=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(UNITS, unique=True, max_size=6))
def test_text_reads_back(units: list[ActionUnit]) -> None:
    again = parse(as_text(tuple(units)))
    assert again.units == tuple(units)
    assert not again.remarks


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_can_be_read(text: str) -> None:
    parse(text)


def test_impossible_units_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 98; got 0"):
        ActionUnit(0)
    with pytest.raises(ValueError, match="a side of"):
        ActionUnit(1, side="middle")
