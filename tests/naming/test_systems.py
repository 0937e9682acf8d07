"""Several systems name an event: who is asked, what the records, the files and the report then say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import Command

from fleeting import weights
from fleeting.analysis.analyse import Analysis, analyse_video
from fleeting.errors import SettingsError, WeightsError
from fleeting.export.timeline_json import from_json, to_json
from fleeting.faces.align import crop_size
from fleeting.labels import UNSURE
from fleeting.naming import systems
from fleeting.naming.event_frames import EventView, bare, with_frames
from fleeting.naming.systems import ALL, SYSTEMS, Entry, SequenceSystem, answers, available, open_systems
from fleeting.records import Event
from fleeting.settings import AnalyseSettings, MotionSettings, RecognitionSettings
from fleeting.video.reader import open_video

CLASSES = ("left", "right")


class Watcher:
    """A system that says 'right' with 0.9, and keeps what it was shown."""

    labels, threshold, needs_frames = CLASSES, 0.5, True

    def __init__(self, folder: Path | None = None) -> None:
        self.card = {"name": "watcher", "version": "1", "scores": {}, "limits": [], "labels": list(CLASSES)}
        self.seen: list[EventView] = []
        self.folder = folder

    def probabilities(self, events: list[EventView]) -> np.ndarray:
        self.seen += events
        return np.tile(np.float32([0.1, 0.9]), (len(events), 1))


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    made = Watcher()
    monkeypatch.setitem(systems.SYSTEMS, "watcher", Entry("landmarks", lambda folder: made))
    return made


def test_all_systems_are_asked_and_the_first_decides(clip: Path, analysis: Analysis, watcher: Watcher) -> None:
    settings = AnalyseSettings(recognition=RecognitionSettings(system=ALL))
    found = analyse_video(clip, settings=settings, pictures=False).timeline
    for event, alone in zip(found.events, analysis.timeline.events, strict=True):
        if event.kind == "blink":
            assert event.systems == ()
            continue
        assert [a.system for a in event.systems] == list(available())
        first, last = event.systems[0], event.systems[-1]
        assert (event.emotion, event.probabilities) == (first.emotion, first.probabilities)
        assert (event.emotion, event.probability) == (alone.emotion, pytest.approx(alone.probability, abs=1e-6))
        assert (last.system, last.emotion) == ("watcher", "right")
        assert last.probability == pytest.approx(0.9)
    assert found.models["watcher"]["name"] == "watcher"
    assert found.models["recogniser"]["name"] == "fleeting"


def test_one_system_alone_gives_its_own_classes_and_sees_every_frame(clip: Path, watcher: Watcher) -> None:
    settings = AnalyseSettings(recognition=RecognitionSettings(system="watcher"))
    found = analyse_video(clip, settings=settings, pictures=False).timeline
    event = next(e for e in found.events if e.kind == "micro")
    assert (event.emotion, event.systems) == ("right", ())
    assert set(event.probabilities) == set(CLASSES)
    assert found.models["recogniser"]["name"] == "watcher"
    view = watcher.seen[[e for e in found.events if e.kind != "blink"].index(event)]
    assert view.crops.shape == (event.offset_frame - event.onset_frame + 1, 170, 140)
    assert view.apex == event.apex_frame - event.onset_frame
    assert view.fps == pytest.approx(50)
    # The face is held still: the apex differs from the onset where the smile is, and hardly at the brows.
    changed = np.abs(view.crops[view.apex].astype(float) - view.crops[0])
    assert changed[110:150, 30:110].mean() > 2 * changed[:40].mean()


def test_frames_in_which_the_face_was_not_seen_are_left_out(clip: Path, analysis: Analysis) -> None:
    event = next(e for e in analysis.timeline.events if e.kind == "micro")
    transforms = np.tile(np.array([[0.9, 0, 0], [0, 0.9, 0]]), (analysis.timeline.frame_count, 1, 1))
    transforms[event.onset_frame + 2] = np.nan
    with open_video(clip) as reader:
        view = with_frames(bare(np.zeros((28, 28, 3), np.uint8)), reader, event, transforms, MotionSettings())
    assert len(view.crops) == event.offset_frame - event.onset_frame
    assert view.apex == event.apex_frame - event.onset_frame - 1


def test_a_long_event_is_thinned_out_and_keeps_its_apex() -> None:
    from fleeting.naming.event_frames import MOST_FRAMES, _places

    event = Event(0, "macro", 10, 333, 1200, 0.1, 3.33, 12.0)
    places = _places(event)
    assert len(places) in (MOST_FRAMES, MOST_FRAMES + 1)
    assert {10, 333, 1200} <= set(places)
    assert places == sorted(places)


def test_the_answer_is_unsure_below_the_threshold(watcher: Watcher) -> None:
    watcher.threshold = 0.95
    (said,) = answers({"watcher": watcher}, bare(np.zeros((28, 28, 3), np.uint8)))
    assert (said.emotion, said.probabilities) == (UNSURE, {"left": pytest.approx(0.1), "right": pytest.approx(0.9)})


def test_unknown_and_missing_systems_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'flow'"):
        open_systems(RecognitionSettings(system="flwo"))
    with pytest.raises(SettingsError, match="a folder of networks"):
        open_systems(RecognitionSettings(folder=str(tmp_path / "none")))
    monkeypatch.setitem(SYSTEMS, "absent", Entry("absent", Watcher))
    with pytest.raises(SettingsError, match=r"absent\.onnx for the system 'absent'.*fleeting train"):
        open_systems(RecognitionSettings(system="absent"))
    assert "absent" not in open_systems(RecognitionSettings(system=ALL))


def test_networks_of_ones_own_go_before_the_shipped_ones(tmp_path: Path) -> None:
    for suffix in ("onnx", "json"):
        shutil.copy(weights.folder() / f"fleeting.{suffix}", tmp_path)
    card = json.loads((tmp_path / "fleeting.json").read_text(encoding="utf-8")) | {"version": "mine"}
    (tmp_path / "fleeting.json").write_text(json.dumps(card), encoding="utf-8")
    settings = RecognitionSettings(folder=str(tmp_path))
    assert open_systems(settings)["flow"].card["version"] == "mine"
    assert open_systems(RecognitionSettings())["flow"].card["version"] != "mine"
    (tmp_path / "fleeting.onnx").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="Train it anew"):
        open_systems(settings)


def test_systems_come_back_from_json(clip: Path, analysis: Analysis) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from importlib import resources

    timeline = _with_two(analysis)
    values = json.loads(json.dumps(to_json(timeline)))
    schema = json.loads(resources.files("fleeting.export").joinpath("timeline.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(values, schema)
    assert [e.systems for e in from_json(values).events] == [e.systems for e in timeline.events]
    for event in values["events"]:
        del event["systems"]  # files of before
    assert all(e.systems == () for e in from_json(values).events)


def test_the_report_shows_the_systems_side_by_side(analysis: Analysis) -> None:
    from fleeting.report.build import render

    page = render(_with_two(analysis), {})
    assert "What each system says of" in page
    row = page.split('<th scope="row">watcher</th>', 1)[1].split("</tr>", 1)[0]
    assert "<b>90 %</b>" in row
    assert row.count("–") == 3  # it does not know the three classes of the other one
    assert "What each system says of" not in render(analysis.timeline, {})


def test_the_command_refuses_an_unknown_system_before_the_videos(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    done = fleeting("analyse", clip, "--out", tmp_path, "--system", "flwo")
    assert done.status == 1
    assert "Did you mean 'flow'" in done.err
    assert not (tmp_path / "ada").exists()


def _with_two(analysis: Analysis):  # type: ignore[no-untyped-def]
    first = open_systems(RecognitionSettings())["flow"]
    both = {"flow": first, "watcher": Watcher()}
    view = bare(np.zeros((28, 28, 3), np.uint8))
    events = tuple(
        e if e.kind == "blink" else replace(e, systems=answers(both, view)) for e in analysis.timeline.events
    )
    return replace(analysis.timeline, events=events)


@pytest.mark.parametrize("name", ["dsticnn", "macro_to_micro"])
def test_a_network_of_sequences_is_given_crops_of_the_width_that_it_was_trained_on(name: str) -> None:
    system = SequenceSystem(name)
    width = system.card["inputs"]["clips"]["width"]
    draw = np.random.default_rng(0)
    still = cv2.GaussianBlur(draw.integers(0, 256, (170, 140), dtype=np.uint8), (0, 0), 2)
    grid = np.stack(np.meshgrid(np.arange(140), np.arange(170)), -1).astype(np.float32)
    wave = np.sin(np.linspace(0, np.pi, 12))
    crops = np.stack([cv2.remap(still, grid + np.float32([2.0 * w, 0]), None, cv2.INTER_LINEAR) for w in wave])
    small = np.stack([cv2.resize(c, crop_size(width)[::-1], interpolation=cv2.INTER_AREA) for c in crops])
    view = bare(np.zeros((28, 28, 3), np.uint8))
    wide, narrow = (system.probabilities([replace(view, crops=c, apex=6)]) for c in (crops, small))
    np.testing.assert_array_equal(wide, narrow)
    system.card = system.card | {"inputs": {"clips": system.card["inputs"]["clips"] | {"width": 112}}}
    assert np.abs(system.probabilities([replace(view, crops=crops, apex=6)]) - wide).max() > 1e-4


def test_a_network_under_its_former_name_is_not_passed_over(tmp_path: Path) -> None:
    """Else the shipped network would answer in place of the one that was asked for."""
    for suffix in ("onnx", "json"):
        shutil.copy(weights.folder() / f"fleeting.{suffix}", tmp_path / f"recogniser.{suffix}")
    settings = RecognitionSettings(folder=str(tmp_path))
    with pytest.raises(SettingsError, match=r"former name.*Rename recogniser\.onnx"):
        open_systems(settings)
    for suffix in ("onnx", "json"):
        (tmp_path / f"recogniser.{suffix}").rename(tmp_path / f"fleeting.{suffix}")
    assert list(open_systems(settings)) == ["flow"]
