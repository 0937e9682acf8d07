"""Annotation tables as people keep them."""

from __future__ import annotations

from pathlib import Path

import dataset_tables as make
import pytest

from fleeting.datasets.folders import FrameFolders, find_table
from fleeting.datasets.tables import Table, read_headerless, read_table
from fleeting.errors import DataError

NEEDS = [("Subject",), ("Onset Frame", "OnsetFrame")]


@pytest.mark.parametrize(
    "text",
    [
        "Subject,OnsetFrame\n01,4\n",
        "\ufeffsubject;onset frame\n01;4\n",
        "SUBJECT\tOnset_Frame\n01\t4\n",
        "Subject , Onset Frame,\n\n01,4\n,\n",
    ],
)
def test_csv_in_its_dialects(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path, needs=NEEDS).renamed({"subject": NEEDS[0], "onset": NEEDS[1]})
    assert table.records == ({"subject": "01", "onset": "4"},)


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("about this table\n\nSubject,OnsetFrame\n\n01,4\n02,5\n", encoding="utf-8")
    assert read_table(path, needs=NEEDS).numbers == (5, 6)


def test_the_first_of_two_columns_of_a_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,a\n1,2,3\n", encoding="utf-8")
    assert Table.of_csv(path).records == ({"a": "1", "b": "2"},)


def test_numbers_of_excel_are_text_as_it_is_read(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl", reason="Excel tables come with the extra research")
    path = make.workbook(tmp_path / "t.xlsx", notes=[["x"]], data=[["Subject", "OnsetFrame"], [1.0, 2.5], ["01", None]])
    table = read_table(path, needs=NEEDS)
    assert [(r["Subject"], r["OnsetFrame"]) for r in table.records] == [("1", "2.5"), ("01", "")]
    with pytest.raises(DataError, match="the columns Apex; got .*t.xlsx with Subject, OnsetFrame"):
        read_table(path, needs=[*NEEDS, ("Apex",)])
    (tmp_path / "bad.xlsx").write_text("no zip")
    with pytest.raises(DataError, match="readable Excel table"):
        read_table(tmp_path / "bad.xlsx", needs=NEEDS)


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Subject,Onset\nJosé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="a readable table in UTF-8"):
        read_table(path, needs=NEEDS)
    path.write_text("")
    with pytest.raises(DataError, match="the columns Subject, Onset Frame; got .* with none"):
        read_table(path, needs=NEEDS)
    with pytest.raises(DataError, match="which is empty"):
        Table.of_csv(path)
    path.write_text("1 2 3\n4 5\n")
    with pytest.raises(DataError, match=r"3 columns \(a, b, c\); got 2 in row 2"):
        read_headerless(path, ("a", "b", "c"))


def test_the_last_version_of_a_table_is_taken(tmp_path: Path) -> None:
    for name in ("coding-2014.csv", "coding-2019.csv", "~$coding-2020.csv", "other.csv"):
        (tmp_path / name).write_text("")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "coding-2021.csv").write_text("")
    assert find_table(tmp_path, ("coding*.csv", "*.csv")).name == "coding-2019.csv"
    assert find_table(tmp_path, ("OTHER*.csv",)).name == "other.csv"
    with pytest.raises(DataError, match=r"a table \(x\*\.csv, y\*\.csv\) in .*; got none"):
        find_table(tmp_path, ("x*.csv", "y*.csv"))


def test_folders_are_found_however_deep_and_spelled(tmp_path: Path) -> None:
    (tmp_path / "set" / "Frames" / "S1" / "clip").mkdir(parents=True)
    folders = FrameFolders(tmp_path)
    assert folders.find("s1", "CLIP") == tmp_path / "set" / "Frames" / "S1" / "clip"
    assert folders.find("s1", "cl", prefix=True).name == "clip"
    assert folders.find("s1", "gone") == tmp_path / "set" / "Frames" / "s1" / "gone"
    assert folders.find("s2", "gone") == tmp_path / "s2" / "gone"
    assert folders.first(("s9", "x"), ("s1", "clip")).is_dir()
