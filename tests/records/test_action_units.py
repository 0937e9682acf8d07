from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.records.action_units import (
    LARGEST,
    SIDES,
    ActionUnit,
    as_text,
    hedged,
    moved,
    parse,
    parse_strictly,
)


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
        ("(R6 or", "RAU06?", ()),
        ("4+", "AU04", ()),
        # What is in doubt is dropped, the unit stays.
        ("4(B/C)+7B", "AU04+AU07B", ()),
        ("4(C)", "AU04", ()),
        ("A/L12", "AU12", ()),
        ("L/R12+6", "AU12+AU06", ()),
        ("L or R12", "AU12", ()),
        ("L?12", "AU12", ()),
        ("(L)12", "AU12", ()),
        # The unit itself is in doubt.
        ("12/14", "AU12?+AU14?", ()),
        ("6/7(k)", "AU06?+AU07?", ()),
        ("L12C/R14B", "LAU12C?+RAU14B?", ()),
        ("4(B/C) or 7", "AU04?+AU07?", ()),
        ("5(?)", "AU05?", ()),
        ("12+(6 or 7", "AU12+AU06?+AU07?", ()),
        # As the tables of the data sets write them.
        ("R1+R2", "RAU01+RAU02", ()),
        ("4D+ref(6)+7C+43E", "AU04D+ref(AU06)+AU07C+AU43E", ()),
        ("7C+A12B", "AU07C+AAU12B", ()),
        ("B25+T10+L2", "BAU25+TAU10+LAU02", ()),
        ("4 7", "AU04+AU07", ()),
        ("4 and 7", "AU04+AU07", ()),
        ("[4, 7]", "AU04+AU07", ()),
        ("LAU12+AU06", "LAU12+AU06", ()),
        ("12B-C", "AU12B/C", ()),
        ("smile", "", ("smile",)),
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


def test_what_was_dropped_is_said() -> None:
    assert parse("4(B/C)+7B+A/L12").dropped == ("(B/C)", "A/L")
    assert parse("4(k)+L12 or L14").dropped == ()


def test_what_moved_for_certain_and_what_may_have() -> None:
    units = parse("L12 or L14").units + parse("R12+ref(24)+4(B/C)+17?").units
    assert moved(units) == {"AU04", "AU12"}
    assert hedged(units) == {"AU14", "AU17"}, "what is certain elsewhere in the cell is in no doubt"


@pytest.mark.parametrize("text", ["144", "4+144", "AU_12_r=0.3", "0,0,1,0", "smile", "4+L99", "happy+sad"])
def test_a_unit_that_is_none_is_refused_where_it_can_be_mended(text: str) -> None:
    with pytest.raises(ValueError, match="no action unit: '"):
        parse_strictly(text)


@pytest.mark.parametrize(
    ("text", "units"), [("R14+17+soft focus", "RAU14+AU17"), ("", ""), ("/", ""), ("4A/B", "AU04A/B")]
)
def test_words_beside_units_may_stand(text: str, units: str) -> None:
    assert as_text(parse_strictly(text)) == units


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
