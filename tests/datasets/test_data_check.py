from __future__ import annotations

import json
from pathlib import Path

import dataset_tables as make
import pytest
from command import Command

from fleeting.datasets.check import check
from fleeting.datasets.manifest_files import read_manifest
from fleeting.datasets.registry import named_data
from fleeting.errors import DataError

pytest.importorskip("openpyxl", reason="Excel tables come with the extra research")


def test_what_is_said_of_a_set(fleeting: Command, tmp_path: Path) -> None:
    said = fleeting("data", "check", f"samm={make.samm(tmp_path)}")
    assert said.status == 0
    for text in (
        "samm: SAMM\n",
        "6 of 6 subjects in 6 recordings",
        "anger 1 instead of 57",
        "missing      frames of 5 clips",
        "3 classes    negative 3, positive 1, surprise 1",
        "028/028_4_1  apex: 1143 -> unknown  It lies outside of the clip (1100 to 1134).",
    ):
        assert text in said.out


def test_several_sets_one_of_them_wrong(fleeting: Command, tmp_path: Path) -> None:
    out = tmp_path / "all.parquet"
    sets = [f"casme2={make.casme2(tmp_path / 'c')}", f"samm={tmp_path / 'gone'}", f"dfme={make.dfme(tmp_path / 'd')}"]
    said = fleeting("data", "check", *sets, "--json", "--out", out)
    assert said.status == 1
    first, wrong, last = json.loads(said.out)
    assert "gone, which does not exist" in wrong["error"]
    assert "gone, which does not exist" in said.err
    assert first["missing"] == [str(tmp_path / "c" / "sub02" / "EP01_11f"), str(tmp_path / "c" / "sub26" / "EP18_46")]
    assert first["corrections"][0]["was"] == "/"
    assert last["published"]["clips"] == 7526
    assert len(read_manifest(out)) == first["clips"] + last["clips"]


def test_a_whole_set_is_as_published(tmp_path: Path) -> None:
    rows = [["spNO.1", "a", 10 * i, 10 * i + 2, 10 * i + 4, "4", "I", "happy"] for i in range(1, 861)]
    for i, row in enumerate(rows):
        row[0] = f"spNO.{i % 94}"
    head = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]
    table = make.workbook(tmp_path / "casme3.xlsx", label=[head, *rows])
    assert check(named_data(f"casme3={table}"))[0].differences == ()
    make.workbook(table, label=[head, *rows[1:]])
    assert check(named_data(f"casme3={table}"))[0].differences == ("clips 859 instead of 860",)


def test_counts_of_the_composite_parts(shared_data: Path) -> None:
    found, _ = check(named_data(f"composite={shared_data / 'composite_flow_casme2_smic.npz'}"))
    assert found.differences == ("nothing of samm",)


def test_pictures_of_nobody_in_particular(fleeting: Command, tmp_path: Path) -> None:
    said = fleeting("data", "check", f"fer2013={make.fer_csv(tmp_path / 'fer2013.csv')}")
    assert "  clips        7\n" in said.out
    assert "Nobody is named, so no split can hold out people." in said.out


def test_remarks(tmp_path: Path) -> None:
    one = make.own(tmp_path / "own", ["clip_a,ann,4,10,20,fear,200", "clip_a,ann,22,,30,fear,200"])
    assert check(named_data(f"own={one}"))[0].remarks == (
        "One subject: nobody is left to train on when it is held out.",
        "1 clips without a known apex: fleeting prepare takes the frame that moved most.",
    )
    long = check(named_data(f"samm-lv={make.samm_long(tmp_path / 'lv')}"))[0].remarks
    assert long[0] == "The people are those of 'samm': a split must keep the two sets' subjects together."
    assert long[1] == "No emotions: fit for spotting, not for recognition."
    both = check(named_data(f"4dme={make.fourdme(tmp_path / '4')}"))[0].remarks
    assert both == ("1 clips with several emotions, which no scheme of single classes takes.",)


def test_long_lists_are_cut_unless_asked_for(fleeting: Command, tmp_path: Path) -> None:
    rows = [f"gone_{i},p{i},4,,20,fear,200" for i in range(20)]
    path = make.own(tmp_path, rows)
    short = fleeting("data", "check", f"own={path}")
    assert short.out.count("gone_") == 16
    assert short.out.count("... and 12 more (--all lists them)") == 2
    assert fleeting("data", "check", f"own={path}", "--all").out.count("gone_") == 40


def test_unknown_names(fleeting: Command) -> None:
    said = fleeting("data", "check", "casmeII=x")
    assert said.status == 1
    assert "Did you mean 'casme2'?" in said.err


def test_a_manifest_is_a_data_set(fleeting: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make.casme2(tmp_path / "c")
    monkeypatch.chdir(tmp_path)
    assert fleeting("data", "check", "casme2=c", "--out", "m.csv").status == 0
    first = named_data("casme2=c").read()
    monkeypatch.chdir(tmp_path / "c")
    again = named_data(f"manifest={tmp_path / 'm.csv'}").read()
    assert [(r.id, r.onset, r.first_number) for r in again.rows] == [
        (r.id, r.onset, r.first_number) for r in first.rows
    ]
    assert again.corrections == first.corrections
    assert len(again.missing()) == 2, "paths hold wherever the manifest is read"
    with pytest.raises(DataError, match="a manifest. Give it as manifest="):
        named_data(f"own={tmp_path / 'm.csv'}").read()
