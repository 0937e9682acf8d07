from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command import Command
from flow_clips import Learning, Nearest, data_of, made_up

from fleeting.errors import DataError, FleetingWarning, InputError
from fleeting.evaluation.benchmark.protocols import LEAKY
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.evaluation.comparison import page as compare_page
from fleeting.evaluation.comparison import tables as compare_tables
from fleeting.evaluation.comparison.compare import compare

PLAN = BenchmarkSettings("nearest", draws=50)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    data = data_of(made_up(subjects=4, noise=2.5), made_up(subjects=3, name="other", seed=1, noise=2.5))
    run_benchmark(data, Nearest(), PLAN, out=folder / "loso")
    run_benchmark(data, Nearest(), replace(PLAN, protocol="kfold", folds=2, seeds=2), out=folder / "kfold")
    with pytest.warns(FleetingWarning, match="LEAKY"):
        run_benchmark(data, Learning(), replace(PLAN, model="learning_net", protocol=LEAKY), out=folder / "leaky")
    run_benchmark(data_of(made_up(subjects=3)), Nearest(), PLAN, out=folder / "less")
    return {p.name: p for p in folder.iterdir()}


def test_tests_are_against_the_first(runs: dict[str, Path]) -> None:
    first, second = compare([runs["loso"], runs["kfold"]], draws=200)
    assert (first.name, second.name) == ("nearest (loso)", "nearest (kfold)")
    assert first.tests is None
    assert second.tests is not None
    difference = second.metrics["uf1"]["pooled"] - first.metrics["uf1"]["pooled"]
    assert second.tests["uf1"]["difference"] == pytest.approx(difference)
    # McNemar by hand: answers of the mean probabilities over seeds, joined by clip.
    right = []
    for entry in (second, first):
        table = entry.run.predictions()
        mean = table.groupby("clip")[["p_negative", "p_positive", "p_surprise"]].mean()
        truth = table.drop_duplicates("clip").set_index("clip")["truth"]
        right.append(mean.idxmax(axis=1).str[2:] == truth.loc[mean.index])
    assert second.tests["mcnemar"]["only_first"] == int((right[0] & ~right[1]).sum())
    assert second.tests["mcnemar"]["only_second"] == int((~right[0] & right[1]).sum())


def test_subjects_are_shares_of_right_answers(runs: dict[str, Path]) -> None:
    (entry,) = compare([runs["kfold"]])
    assert entry.name == "nearest"
    table = entry.run.predictions()
    for name, (share, clips) in entry.subjects.items():
        rows = table[table["subject"] == name]
        assert share == pytest.approx((rows["truth"] == rows["predicted"]).mean())
        assert clips == len(rows) / 2
    weighted = sum(share * clips for share, clips in entry.subjects.values()) / sum(
        c for _, c in entry.subjects.values()
    )
    assert weighted == pytest.approx(entry.metrics["accuracy"]["pooled"])


def test_a_leaky_run_is_marked_in_every_table(runs: dict[str, Path]) -> None:
    entries = compare([runs["loso"], runs["leaky"]], draws=100)
    assert [e.name for e in entries] == ["nearest", "learning_net", "learning_net LEAKY: best test epoch"]
    assert [e.leaky for e in entries] == [False, False, True]
    assert entries[2].tests is None
    assert entries[2].metrics["uf1"]["pooled"] > entries[1].metrics["uf1"]["pooled"]
    for made in (compare_tables.text, compare_tables.markdown, compare_tables.latex, compare_page.page):
        text = made(entries)
        assert "LEAKY: best test epoch" in text
        assert "LEAKY: the epoch was chosen by the test clips" in text
    latex = compare_tables.latex(entries)
    (line,) = [x for x in latex.splitlines() if "LEAKY: best" in x]
    assert r"\textbf" not in line, "it may be the highest, but not the best"
    assert r"\textbf" in latex
    assert r"learning\_net" in latex
    assert '<tr class="leaky">' in compare_page.page(entries)


def test_other_clips_are_not_tested(runs: dict[str, Path]) -> None:
    entries = compare([runs["loso"], runs["less"]], draws=100)
    assert entries[1].tests is None
    text = compare_tables.text(entries)
    assert "Not tested: other clips than the first." in text


class Checker(HTMLParser):
    """Every tag that is opened is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br", "line", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(runs: dict[str, Path]) -> None:
    entries = compare([runs["loso"], runs["kfold"]], draws=100)
    page = compare_page.page(entries)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.seen.count("svg") == 3
    assert "http" not in page
    assert "<script" not in page
    for entry in entries:
        for row in entry.metrics["confusion"]["pooled_over_seeds"]:
            assert all(f"<br>{count}</td>" in page for count in row)
    # One mark per run and subject.
    assert all(page.count(f"{e.name}, made/s0: ") == 1 for e in entries)


def test_markdown_tables_are_rectangular(runs: dict[str, Path]) -> None:
    text = compare_tables.markdown(compare([runs["loso"], runs["kfold"]], draws=100))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 4
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1
    assert "| made/s0 |" in text


def test_p_values_in_few_digits() -> None:
    assert [compare_tables.p_text(p) for p in (0.00002, 0.0123, 0.5, 1.0)] == ["< .001", "0.012", "0.50", "1.00"]


def test_the_command(runs: dict[str, Path], fleeting: Command, tmp_path: Path) -> None:
    said = fleeting("compare", runs["loso"], runs["kfold"], "--out", tmp_path, "--draws", "100")
    assert said.status == 0, said.err
    assert "nearest (kfold)" in said.out
    assert {p.name for p in tmp_path.iterdir()} == {f"comparison.{s}" for s in ("md", "tex", "html", "json")}
    plain = json.loads(fleeting("compare", runs["loso"], runs["kfold"], "--draws", "100", "--json").out)
    assert plain == json.loads((tmp_path / "comparison.json").read_text())
    assert plain[1]["tests"]["uf1"]["p"] <= 1
    assert np.isclose(
        plain[0]["uf1"]["pooled"], json.loads((runs["loso"] / "metrics.json").read_text())["uf1"]["pooled"]
    )


def test_wrong_runs(runs: dict[str, Path], fleeting: Command, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="each once"):
        compare([runs["loso"], runs["loso"]])
    with pytest.raises(DataError, match="a folder of a finished benchmark"):
        compare([tmp_path])
    (tmp_path / "settings.toml").write_text("")
    (tmp_path / "metrics.json").write_text('{"uf1": 3')
    with pytest.raises(DataError, match="readable results"):
        compare([tmp_path])
    (tmp_path / "metrics.json").write_text('{"nme68": 3}')
    said = fleeting("compare", tmp_path)
    assert said.status == 1
    assert "the metrics.json of a benchmark" in said.err
