"""An event's displacement, duration and class are the same wherever they are said."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fleeting
from fleeting.cli import analyse as cli_analyse
from fleeting.cli import demo as cli_demo
from fleeting.cli import live as cli_live
from fleeting.export.timeline_json import read_timeline
from fleeting.labels import class_text
from fleeting.live.live import Told
from fleeting.records import REGIONS, Event, Signals, Timeline
from fleeting.report.build import render
from fleeting.report.wording import number
from fleeting.settings import SpottingSettings


def shown_at_apex(event: Event, signals: Signals) -> float:
    return max(float(signals.motion[event.apex_frame, REGIONS.index(name)]) for name in event.regions)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut at 30 frames/s: a long smile with a blink, and movements of 0.3 and 0.56 s."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip

    movements = [
        Movement("macro", Profile(1.2, 1.8, 2.6), activations_of("happiness"), 6.0, "happiness"),
        Movement("micro", Profile(4.2, 4.34, 4.5), activations_of("surprise"), 4.0, "surprise"),
        Movement("macro", Profile(5.8, 6.05, 6.36), activations_of("disgust"), 5.0, "disgust"),
    ]
    settings = ClipSettings(fps=30, seconds=8, width=192, height=192, iod_px=60)
    clip = PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=movements, settings=settings, seed=1)
    path = tmp_path_factory.mktemp("film") / "ada.mp4"
    render_clip(clip, path)
    return path


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_curve_table_card_and_records_say_the_same(film: Path, tmp_path: Path) -> None:
    timeline = fleeting.analyse(film, out=tmp_path, formats=["report", "csv", "json"])
    folder = tmp_path / "ada"
    read = read_timeline(folder / "timeline.json")
    with (folder / "events.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = timeline.to_dataframe()
    report = (folder / "report.html").read_text(encoding="utf-8")
    least = SpottingSettings()
    assert {e.kind for e in timeline.events} >= {"micro", "macro"}
    for i, event in enumerate(timeline.events):
        shown = shown_at_apex(event, timeline.signals[0])
        assert event.displacement_percent_iod == pytest.approx(shown, abs=1e-6), event.kind
        assert read.events[i].displacement_percent_iod == pytest.approx(shown, abs=1e-6)
        assert shown_at_apex(read.events[i], read.signals[0]) == pytest.approx(shown, abs=1e-6)
        assert float(rows[i]["displacement_percent_iod"]) == pytest.approx(shown, abs=6e-4)
        assert table["displacement_percent_iod"].iloc[i] == pytest.approx(shown, abs=1e-6)
        assert event.emotion != "neutral"
        if event.kind == "blink":
            continue
        assert f"<dd>{number(float(shown), 2)} % of eye distance" in report
        assert f'<td data-label="Displacement">{number(float(shown), 2)} %</td>' in report
        assert (event.duration_s <= 0.5) == (event.kind == "micro")
        assert shown >= (least.min_macro_percent_iod if event.kind == "macro" else least.min_displacement_percent_iod)


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_what_is_told_live_is_what_its_curve_shows(film: Path) -> None:
    from test_live import play

    told, analysis, _ = play(film)
    timeline = analysis.timeline()
    assert {t.event.kind for t in told} >= {"micro", "macro"}
    assert sorted(t.event.onset_frame for t in told) == [e.onset_frame for e in timeline.events]
    for event in timeline.events:
        assert event.displacement_percent_iod == pytest.approx(shown_at_apex(event, timeline.signals[0]), abs=1e-6)
        assert event.kind == "blink" or (event.duration_s <= 0.5) == (event.kind == "micro")
        assert event.emotion != "neutral"


def test_unsure_is_said_without_a_percentage(timeline: Timeline, capsys: pytest.CaptureFixture[str]) -> None:
    sure = next(e for e in timeline.events if e.kind == "micro")
    unsure = replace(sure, emotion="unsure", probability=0.46)
    assert class_text("positive", 0.83) == "positive 83 %"
    assert class_text("unsure", 0.46) == "unsure"
    assert class_text(None, None) == ""
    one = replace(timeline, events=(unsure,))
    cli_analyse._summary(SimpleNamespace(timeline=one, path="a.mp4", folder=Path("a")))  # type: ignore[arg-type]
    cli_live._show([Told(unsure, 0.9)], as_json=False)
    said = capsys.readouterr().out
    assert said.count("unsure,") == 2
    assert "46" not in said
    found = cli_demo._cells(SimpleNamespace(truth=None, event=unsure, iou=0.0))  # type: ignore[arg-type]
    assert "unsure" in found
    page = render(one, {})
    assert re.search(r'"emotion":"unsure"[^}]*"probability":""', page)
    assert "unsure 46" not in page


@pytest.fixture
def timeline() -> Timeline:
    from timelines import make_timeline

    return make_timeline()


def test_a_duration_is_free_of_the_rounding_of_timestamps() -> None:
    for first in range(0, 3000, 7):
        times = np.array([first, first + 6, first + 15]) / 30
        event = Event(0, "micro", first, first + 6, first + 15, *map(float, times))
        assert event.duration_s == 0.5
