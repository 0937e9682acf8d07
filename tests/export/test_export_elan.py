"""The ELAN file, opened again by the library that others read such files with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pympi import Eaf
from timelines import FPS, SPEAKS_S, make_timeline

from fleeting.export.expression_spans import expression_spans
from fleeting.export.formats import write
from fleeting.labels import SEVEN_CLASSES
from fleeting.records import Event, ExpressionCurve, Timeline


def opened(timeline: Timeline, folder: Path) -> Eaf:
    (path,) = write(timeline, folder, ["elan"])
    assert path.name == "events.eaf"
    return Eaf(str(path))


def test_every_event_is_an_annotation_of_its_tier(tmp_path: Path) -> None:
    timeline = make_timeline(faces=2)
    eaf = opened(timeline, tmp_path)
    for face in (0, 1):
        for kind in ("micro", "macro", "blink"):
            events = [e for e in timeline.events if e.face == face and e.kind == kind]
            assert eaf.get_annotation_data_for_tier(f"face{face}_{kind}") == [
                (round(e.onset_s * 1000), round(e.offset_s * 1000), e.emotion or kind) for e in events
            ]
            regions = eaf.get_ref_annotation_data_for_tier(f"face{face}_{kind}_regions")
            assert [row[2] for row in regions] == ["+".join(e.regions) for e in events]
            apexes = eaf.get_annotation_data_for_tier(f"face{face}_{kind}_apex")
            assert [start for start, _, _ in apexes] == [round(e.apex_s * 1000) for e in events]


def test_tiers_without_events_exist_and_the_empty_default_does_not(tmp_path: Path) -> None:
    eaf = opened(replace(make_timeline(), events=(), expressions=()), tmp_path)
    assert sorted(t for t in eaf.get_tier_names() if "_" not in t.removeprefix("face0_")) == [
        "face0_blink", "face0_macro", "face0_micro", "face0_speaking", "face0_wink",
    ]  # fmt: skip
    assert eaf.get_annotation_data_for_tier("face0_micro") == []


def test_speaking_is_a_tier_where_somebody_speaks(tmp_path: Path) -> None:
    timeline = make_timeline()
    eaf = opened(timeline, tmp_path)
    frame_ms = round(1000 / FPS)
    first, last = (round(1000 * t) for t in SPEAKS_S)
    assert eaf.get_annotation_data_for_tier("face0_speaking") == [(first, last - frame_ms, "speaking")]
    silent = replace(timeline, signals=(replace(timeline.signals[0], speaking=None),))
    assert "face0_speaking" not in opened(silent, tmp_path / "silent").get_tier_names()


def test_the_video_is_linked_in_full_and_relative_to_the_file(tmp_path: Path) -> None:
    timeline = make_timeline()
    video = tmp_path / "films" / "a b é.mov"
    timeline = replace(timeline, video=replace(timeline.video, path=str(video)))
    (link,) = opened(timeline, tmp_path / "results" / "a").get_linked_files()
    assert link["MEDIA_URL"] == video.as_uri()
    assert link["RELATIVE_MEDIA_URL"] == "./../../films/a b é.mov"
    assert link["MIME_TYPE"] == "video/quicktime"


def test_a_folder_of_images_is_not_linked(tmp_path: Path) -> None:
    timeline = make_timeline()
    timeline = replace(timeline, video=replace(timeline.video, container="images"))
    assert opened(timeline, tmp_path).get_linked_files() == []


def test_overlapping_and_instant_events_fit_into_tiers(tmp_path: Path) -> None:
    one = Event(0, "micro", 10, 12, 20, 0.05, 0.06, 0.10, regions=("nose",), emotion='<negative> & "odd"')
    two = Event(0, "micro", 14, 15, 16, 0.07, 0.075, 0.08, regions=("chin",))
    instant = Event(0, "micro", 30, 30, 30, 0.15, 0.15, 0.15)
    eaf = opened(replace(make_timeline(), events=(one, two, instant)), tmp_path)
    assert eaf.get_annotation_data_for_tier("face0_micro") == [
        (50, 100, '<negative> & "odd"'),
        (150, 151, "micro"),
    ]
    assert eaf.get_annotation_data_for_tier("face0_micro_2") == [(70, 80, "micro")]
    assert [r[2] for r in eaf.get_ref_annotation_data_for_tier("face0_micro_2_regions")] == ["chin"]


def test_writing_twice_leaves_one_file(tmp_path: Path) -> None:
    timeline = make_timeline()
    write(timeline, tmp_path, ["elan"])
    write(timeline, tmp_path, ["elan"])
    assert [p.name for p in tmp_path.iterdir()] == ["events.eaf"]


@pytest.mark.parametrize("fps", [0.0, 29.97])
def test_the_frame_rate_need_not_be_known(tmp_path: Path, fps: float) -> None:
    timeline = make_timeline()
    eaf = opened(replace(timeline, video=replace(timeline.video, fps=fps)), tmp_path)
    start, end, _ = eaf.get_annotation_data_for_tier("face0_micro_apex")[0]
    assert end - start == (33 if fps else 1)


def curve(classes: str, *, probability: float = 0.8, gap_after: int | None = None) -> ExpressionCurve:
    """Readings of h(appy), s(ad) and n(eutral), a tenth of a second apart, with an absence of a second after one."""
    chosen = [SEVEN_CLASSES.index({"h": "happy", "s": "sad", "n": "neutral"}[c]) for c in classes]
    probabilities = np.full((len(chosen), 7), (1 - probability) / 6, np.float32)
    probabilities[np.arange(len(chosen)), chosen] = probability
    time = np.arange(len(chosen)) * 0.1
    if gap_after is not None:
        time[gap_after + 1 :] += 1.0
    return ExpressionCurve(0, np.arange(len(chosen), dtype=np.int32), time, probabilities)


def spans(readings: ExpressionCurve) -> list[tuple[float, float, str]]:
    return [(round(s.start_s, 3), round(s.end_s, 3), s.expression) for s in expression_spans(readings)]


def test_stretches_of_one_expression() -> None:
    assert spans(curve("nnnnhhhnnn")) == [(0.0, 0.35, "neutral"), (0.35, 0.65, "happy"), (0.65, 0.95, "neutral")]
    # One reading of another class is flicker; what lies on both sides of an absence is not one stretch.
    assert spans(curve("nnnnsnnn")) == [(0.0, 0.35, "neutral"), (0.45, 0.75, "neutral")]
    assert spans(curve("hhhhhh", gap_after=2)) == [(0.0, 0.25, "happy"), (1.25, 1.55, "happy")]
    assert spans(curve("hhhhhh", probability=0.45)) == []
    assert spans(curve("hh")) == []


def test_expressions_are_a_tier(tmp_path: Path) -> None:
    eaf = opened(replace(make_timeline(), expressions=(curve("nnnnhhhhss"),)), tmp_path)
    found = eaf.get_annotation_data_for_tier("face0_expression")
    assert found == [(0, 350, "neutral"), (350, 750, "happy")]
