"""``fleeting import``, ``agree``, ``export``, and ``evaluate spotting`` on coded results."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from clips import OFFSET, ONSET
from coded_films import code, make_film
from command import Command

from fleeting import shipped
from fleeting.analysis import analyse as room
from fleeting.analysis.analyse import Analysis
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.errors import DataError, InputError


def test_from_a_file_to_an_agreement(fleeting: Command, tmp_path: Path) -> None:
    results = tmp_path / "results"
    film = make_film(results / "interview")
    code(film, "anna", ("micro", 100, 110, 119), emotion="happiness")
    (tmp_path / "ben.csv").write_text("kind,onset,apex,offset,emotion\nsmile,102,110,119,happiness\nblink,5,6,9,\n")
    said = fleeting("import", tmp_path / "ben.csv", results / "interview", "--coder", "Ben", "--kind", "smile=micro")
    assert said.out.splitlines() == ["interview: 2 events for Ben"]
    said = fleeting("import", tmp_path / "ben.csv", results, "--coder", "ben", "--kind", "smile=micro")
    assert said.out.splitlines() == ["interview: 0 events for ben, 2 were there already"]
    said = fleeting("agree", results, "--coders", "anna", "ben")
    assert said.status == 0
    assert "F1" in said.out
    names = {f"agreement_anna_ben{end}" for end in (".json", ".csv", "_events.csv", ".html")}
    assert {p.name for p in results.iterdir() if p.is_file() and not p.name.startswith(".")} == names
    said = fleeting("agree", results, "--coders", "anna", "machine", "--json", "--out", tmp_path / "out")
    metrics = json.loads(said.out)
    assert metrics["machine"]["micro"]["missed"] == 1
    said = fleeting("export", results, "--coder", "anna", "--out", tmp_path / "coded")
    (row,) = csv.DictReader((tmp_path / "coded" / "interview" / "events.csv").read_text().splitlines())
    assert (row["coder"], row["origin"], row["onset_frame"]) == ("anna", "person", "100")


def test_wrong_words_are_one_line(fleeting: Command, tmp_path: Path) -> None:
    film = make_film(tmp_path / "results" / "interview")
    code(film, "anna", ("micro", 100, 110, 119))
    for words, why in (
        (("agree", tmp_path / "results", "--coders", "anna", "bob"), "a coder with a log"),
        (("agree", tmp_path, "--coders", "anna", "bob"), "a folder of results"),
        (("export", tmp_path / "results", "--coder", "bob"), "a coder with a log"),
        (("export", tmp_path / "results", "--coder", "anna", "--format", "elna"), "Did you mean 'elan'"),
        (("import", film.folder / "timeline.json", tmp_path / "results", "--coder", "a/b"), "a coder's name"),
        (("import", "x.csv", film.folder, "--coder", "a", "--kind", "micro"), "NAME=KIND"),
    ):
        said = fleeting(*words)
        assert said.status == 1
        assert len(said.err.splitlines()) == 1
        assert why in said.err


def test_coded_results_are_the_truth_of_spotting(
    fleeting: Command, analysis: Analysis, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The analysis finds the movement that anna coded; where she could not code, nothing counts."""
    monkeypatch.setattr(room, "analyse_video", lambda *_, **__: analysis)
    results = tmp_path / "results"
    assert fleeting("analyse", clip, "--out", results, "--format", "csv").status == 0
    film = Film.open(results / clip.stem)
    last = film.timeline.frame_count - 1
    code(film, "anna", ("micro", ONSET, None, OFFSET), ("macro", last - 9, None, last), emotion="happiness")
    said = fleeting("evaluate", "spotting", results, "--out", tmp_path / "out", "--json")
    metrics = json.loads(said.out)
    assert (metrics["videos"], metrics["micro"]["true_positives"], metrics["macro"]["false_negatives"]) == (1, 1, 1)
    code(film, "anna", ("uncodable", 0, None, last))
    metrics = shipped.evaluate("spotting", results, coder="anna")
    assert (metrics["micro"]["recall"], metrics["macro"]["recall"]) == (None, None)
    code(film, "ben", ("micro", 0, None, 1))
    with pytest.raises(InputError, match="one coder; got anna, ben"):
        shipped.evaluate("spotting", results)
    CodingLog(film, "Consensus").begin()
    assert shipped.evaluate("spotting", results)["micro"]["false_positives"] == 1
    with pytest.raises(InputError, match="a coder for spotting alone"):
        shipped.evaluate("megc", results, coder="anna")
    run = json.loads((film.folder / "run.json").read_text())
    run["video"]["path"] = str(tmp_path / "gone.mp4")
    (film.folder / "run.json").write_text(json.dumps(run))
    with pytest.raises(DataError, match="the film where it was analysed"):
        shipped.evaluate("spotting", results, coder="anna")
