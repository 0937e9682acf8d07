"""The comparison that ``fleeting demo`` prints; filming and analysis, which have their own tests, are stood in for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fleeting.api
from fleeting.cli.app import app
from fleeting.records import Event, Timeline, VideoInfo
from fleeting.synthesis import demo
from fleeting.synthesis.truth import TruthRow, truth_row, write_truth

ROWS = [truth_row(m, file="demo.mp4", fps=200.0) for m in demo.MOVEMENTS]


def event(row: TruthRow, *, shift: int = 0) -> Event:
    apex = row.onset if row.apex is None else row.apex
    frames = (row.onset + shift, apex + shift, row.offset + shift)
    return Event(0, row.kind, *frames, *(f / 200 for f in frames), displacement_percent_iod=1.0, confidence=0.9)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def with_events(events: list[Event], *arguments: str) -> Any:
        def film(folder: Path, **_: Any) -> tuple[Path, Path]:
            return Path(folder) / "demo.mp4", write_truth(Path(folder) / "truth.csv", ROWS)

        def analyse(path: Path, **_: Any) -> Timeline:
            info = VideoInfo(str(path), "demo", "mp4", "h264", "yuv420p", 640, 480, 200.0)
            return Timeline(info, 2520, 12.6, events=tuple(events))

        monkeypatch.setattr(demo, "make_demo", film)
        monkeypatch.setattr(fleeting.api, "analyse", analyse)
        return CliRunner().invoke(app, ["demo", "--out", str(tmp_path), *arguments])

    return with_events


def test_all_found_is_success(run: Any) -> None:
    result = run([event(row) for row in ROWS])
    assert result.exit_code == 0, result.output
    assert "micro: 4 of 4 found, 0 found that was not there" in result.output
    assert "macro: 1 of 1 found" in result.output
    assert "contempt (left)" in result.output


def test_a_missed_micro_expression_is_failure(run: Any) -> None:
    missed = next(row for row in ROWS if row.kind == "micro")
    result = run([event(row) for row in ROWS if row is not missed])
    assert result.exit_code == 1
    assert "micro: 3 of 4 found" in result.output
    assert "missed" in result.output


def test_a_false_alarm_is_failure(run: Any) -> None:
    late = event(next(row for row in ROWS if row.kind == "micro"), shift=100)
    result = run([*(event(row) for row in ROWS), late])
    assert result.exit_code == 1
    assert "micro: 4 of 4 found, 1 found that was not there" in result.output


def test_half_an_overlap_is_needed(run: Any) -> None:
    micro = next(row for row in ROWS if row.kind == "micro")
    length = micro.offset - micro.onset + 1
    near, far = (run([event(r, shift=s if r is micro else 0) for r in ROWS]) for s in (length // 4, length // 2))
    assert near.exit_code == 0
    assert far.exit_code == 1


def test_blinks_are_reported_but_do_not_decide(run: Any) -> None:
    result = run([event(row) for row in ROWS if row.kind != "blink"])
    assert result.exit_code == 0
    assert "blink: 0 of 4 found" in result.output


def test_json_tells_the_same(run: Any) -> None:
    result = run([replace(event(row), emotion="unsure", probability=0.5) for row in ROWS], "--json")
    told = json.loads(result.stdout)
    assert told["passed"] is True
    assert len(told["events"]) == 9
    assert told["events"][1]["put_in"]["emotion"] == "surprise"
    assert told["events"][1]["iou"] == 1.0
