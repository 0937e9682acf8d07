"""What a coder said comes back from every format that holds it: times, classes, units, notes, origin."""

from __future__ import annotations

import json
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from coded_films import make_film
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pympi import Eaf

from fleeting.coding.exports import export
from fleeting.coding.films import Film
from fleeting.coding.imports import import_file
from fleeting.coding.log import CodingLog
from fleeting.coding.proposals import accepted
from fleeting.export import timeline_json
from fleeting.records import CODED_KINDS, REGIONS, CodedEvent
from fleeting.records.coded import CERTAINTIES

FILES = {"csv": "events.csv", "json": "timeline.json", "elan": "events.eaf", "bids": "events.tsv"}
BORIS = ("events.boris", "boris_events.csv")
COMPARED = (
    *("face", "kind", "onset_frame", "apex_frame", "offset_frame", "onset_s", "apex_s", "offset_s", "apex_known"),
    *("emotion", "scheme", "action_units", "certainty", "note", "id", "origin", "regions"),
)
EMPTY = ("n/a", "nan", "-", "/")
"""A note of these alone says in some tables that there is none."""

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
units = st.lists(
    st.builds("{}{}{}".format, st.sampled_from(["", "L", "R"]), st.integers(1, 28), st.sampled_from(["", *"ABCDE"])),
    max_size=3,
)


@st.composite
def coded(draw: st.DrawFn, film: Film) -> CodedEvent:
    onset = draw(st.integers(0, film.timeline.frame_count - 1))
    offset = draw(st.integers(onset, min(onset + 400, film.timeline.frame_count - 1)))
    apex = draw(st.none() | st.integers(onset, offset))
    event = film.new_event(draw(st.sampled_from(CODED_KINDS)), onset, apex, offset, face=draw(st.integers(0, 1)))
    scheme = draw(st.sampled_from(["", "3", "casme2-5"]))
    emotions = {"": ["embarrassment", "\u00e9tonnement", "mixed feelings", "unsure"], "3": ["negative", "unsure"]}
    return replace(
        event,
        emotion=draw(st.none() | st.sampled_from(emotions.get(scheme, ["repression"]))),
        scheme=scheme,
        action_units="+".join(draw(units)),
        certainty=draw(st.sampled_from(["", *CERTAINTIES])),
        note=draw(words.filter(lambda text: text.strip().lower() not in EMPTY)),
        origin=draw(st.sampled_from(["person", "machine", "corrected"])),
        regions=tuple(draw(st.lists(st.sampled_from(REGIONS), unique=True, max_size=2))),
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return make_film(tmp_path_factory.mktemp("results") / "interview", faces=2, uneven=True)


def through(film: Film, events: list[CodedEvent], format_: str, file: str) -> tuple[CodingLog, CodingLog]:
    """Put events into a log, write them, read them into the log of another film's folder, and return both."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        here, there = (make_film(folder / side / "interview", timeline=film.timeline) for side in ("here", "there"))
        log = CodingLog(here, "anna")
        log.put(*events)
        export(here.folder, "anna", out=folder / "out", formats=[format_])
        path = folder / "out" / "interview" / file
        import_file(path, there.folder, "Ben")
        again = CodingLog(there, "ben")
        before = again.path.read_bytes()
        import_file(path, there.folder, "ben")
        assert again.path.read_bytes() == before, "read twice, it is not there twice"
        return log, again


@pytest.mark.parametrize(("format_", "file"), [*FILES.items(), *(("boris", file) for file in BORIS)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_is_lost(format_: str, file: str, data: st.DataObject, film: Film) -> None:
    events = data.draw(st.lists(coded(film), min_size=1, max_size=4))
    log, again = through(film, events, format_, file)
    assert sorted(map(said, log.items)) == sorted(map(said, again.items))
    assert {e.coder for e in again.items} == {"ben"}


def said(event: CodedEvent) -> tuple[str, ...]:
    return tuple(repr(getattr(event, name)) for name in COMPARED)


def test_the_files_say_who_coded_and_where_from(film: Film, tmp_path: Path) -> None:
    from fleeting.export.formats import installed_formats

    here = make_film(tmp_path / "interview")
    log = CodingLog(here, "anna")
    log.put(accepted(here.timeline.of_kind("micro")[0]), here.new_event("micro", 2900, 2910, 2950))
    export(tmp_path, "anna", out=tmp_path / "out", formats=installed_formats())
    folder = tmp_path / "out" / "interview"
    eaf = Eaf(str(folder / "events.eaf"))
    assert eaf.get_parameters_for_tier("face0_micro")["ANNOTATOR"] == "anna"
    origins = [row[2] for row in eaf.get_ref_annotation_data_for_tier("face0_micro_origin")]
    assert origins == ["machine", "person"]
    sidecar = json.loads((folder / "events.json").read_text())
    header = (folder / "events.tsv").read_text().splitlines()[0].split("\t")
    assert set(header) == set(sidecar)
    assert "origin: machine" in (folder / "events.boris").read_text()
    assert (folder / "megc_spotting.csv").read_text().splitlines()[1:] == [
        "interview,420,490,me",
        "interview,2900,2950,me",
    ]
    schema = json.loads((Path(timeline_json.__file__).parent / "timeline.schema.json").read_text())
    jsonschema.validate(json.loads((folder / "timeline.json").read_text()), schema)
    known = set(schema["$defs"]["event"]["properties"]) | set(schema["$defs"]["coded_event"]["properties"])
    assert {f.name for f in fields(CodedEvent)} <= known
    first, _ = timeline_json.read_timeline(folder / "timeline.json").events
    assert isinstance(first, CodedEvent)
    assert first.proposal == here.timeline.of_kind("micro")[0]


def test_what_the_machine_found_is_written_as_before(film: Film, tmp_path: Path) -> None:
    here = make_film(tmp_path / "interview")
    export(tmp_path, "machine", out=tmp_path / "out", formats=["csv"])
    assert (tmp_path / "out" / "interview" / "events.csv").read_text().startswith("face,kind,onset_frame")
    assert "coder" not in (tmp_path / "out" / "interview" / "events.csv").read_text()
    assert import_file(tmp_path / "out" / "interview" / "events.csv", here.folder, "anna")[0].added == 9
    log = CodingLog(here, "anna")
    assert [e.onset_frame for e in log.events] == [e.onset_frame for e in here.timeline.events]
