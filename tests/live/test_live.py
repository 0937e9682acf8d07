"""Live analysis tells each event once, soon after its end, and says what it had to leave out."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from clips import FPS, FRAMES, OFFSET, ONSET, pictures
from command import Command, start
from video_files import number_of, write_numbered, write_video

from fleeting.errors import NoFaceError, VideoError
from fleeting.live import live
from fleeting.live.live import LiveAnalysis, Told, steps
from fleeting.settings import AnalyseSettings, SpottingSettings
from fleeting.video import live_source
from fleeting.video.live_source import MOST_LATE_S, WAITING, Camera, Playback, address_of


@dataclass
class Tape:
    """A clock that stands still unless it is slept on."""

    time_s: float = 100.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time_s += seconds


def play(path: Path, *, settings: AnalyseSettings | None = None) -> tuple[list[Told], LiveAnalysis, Playback]:
    source = Playback(path, clock=Tape())
    analysis = LiveAnalysis(source.info, settings=settings, late_s=source.late_s)
    told: list[Told] = []
    with closing(steps(source, analysis)) as running:
        for frame, seen in running:
            told += analysis.add(frame, seen)
    return told + analysis.end(), analysis, source


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of the astronaut, who smiles at 2.5 s and raises the brows at 4 s."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip

    path = tmp_path_factory.mktemp("live") / "ada.mp4"
    movements = [
        Movement("micro", Profile(2.5, 2.64, 2.86), activations_of("happiness"), 4.0, "happiness"),
        Movement("micro", Profile(4.0, 4.16, 4.4), activations_of("surprise"), 4.0, "surprise"),
    ]
    settings = ClipSettings(fps=30, seconds=6, width=192, height=192, iod_px=60)
    render_clip(
        PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=movements, settings=settings, seed=1), path
    )
    return path


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_micro_expressions_are_not_told_where_too_few_frames_were_seen(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LEAST_RATE", 31.0)
    told, analysis, _ = play(long_clip)
    assert not [t for t in told if t.event.kind == "micro"]
    assert "2 possible micro-expressions were not told" in analysis.timeline().warnings[0]


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_it_tells_what_the_analysis_of_the_file_finds_once_and_soon(long_clip: Path) -> None:
    from fleeting.analysis.analyse import analyse_video

    told, analysis, source = play(long_clip)
    offline = [e for e in analyse_video(long_clip, pictures=False).timeline.events if e.kind != "blink"]
    found = [t for t in told if t.event.kind != "blink"]
    assert len(offline) >= 2
    assert [t.event.kind for t in found] == [e.kind for e in offline]
    for one, other in zip(found, offline, strict=True):
        assert one.event.onset_s == pytest.approx(other.onset_s, abs=0.1)
        assert one.event.apex_s == pytest.approx(other.apex_s, abs=0.07)
        assert one.event.offset_s == pytest.approx(other.offset_s, abs=0.1)
        assert one.event.emotion == other.emotion
        assert one.event.probability == pytest.approx(other.probability, abs=0.15)
        assert 0.0 <= one.delay_s <= 1.5
    assert source.dropped == 0
    timeline = analysis.timeline()
    assert list(timeline.events) == sorted((t.event for t in told), key=lambda e: e.onset_frame)
    assert timeline.frame_count == 180
    assert timeline.warnings == ()
    assert len(timeline.signals) == 1


@dataclass
class Smiling:
    """Stands in for the network that reads whole faces."""

    card: dict[str, Any]
    asked: int = 0

    def __call__(self, faces: Any) -> Any:
        self.asked += len(faces)
        assert faces.shape[1:] == (48, 48)
        return np.tile(np.array([0, 0, 0, 0.9, 0, 0, 0.1], np.float32), (len(faces), 1))


class Sad:
    """Stands in for what names flow images."""

    labels = ("sadness", "happiness")

    def __call__(self, images: Any) -> Any:
        return np.tile(np.array([0.8, 0.2], np.float32), (len(images), 1))

    def name(self, row: Any) -> tuple[str, float]:
        return "negative", float(row[0])


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_what_contradicts_the_face_around_it_is_told_as_such(
    long_clip: Path, clip: Path, fleeting: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    network = Smiling({"name": "expression"})
    monkeypatch.setattr(live, "expression_network", lambda settings: network if settings.per_second else None)
    monkeypatch.setattr(live, "Recogniser", Sad)
    told, analysis, _ = play(long_clip)
    micro = [t.event for t in told if t.event.kind == "micro"]
    assert len(micro) == 2
    assert all(e.contradicts and e.surrounding == "happy" and e.emotion == "negative" for e in micro)
    assert not any(t.event.surroundings for t in told if t.event.kind == "blink")
    timeline = analysis.timeline()
    (curve,) = timeline.expressions
    assert network.asked == len(curve.time_s) == 24, "four readings a second"
    assert timeline.models["expression"] == {"name": "expression"}
    monkeypatch.setattr(live_source, "SystemClock", Tape)
    said = fleeting("live", clip)
    assert "contradicts the face around it (happy)" in said.out
    without = tmp_path / "settings.toml"
    without.write_text("[expressions]\nper_second = 0\n", encoding="utf-8")
    assert "against" not in fleeting("live", clip, "--settings", without).out
    assert analysis.timeline().expressions[0].time_s[-1] == curve.time_s[-1], "asked twice"


class BeginsToSmile(Smiling):
    """Sees a smile at the apex, and none at the onset, which is asked about second."""

    def __call__(self, faces: Any) -> Any:
        rows = super().__call__(faces)
        return np.stack([rows[0], np.roll(rows[0], 1)]) if len(faces) == 2 else rows


@pytest.mark.parametrize(("sees", "named"), [(BeginsToSmile, True), (Smiling, False)])
def test_long_expressions_are_named_by_what_came_over_the_face(
    clip: Path, monkeypatch: pytest.MonkeyPatch, sees: type[Smiling], named: bool
) -> None:
    monkeypatch.setattr(live, "expression_network", lambda _: sees({"name": "expression"}))
    true = live.spot

    def longer(measured: Any, settings: Any) -> Any:
        events, signals = true(measured, settings)
        return [replace(e, kind="macro") for e in events], signals

    monkeypatch.setattr(live, "spot", longer)
    told, _, _ = play(clip)
    assert told
    assert all((t.event.emotion == "happy") == named for t in told)
    assert all(t.event.action_units for t in told)


def test_an_event_at_the_end_is_told_at_the_end(clip: Path) -> None:
    told, analysis, _ = play(clip)
    (smile,) = [t for t in told if t.event.kind == "micro"]
    assert abs(smile.event.onset_frame - ONSET) <= 3
    assert abs(smile.event.offset_frame - OFFSET) <= 4
    assert smile.event.emotion is not None
    assert analysis.end() == []
    assert analysis.timeline().duration_s == pytest.approx(FRAMES / FPS)


def test_settings_reach_the_spotter(clip: Path) -> None:
    deaf = AnalyseSettings(spotting=SpottingSettings(min_displacement_percent_iod=50.0))
    assert [t for t in play(clip, settings=deaf)[0] if t.event.kind != "blink"] == []


def test_without_a_face_there_are_no_results(tmp_path: Path) -> None:
    _, analysis, _ = play(write_numbered(tmp_path / "a.mp4", 30))
    with pytest.raises(NoFaceError, match="a face in view"):
        analysis.timeline()


def test_dropped_frames_are_said(clip: Path) -> None:
    _, analysis, _ = play(clip)
    timeline = analysis.timeline(dropped=70)
    assert timeline.video.variable_frame_rate
    assert "70 of 140 frames (50%)" in timeline.warnings[0]


def test_a_file_is_played_at_its_own_pace(tmp_path: Path) -> None:
    clock = Tape()
    source = Playback(write_numbered(tmp_path / "a.mp4", 25, rate=50), clock=clock)
    for frame in source.frames():
        assert clock.time_s == pytest.approx(100 + frame.time_s)
        assert source.late_s(frame.time_s) == pytest.approx(0)
    assert frame.index == 24
    assert source.dropped == 0


def test_whoever_is_slow_misses_frames_and_does_not_fall_behind(tmp_path: Path) -> None:
    clock = Tape()
    source = Playback(write_numbered(tmp_path / "a.mp4", 100, rate=50), clock=clock)
    taken = []
    for frame in source.frames():
        taken.append((frame.index, number_of(frame.grey)))
        assert source.late_s(frame.time_s) <= MOST_LATE_S + 1e-6
        clock.sleep(0.05)
    assert [i for i, _ in taken] == list(range(len(taken)))
    assert len(taken) + source.dropped == 100
    assert 35 <= len(taken) <= 50
    assert [n for _, n in taken] == sorted(n for _, n in taken)


class Pictures:
    """A camera that gives some pictures at once and is then unplugged."""

    def __init__(self, count: int, error: Exception) -> None:
        self.count, self.given, self.closed, self.error = count, threading.Event(), False, error
        context = SimpleNamespace(name="rawvideo", pix_fmt="gray", width=32, height=16)
        stream = SimpleNamespace(average_rate=30, base_rate=30, codec_context=context)
        self.streams = SimpleNamespace(video=[stream])

    def decode(self, video: int) -> Iterator[Any]:
        for i in range(self.count):
            picture = av.VideoFrame.from_ndarray(np.full((16, 32), 10 * i, np.uint8), format="gray")
            picture.pts, picture.time_base = 1000 + 4 * i, Fraction(1, 120)
            yield picture
        self.given.set()
        raise self.error

    def close(self) -> None:
        self.closed = True


def test_a_camera_gives_its_newest_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Pictures(12, OSError("unplugged"))
    opened: list[Any] = []
    monkeypatch.setattr(live_source.av, "open", lambda *a, **k: opened.append((a, k)) or camera)
    source = Camera(3, fps=30, size=(32, 16))
    address, form = address_of(3, live_source.sys.platform)
    assert opened == [((address,), {"format": form, "options": {"framerate": "30", "video_size": "32x16"}})]
    assert source.info.width == 32
    frames = source.frames()
    first = next(frames)
    assert camera.given.wait(10)
    rest = list(frames)
    seen = [first, *rest]
    assert [f.index for f in seen] == list(range(len(seen)))
    assert len(seen) + source.dropped == 12
    assert len(rest) <= WAITING + 11
    shown = [int(f.grey[0, 0]) // 10 for f in seen]
    assert shown[-1] == 11
    assert shown == sorted(set(shown))
    assert [f.time_s for f in seen] == pytest.approx([i / 30 for i in shown])
    assert camera.closed


def test_an_error_behind_a_camera_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_source.av, "open", lambda *a, **k: Pictures(1, ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(Camera(0).frames())


def test_addresses_of_cameras() -> None:
    assert address_of(1, "linux") == ("/dev/video1", "v4l2")
    assert address_of("/dev/v4l/by-id/x", "linux") == ("/dev/v4l/by-id/x", "v4l2")
    assert address_of(0, "darwin") == ("0", "avfoundation")
    assert address_of("Integrated Camera", "win32") == ("video=Integrated Camera", "dshow")
    with pytest.raises(VideoError, match="On Windows cameras have names"):
        address_of(0, "win32")


def test_a_missing_camera_is_said(fleeting: Command) -> None:
    said = fleeting("live", "97")
    assert said.status == 1
    assert "a camera that can be opened" in said.err
    assert "fleeting live interview.mp4" in said.err


def test_a_size_is_for_cameras(fleeting: Command, clip: Path) -> None:
    said = fleeting("live", clip, "--size", "640x480")
    assert said.status == 1
    assert "a camera for --size" in said.err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_source, "SystemClock", Tape)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_and_saves(fleeting: Command, clip: Path, tmp_path: Path) -> None:
    said = fleeting("live", clip, "--out", tmp_path / "out", "--json")
    assert said.status == 0, said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [r["kind"] for r in rows if r["kind"] != "blink"] == ["micro"]
    assert all("delay_s" in r for r in rows)
    assert "1 micro-expression," in said.err
    assert "70 frames, 0 left out" in said.err
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name.startswith("live-")
    assert {"timeline.json", "report.html", "events.csv", "run.json"} <= {p.name for p in folder.iterdir()}
    stored = json.loads((folder / "timeline.json").read_text(encoding="utf-8"))
    assert len(stored["events"]) == len(rows)
    assert fleeting("live", clip, "--out", tmp_path / "out", "--seconds", "0.5").status == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_stopping_saves_what_was_seen(clip: Path, tmp_path: Path) -> None:
    """A film of ten times the length, stopped from the keyboard after a second."""
    path = write_video(tmp_path / "long.mp4", pictures(clip) * 8, rate=FPS)
    process = start("live", path, "--out", tmp_path / "out")
    assert process.stderr is not None
    assert "Ctrl-C stops" in process.stderr.readline()
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    (folder,) = (tmp_path / "out").iterdir()
    stored = json.loads((folder / "timeline.json").read_text(encoding="utf-8"))
    assert 1 <= stored["frame_count"] < 8 * FRAMES


def test_windows_are_bounded(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    true = live.spot

    def noted(measured: Any, settings: Any) -> Any:
        lengths.append(len(measured.time_s))
        return true(measured, settings)

    monkeypatch.setattr(live, "spot", noted)
    monkeypatch.setattr(live, "WINDOW_S", 0.5)
    monkeypatch.setattr(live, "LEAST_SEEN_S", 0.3)
    _, analysis, _ = play(clip)
    assert max(lengths) <= 0.5 * FPS + 1
    assert len(lengths) == 6
    assert 2 <= len(analysis._kept) <= 0.5 * FPS + 1
