"""Files as other programs write them, read into a coder's log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coded_films import code, make_film
from pympi import Eaf

from fleeting import FleetingWarning
from fleeting.coding.coders import coders_of
from fleeting.coding.films import Film
from fleeting.coding.imports import face_of, import_file, kind_of
from fleeting.coding.log import CodingLog
from fleeting.errors import DataError, InputError
from fleeting.synthesis.truth import TruthRow, write_truth

OLD_TABULAR = """Observation id,interview
Media file(s)
Observation date,2024-01-01

Time,Media file path,Total length,FPS,Subject,Behavior,Behavioral category,Modifiers,Comment,Status
0.500,/films/interview.mp4,15,200,face1,micro,,positive,"a; b, c",START
0.700,/films/interview.mp4,15,200,face1,micro,,positive,,STOP
1.000,/films/interview.mp4,15,200,,blink,,,,START
1.200,/films/interview.mp4,15,200,,blink,,,,STOP
2.000,/films/interview.mp4,15,200,,nod,,,,POINT
"""
AGGREGATED = """Observation id\tSubject\tBehavior\tModifiers\tBehavior type\tStart (s)\tStop (s)\tComment start
interview\tNo focal subject\tmacro\tNone\tSTATE\t1.5\t3.25\t
interview\tNo focal subject\tscratch\t\tPOINT\t4\t4\t
"""


@pytest.fixture
def film(tmp_path: Path) -> Film:
    return make_film(tmp_path / "results" / "interview", faces=2)


def read(into: Film, path: Path, **how: object) -> list[tuple[object, ...]]:
    import_file(path, into.folder, "anna", **how)  # type: ignore[arg-type]
    return [
        (e.kind, e.face, e.onset_frame, e.apex_frame if e.apex_known else None, e.offset_frame, e.emotion, e.note)
        for e in CodingLog(into, "anna").items
    ]


def elan(path: Path, **tiers: list[tuple[int, int, str]]) -> Path:
    eaf = Eaf()
    eaf.remove_tier("default")
    for name, marks in tiers.items():
        eaf.add_tier(name)
        for annotation in marks:
            eaf.add_annotation(name, *annotation)
    eaf.to_file(str(path))
    return path


def test_elan_of_somebody_else(film: Film, tmp_path: Path) -> None:
    path = elan(
        tmp_path / "a.eaf",
        micro=[(500, 700, "happiness"), (900, 1000, "lip corner, left only")],
        micro_apex=[(600, 605, "x")],
        smiles=[(2000, 4000, "")],
        speech=[(0, 100, "hello")],
    )
    with pytest.warns(FleetingWarning, match=r"left out, no kinds: 'speech' \(1\)"):
        rows = read(film, path, kinds={"smiles": "macro"})
    assert rows == [
        ("micro", 0, 100, 120, 140, "happiness", ""),
        ("micro", 0, 180, None, 200, None, "lip corner, left only"),
        ("macro", 0, 400, None, 800, None, ""),
    ]


def test_a_tier_can_be_left_out_without_a_word(film: Film, tmp_path: Path) -> None:
    path = elan(tmp_path / "a.eaf", blink=[(500, 700, "")], speech=[(0, 100, "hello")])
    assert read(film, path, kinds={"speech": ""}) == [("blink", 0, 100, None, 140, None, "")]


def test_a_file_without_known_names_says_which_it_has(film: Film, tmp_path: Path) -> None:
    path = elan(tmp_path / "a.eaf", smiles=[(500, 700, "")])
    with pytest.raises(InputError, match="--kind 'smiles=micro'"):
        read(film, path)
    with pytest.raises(InputError, match="Did you mean 'smiles'"):
        read(film, path, kinds={"smile": "micro"})
    with pytest.raises(InputError, match="Did you mean 'micro'"):
        read(film, path, kinds={"smiles": "mikro"})


@pytest.mark.parametrize(("text", "name"), [(OLD_TABULAR, "a.csv"), (OLD_TABULAR.replace(",", "\t"), "a.tsv")])
def test_boris_table_of_an_older_version(film: Film, tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / name).write_text(text.replace('"a; b\t c"', '"a; b, c"'))
    assert read(film, tmp_path / name) == [
        ("micro", 1, 100, None, 140, "positive", "a; b, c"),
        ("blink", 0, 200, None, 240, None, ""),
    ]


def test_boris_table_of_aggregated_events(film: Film, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(AGGREGATED)
    assert read(film, tmp_path / "a.tsv") == [("macro", 0, 300, None, 650, None, "")]


def test_boris_project_with_many_observations(film: Film, tmp_path: Path) -> None:
    event = [[0.5, "", "micro", "", ""], [0.7, "", "micro", "", ""], [0.6, "", "nod", "", ""]]
    values = {
        "behaviors_conf": {"0": {"code": "micro", "type": "State event"}, "1": {"code": "nod", "type": "Point event"}},
        "observations": {
            "monday": {"file": {"1": ["C:\\films\\Interview.MP4"]}, "events": event},
            "tuesday": {"file": {"1": ["/films/other.mp4"]}, "events": event[:1]},
        },
    }
    path = tmp_path / "a.boris"
    path.write_text(json.dumps(values))
    with pytest.raises(DataError, match="a stop of micro"):
        read(film, path)
    values["observations"]["tuesday"]["events"] = event  # type: ignore[index]
    path.write_text(json.dumps(values))
    with pytest.warns(FleetingWarning, match="no results of that name are there: other"):
        assert read(film, path) == [("micro", 0, 100, None, 140, None, "")]
    assert read(film, path, film="other") == [("micro", 0, 100, None, 140, None, "")], "it is there already"
    with pytest.raises(InputError, match="a film of"):
        read(film, path, film="third")


def test_a_truth_table_goes_to_the_films_that_it_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_film(tmp_path / "results" / name)
    rows = [
        TruthRow("a.mp4", 10, 12, 20, "micro", "happiness", action_units="AU12", peak_percent_iod=1.0),
        TruthRow("b.mp4", 30, None, 50, "macro"),
    ]
    path = write_truth(tmp_path / "truth.csv", rows)
    done = import_file(path, tmp_path / "results", "anna")
    assert [(d.film, d.added) for d in done] == [("a", 1), ("b", 1)]
    (event,) = CodingLog(Film.open(tmp_path / "results" / "a"), "anna").events
    assert (event.onset_frame, event.emotion, event.action_units, event.origin) == (10, "happiness", "AU12", "person")
    (event,) = CodingLog(Film.open(tmp_path / "results" / "b"), "anna").events
    assert not event.apex_known


def test_tables_of_the_field(film: Film, tmp_path: Path) -> None:
    (tmp_path / "megc.csv").write_text("vid,pred_onset,pred_offset,type\ninterview,10,20,me\ninterview,30,90,mae\n")
    assert [row[:5] for row in read(film, tmp_path / "megc.csv")] == [
        ("micro", 0, 10, None, 20),
        ("macro", 0, 30, None, 90),
    ]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("kind,onset_frame,offset_frame\nmicro,10,4000\n", r"row 2 of .*offset < 3000"),
        ("kind,onset_frame,offset_frame\nmicro,30,20\n", "row 2 of"),
        ("kind,onset_frame,offset_frame\nmicro,1.5,20\n", "whole number from 0 in row 2"),
        ("kind,onset_frame,offset_frame\nmicro,ten,20\n", "a number in row 2"),
        ("kind,onset_frame,offset_frame\nmicro,10,\n", "onset and an offset"),
        ("kind,onset_s,offset_s\nmicro,1,99\n", "a time of 0 to 14.995 s"),
        ("kind,onset_frame,offset_frame,action_units\nmicro,1,9,smile\n", "action units"),
        ("kind,onset_frame,offset_frame,certainty\nmicro,1,9,sure\n", "a certainty of"),
        ("a,b\n1,2\n", "the columns kind"),
        ("", "columns kind"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_nothing_is_read(
    film: Film, tmp_path: Path, table: str, why: str
) -> None:
    (tmp_path / "a.csv").write_text(table)
    with pytest.raises(DataError, match=why):
        read(film, tmp_path / "a.csv")
    assert not (film.folder / "coding").exists()


@pytest.mark.parametrize("name", ["a.eaf", "a.boris", "a.json", "none.eaf", "none.csv"])
def test_what_is_no_such_file_is_an_error(film: Film, tmp_path: Path, name: str) -> None:
    if name.startswith("a"):
        (tmp_path / name).write_text("nonsense" if name != "a.json" else "[1]")
    with pytest.raises(DataError, match=name):
        read(film, tmp_path / name)


def test_a_file_without_events_says_that_the_coder_saw_none(film: Film, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("kind,onset,offset\n")
    assert read(film, tmp_path / "a.csv") == []
    assert coders_of(film.folder) == ("anna",)


def test_it_is_one_edit_and_adds_to_what_is_there(film: Film, tmp_path: Path) -> None:
    code(film, "anna", ("micro", 10, 12, 20))
    (tmp_path / "a.csv").write_text("kind,onset,apex,offset\nmicro,10,12,20\nmicro,30,32,40\nblink,50,,60\n")
    (done,) = import_file(tmp_path / "a.csv", film.folder, "anna")
    assert (done.added, done.known) == (2, 1)
    log = CodingLog(film, "anna")
    log.undo()
    assert len(log.events) == 1


@pytest.mark.parametrize(
    ("name", "kind", "face"),
    [
        ("micro", "micro", None),
        ("face1_micro", "micro", 1),
        ("face0_blink_2", "blink", 0),
        ("Micro-expression", "micro", None),
        ("macro 2", "macro", None),
        ("MAE", "macro", None),
        ("cannot be coded", "uncodable", None),
        ("microphone", None, None),
    ],
)
def test_names_of_kinds(name: str, kind: str | None, face: int | None) -> None:
    assert (kind_of(name), face_of(name)) == (kind, face)
