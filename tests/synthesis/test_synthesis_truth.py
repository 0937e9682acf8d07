from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleeting.errors import DataError
from fleeting.synthesis.face.emotions import activations_of
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile
from fleeting.synthesis.truth import COLUMNS, TruthRow, read_truth, truth_row, write_truth

HEADER = "file,onset,apex,offset,kind,emotion\n"
text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=12)


@st.composite
def rows(draw: st.DrawFn) -> TruthRow:
    onset, rise, fall = (draw(st.integers(0, 10_000)) for _ in range(3))
    known = draw(st.booleans())
    seconds = [x / 200 if known else math.nan for x in (onset, onset + rise, onset + rise + fall)]
    return TruthRow(
        draw(text.filter(bool)),
        onset,
        draw(st.sampled_from([None, onset + rise])),
        onset + rise + fall,
        draw(st.sampled_from(["micro", "macro", "blink"])),
        draw(text),
        *seconds,
        action_units="AU01+AU02",
        side=draw(st.sampled_from(["both", "left", "right"])),
        peak_percent_iod=draw(st.integers(1, 90_000)) / 10_000,
        face=draw(st.integers(0, 3)),
        fps=draw(st.sampled_from([math.nan, 25.0, 29.97003])),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(rows(), max_size=5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, table: list[TruthRow]) -> None:
    path = tmp_path_factory.mktemp("truth") / "truth.csv"
    read = read_truth(write_truth(path, table))
    assert [repr(row) for row in read] == [repr(row) for row in table]  # NaN differs from itself, its name does not


def test_columns_stand_in_the_stated_order(tmp_path: Path) -> None:
    movement = Movement(
        "micro", Profile(1.0, 1.1, 1.3), activations_of("contempt", side="left"), 2.5, "contempt", "left"
    )
    path = write_truth(tmp_path / "truth.csv", [truth_row(movement, file="a.mp4", fps=100.0)])
    lines = path.read_text().splitlines()
    assert lines[0] == (
        "file,onset,apex,offset,kind,emotion,onset_s,apex_s,offset_s,action_units,side,peak_percent_iod,face,fps"
    )
    assert lines[1] == "a.mp4,100,110,130,micro,contempt,1.000000,1.100000,1.300000,AU12+AU14,left,2.5000,0,100.000000"
    assert len(COLUMNS) == 14


def test_six_columns_are_enough_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(
        "\ufeffkind, emotion ,offset,apex,onset,file,coder\nmicro,surprise,20,,10,a.mp4,B\n", encoding="utf-8"
    )
    (row,) = read_truth(path)
    assert (row.file, row.onset, row.apex, row.offset, row.kind, row.emotion) == (
        "a.mp4",
        10,
        None,
        20,
        "micro",
        "surprise",
    )
    assert math.isnan(row.peak_percent_iod)
    assert row.side == "both"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,onset,offset,kind\na,1,2,micro\n", "without apex, emotion"),
        ("", "without file, onset"),
        (HEADER + "a.mp4,10,15,20,micro,x\na.mp4,10,25,20,micro,x\n", "line 3 of truth.csv.*onset <= apex <= offset"),
        (HEADER + "a.mp4,ten,15,20,micro,x\n", "line 2.*ten"),
        (HEADER + "a.mp4,10,15,20,tiny,x\n", "line 2.*micro, macro, blink, wink; got 'tiny'"),
        (HEADER + ",10,15,20,micro,x\n", "line 2.*name is missing"),
        (HEADER + "a.mp4,10\n", "line 2"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_truth(path)


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_truth(tmp_path / "truth.csv")
    (tmp_path / "truth.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match="Save it as UTF-8"):
        read_truth(tmp_path / "truth.csv")
