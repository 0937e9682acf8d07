from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from command import Command

from fleeting.errors import DataError, NoFaceError
from fleeting.evaluation.metrics_text import metrics_text
from fleeting.evaluation.spotting import evaluate_spotting, find_videos, match_events, summarise
from fleeting.records import Event, Timeline, VideoInfo
from fleeting.synthesis.truth import TruthRow, write_truth


def row(file: str, onset: int, offset: int, **more: object) -> TruthRow:
    values = {"kind": "micro", "emotion": "happiness", "apex": (onset + offset) // 2} | more
    return TruthRow(file=file, onset=onset, offset=offset, **values)  # type: ignore[arg-type]


def event(onset: int, offset: int, kind: str = "micro", emotion: str | None = "positive") -> Event:
    apex = (onset + offset) // 2
    return Event(0, kind, onset, apex, offset, onset / 100, apex / 100, offset / 100, emotion=emotion)  # type: ignore[arg-type]


def timeline(path: Path, *events: Event, seconds: float = 60.0) -> Timeline:
    info = VideoInfo(str(path), path.stem, "mp4", "h264", "yuv420p", 64, 64, 100.0)
    return Timeline(info, round(seconds * 100), seconds, events=events)


def test_iou_of_exactly_a_half_is_a_hit_and_just_below_is_not() -> None:
    # 10 frames against 20 that hold them: 10 / 20; against 21: 10 / 21.
    assert match_events("a", [row("a", 0, 9)], [event(0, 19)])[0].iou == 0.5
    (miss, alarm) = match_events("a", [row("a", 0, 9)], [event(0, 20)])
    assert miss.event is None
    assert alarm.truth is None


def test_one_marked_event_is_hit_once_by_the_best_candidate() -> None:
    matches = match_events("a", [row("a", 10, 29)], [event(8, 33), event(11, 29)])
    hits = [m for m in matches if m.truth and m.event]
    assert [m.event.onset_frame for m in hits if m.event] == [11]
    assert sum(m.truth is None for m in matches) == 1


def test_pooled_counts_by_hand(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "quiet.mp4", "broken.mp4"):
        (tmp_path / name).write_bytes(b"x")
    rows = [
        row("a.mp4", 100, 119, peak_percent_iod=2.0, onset_s=1.0, apex_s=1.09, offset_s=1.19),
        row("a.mp4", 200, 219, peak_percent_iod=2.5),
        row("a.mp4", 300, 420, kind="macro"),
        row("b.mp4", 50, 69, peak_percent_iod=0.8, emotion="sadness"),
        row("b.mp4", 150, 160, kind="blink", emotion=""),
        row("broken.mp4", 10, 29, peak_percent_iod=6.0),
    ]
    write_truth(tmp_path / "truth.csv", rows)
    spotted = {
        "a.mp4": (event(101, 119), event(500, 520), event(300, 410, "macro")),
        "b.mp4": (event(50, 69), event(150, 160, "blink", None)),
        "quiet.mp4": (event(10, 20), event(30, 40)),
    }

    def analyse(path: Path, fps: float | None) -> Timeline:
        if path.name == "broken.mp4":
            raise NoFaceError("a face", "none", "Film one.")
        return timeline(path, *spotted[path.name])

    metrics = evaluate_spotting(tmp_path, analyse).metrics
    micro = metrics["micro"]
    assert (micro["true_positives"], micro["false_positives"], micro["false_negatives"]) == (2, 3, 2)
    assert micro["f1"] == metrics["f1"] == pytest.approx(4 / 9)
    assert metrics["macro"]["f1"] == 1
    assert metrics["blink"]["f1"] == 1
    assert metrics["all"]["f1"] == pytest.approx(6 / 11)
    assert metrics["minutes"] == pytest.approx(3)
    assert metrics["false_micro_per_minute"] == pytest.approx(1)
    assert metrics["videos_without_micro"]["false_micro_per_minute"] == pytest.approx(2)
    assert list(metrics["failed"]) == ["broken.mp4"]
    assert [(b["from"], b["events"], b["recall"]) for b in metrics["recall_by_amplitude"]] == [
        (0.7, 1, 1.0),
        (1.8, 2, 0.5),
        (5.0, 1, 0.0),
    ]
    assert metrics["timing_error_ms"]["onset"] == {"median": pytest.approx(10), "p90": pytest.approx(10), "events": 1}
    # happiness -> positive is right; sadness -> negative was called positive.
    assert metrics["analysis"]["accuracy"] == 0.5
    assert metrics["analysis"]["f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert metrics["strs"] == pytest.approx(4 / 9 / 3)


def test_nothing_marked_and_nothing_spotted_is_no_score() -> None:
    metrics = summarise([], seconds=60.0)
    assert metrics["f1"] is None
    assert metrics["false_micro_per_minute"] == 0
    assert not any(isinstance(v, float) and math.isnan(v) for v in metrics.values())


def test_videos_are_files_folders_of_images_and_named_ones(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "001.png").write_bytes(b"")
    (tmp_path / "notes").mkdir()
    (tmp_path / "a.MP4").write_bytes(b"")
    (tmp_path / "odd.xyz").write_bytes(b"")
    (tmp_path / "truth.csv").write_text("")
    assert find_videos(tmp_path, []) == ["a.MP4", "clip"]
    assert find_videos(tmp_path, ["odd.xyz"]) == ["a.MP4", "clip", "odd.xyz"]
    with pytest.raises(DataError, match=r"no gone\.mp4"):
        find_videos(tmp_path, ["gone.mp4"])
    with pytest.raises(DataError, match="without any"):
        find_videos(tmp_path / "notes", [])
    with pytest.raises(DataError, match="a folder with videos"):
        find_videos(tmp_path / "nowhere", [])


def test_people_read_a_table_and_programs_read_json(
    monkeypatch: pytest.MonkeyPatch, fleeting: Command, tmp_path: Path
) -> None:
    from fleeting import shipped

    matches = match_events(
        "a.mp4", [row("a.mp4", 100, 119, peak_percent_iod=2.0), row("a.mp4", 200, 219)], [event(101, 119)]
    )
    metrics = summarise(matches, seconds=60.0) | {
        "videos": 2,
        "minutes": 1.0,
        "failed": {"b.mp4": "expected a face in view"},
        "videos_without_micro": {"minutes": 0.0, "false_micro": 0, "false_micro_per_minute": None},
    }
    monkeypatch.setattr(shipped, "evaluate", lambda *a, **k: metrics)
    said = fleeting("evaluate", "spotting", tmp_path).out
    assert not re.search(r"[{}\[\]']|None|nan", said)
    cells = [line.split() for line in said.splitlines()]
    assert cells[0] == ["kind", "marked", "found", "missed", "false", "precision", "recall", "F1"]
    assert cells[1] == ["micro", "2", "1", "1", "0", "1.00", "0.50", "0.67"]
    assert "not analysed: b.mp4: expected a face in view" in said
    assert json.loads(fleeting("evaluate", "spotting", tmp_path, "--json").out) == metrics


def test_no_metrics_are_printed_as_python_writes_them() -> None:
    metrics = {
        "pictures": 3,
        "accuracy": 2 / 3,
        "parts": {"test": 0.5, "nested": {"a": 1, "b": None}},
        "by_class": {"happy": {"recall": 0.5, "f1": 1.0}, "sad": {"recall": None, "f1": 0.25}},
        "classes": ["happy", "sad"],
        "confusion": [[1, 0], [12, 2]],
        "reliability": [{"count": 1, "accuracy": 0.5}, {"count": 2, "accuracy": 1.0}],
        "failed": {},
    }
    said = metrics_text(metrics)
    assert not re.search(r"[{}\[\]']|None", said)
    lines = [line.split() for line in said.splitlines()]
    assert ["accuracy", "0.6667"] in lines
    assert ["sad", "-", "0.25"] in lines
    assert ["12", "2"] in lines
    assert ["1", "2", "1"] in lines, "the second row of reliability"
    assert ["classes", "happy,", "sad"] in lines
