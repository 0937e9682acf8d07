"""A study's table: hand-made films whose rates are known."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coded_films import code, make_film
from command import Command
from timelines import make_timeline

from fleeting.coding.agreement import read_side
from fleeting.coding.summary import FilmRow, film_row, parse_groups, summarise
from fleeting.errors import InputError

KINDS = {"macro": 0, "blink": 0, "wink": 0}


def row(film: str, person: str, condition: str, minutes: float, micro: int) -> FilmRow:
    return FilmRow(film, person, condition, minutes, {"micro": micro, **KINDS})


def test_a_film_is_counted_where_it_can_be_coded(tmp_path: Path) -> None:
    film = make_film(tmp_path / "interview")  # 15 s
    code(film, "anna", ("micro", 100, 110, 119), ("micro", 600, 610, 640), ("macro", 900, 1000, 1300))
    code(film, "anna", ("uncodable", 580, None, 779))  # 1 s; hides the second micro-expression
    side = read_side(film, "anna")
    assert side is not None
    found = film_row("interview", side, {"person": "ada"})
    assert found.minutes == pytest.approx(14 / 60)
    assert found.counts == {"micro": 1, "macro": 1, "blink": 0, "wink": 0}
    assert (found.person, found.condition) == ("ada", "")


def test_two_faces_are_codable_for_as_long_as_each_is_seen(tmp_path: Path) -> None:
    film = make_film(tmp_path / "two", faces=2)  # the second leaves for 99 frames of 5 ms
    side = read_side(film, "machine")
    assert side is not None
    assert film_row("two", side, {}).minutes == pytest.approx((30 - 99 * 0.005) / 60)


def test_a_rate_is_all_events_over_all_minutes() -> None:
    rows = [
        row("a1", "ada", "alone", 2.0, 4),
        row("a2", "ada", "alone", 1.0, 0),
        row("b", "ben", "alone", 1.0, 2),
        row("c", "", "alone", 4.0, 2),
        row("d", "ada", "watched", 2.0, 1),
    ]
    found = summarise(rows)
    alone, watched = found["alone"], found["watched"]
    assert (alone["films"], alone["people"], alone["minutes"]) == (4, 3, 8.0)
    assert (alone["micro"]["events"], alone["micro"]["per_minute"]) == (8, 1.0)
    low, high = alone["micro"]["interval"]
    assert 0.5 <= low < 1.0 < high <= 2.0  # the least and the largest rate of one person
    assert watched["micro"] == {"events": 1, "per_minute": 0.5, "interval": None}
    assert summarise([row("a", "ada", "", 0.0, 0)])[""]["micro"]["per_minute"] is None


def test_people_are_drawn_not_films() -> None:
    """Ten films of each person tell no more of people than one long film."""
    many = [row(f"{p}{i}", p, "x", 1.0, m) for p, m in zip("abcdef", range(6), strict=True) for i in range(10)]
    few = [row(p, p, "x", 10.0, 10 * m) for p, m in zip("abcdef", range(6), strict=True)]
    assert summarise(many)["x"]["micro"]["interval"] == pytest.approx(summarise(few)["x"]["micro"]["interval"])
    exact = np.array([0, 1, 2, 3, 4, 5])
    spread = 1.96 * exact.std() / np.sqrt(6)
    low, high = summarise(few, draws=20_000)["x"]["micro"]["interval"]
    assert (low, high) == pytest.approx((2.5 - spread, 2.5 + spread), abs=0.15)


@pytest.mark.parametrize("text", ["name,person\na,b\n", "film\na\n", "", "film,person\na,b\na,c\n"])
def test_a_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="film"):
        parse_groups(text)


def test_the_command_writes_a_row_for_each_film(tmp_path: Path, fleeting: Command) -> None:
    for name in ("one", "two", "three"):
        timeline = replace(make_timeline(name=name))
        make_film(tmp_path / "results" / name, timeline=timeline)
    groups = tmp_path / "study.csv"
    groups.write_text("film,person,condition\none,ada,alone\ntwo.mp4,ben,watched\n", encoding="utf-8-sig")
    done = fleeting("summarise", tmp_path / "results", "--groups", groups)
    assert done.status == 0, done.err
    assert "without a row" in done.err
    assert "three" in done.err
    with (tmp_path / "results" / "summary.csv").open(newline="") as file:
        rows = {r["film"]: r for r in csv.DictReader(file)}
    assert rows["one"] == {
        **{"film": "one", "person": "ada", "condition": "alone", "minutes": "0.2500"},
        **{"micro": "4", "macro": "1", "blink": "4", "wink": "0"},
    }
    assert rows["two"]["condition"] == "watched"
    assert json.loads((tmp_path / "results" / "summary.json").read_text())["alone"]["micro"]["per_minute"] == 16.0
    assert fleeting("summarise", tmp_path / "results", "--coder", "anna").status == 1
