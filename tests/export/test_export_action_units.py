"""Action units of events in every file, in the table and on the card of the report."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from jsonschema import validate
from timelines import make_media, make_timeline

from fleeting.export.formats import write
from fleeting.export.timeline_json import read_timeline, write_timeline
from fleeting.records import LID_KINDS, Event, Timeline, UnitAnswer
from fleeting.records.action_units import parse
from fleeting.records.digits import rounded
from fleeting.report.build import render
from fleeting.report.muscles import MUSCLES, strokes

SHOWN = (UnitAnswer("AU12", "left", 0.91), UnitAnswer("AU06", "both", 0.6375))
TEXT, CHANCES = "LAU12+AU06", "0.91+0.6375"


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    made = make_timeline(seconds=8.0)
    return replace(
        made, events=tuple(e if e.kind in LID_KINDS else replace(e, action_units=SHOWN) for e in made.events)
    )


def table(path: Path, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter=separator))


def test_a_unit_is_written_as_manifests_write_it() -> None:
    assert [str(unit) for unit in (*SHOWN, UnitAnswer("AU04", "right", 0.5))] == ["LAU12", "AU06", "RAU04"]
    for unit in (*SHOWN, UnitAnswer("AU04", "right", 0.5)):
        (read,) = parse(str(unit)).units
        assert (read.name, read.side) == (unit.unit, "" if unit.side == "both" else unit.side)
    with pytest.raises(ValueError, match="left"):
        UnitAnswer("AU12", "up", 0.5)  # type: ignore[arg-type]


def test_digits_of_units() -> None:
    event = Event(0, "micro", 1, 2, 3, 0.1, 0.2, 0.3, action_units=(UnitAnswer("AU12", "left", 0.999999),))
    assert rounded(event).action_units[0].probability == 0.9999


def test_tables_have_units_and_their_probabilities(timeline: Timeline, tmp_path: Path) -> None:
    write(timeline, tmp_path, ["csv", "bids", "boris", "elan"])
    rows = table(tmp_path / "events.csv")
    for row, event in zip(rows, timeline.events, strict=True):
        expected = ("", "") if event.kind in LID_KINDS else (TEXT, CHANCES)
        assert (row["action_units"], row["action_unit_probabilities"]) == expected
    frame = timeline.to_dataframe()
    assert frame["action_units"].tolist() == [r["action_units"] for r in rows]
    bids = table(tmp_path / "events.tsv", "\t")
    assert [r["action_units"] for r in bids] == [r["action_units"] or "n/a" for r in rows]
    assert {"action_units", "action_unit_probabilities"} <= set(json.loads((tmp_path / "events.json").read_text()))
    project = json.loads((tmp_path / "events.boris").read_text(encoding="utf-8"))
    (observed,) = project["observations"].values()
    assert sum(TEXT in entry[4] for entry in observed["events"]) == sum(
        e.kind not in LID_KINDS for e in timeline.events
    )


def test_elan_has_a_tier_of_units(timeline: Timeline, tmp_path: Path) -> None:
    from pympi import Eaf

    write(timeline, tmp_path, ["elan"])
    eaf = Eaf(str(tmp_path / "events.eaf"))
    said = eaf.get_ref_annotation_data_for_tier("face0_micro_action_units")
    assert {row[2] for row in said} == {TEXT}
    assert len(said) == len(timeline.of_kind("micro"))


def test_the_timeline_comes_back(timeline: Timeline, tmp_path: Path) -> None:
    path = write_timeline(timeline, tmp_path / "timeline.json")
    assert read_timeline(path).events == timeline.events
    values = json.loads(path.read_text(encoding="utf-8"))
    schema = resources.files("fleeting.export").joinpath("timeline.schema.json").read_text(encoding="utf-8")
    validate(values, json.loads(schema))
    for event in values["events"]:
        del event["action_units"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert all(event.action_units == () for event in read_timeline(path).events), "a timeline of a former version"


def test_the_card_shows_units_and_muscles(timeline: Timeline) -> None:
    page = render(timeline, make_media(timeline))
    cards = re.findall(r'<article class="card.*?</article>', page, re.DOTALL)
    assert len(cards) == sum(e.kind not in LID_KINDS for e in timeline.events)
    for card in cards:
        assert f'<span class="chip">{TEXT}</span>' in card
        assert "lip corner puller on the left" in card
        assert "zygomaticus major" in card
        assert "91 %" in card
        assert len(re.findall(r'class="muscle"', card)) == 3, "one side of AU12, both of AU06"
        assert card.count("scale(-1 1)") == 1, "of AU06, on the person's right"
    bare = replace(timeline, events=tuple(replace(e, action_units=()) for e in timeline.events))
    assert 'class="muscle"' not in render(bare, {})


def test_every_unit_of_the_network_has_a_muscle() -> None:
    from fleeting.naming.action_units import MIDLINE, UNITS

    assert set(MUSCLES) == set(UNITS)
    assert {name for name, muscle in MUSCLES.items() if not muscle.sides} == MIDLINE
    drawn = strokes(tuple(UnitAnswer(name, "right", 0.5) for name in UNITS))
    assert [d["mirrored"] for d in drawn] == [name not in MIDLINE for name in reversed(UNITS)]
    assert strokes((UnitAnswer("AU43", "both", 0.5),)) == []
