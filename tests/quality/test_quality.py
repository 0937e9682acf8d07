from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from fleeting.quality import meter as room
from fleeting.quality import pictures as measure
from fleeting.quality.meter import Quality, QualityMeter, judge
from fleeting.quality.probe import probe
from fleeting.records import FaceBox, FaceSegment, FaceTrack, VideoInfo
from fleeting.video.frame import Frame
from fleeting.video.writer import ImageFolderWriter

INFO = VideoInfo("a.mp4", "a", "mp4", "h264", "yuv420p", 320, 240, 200.0)


@dataclass
class FakeFace:
    """Landmarks that span a box, with a given inter-ocular distance."""

    left: float
    top: float
    width: float
    height: float
    iod: float

    @property
    def points(self) -> np.ndarray:
        x, y = np.linspace(self.left, self.left + self.width, 68), np.linspace(self.top, self.top + self.height, 68)
        return np.stack([x, y], axis=1).astype(np.float32)


FACE = FakeFace(80, 40, 160, 160, 100.0)


def portrait(*, blur: float = 0.0) -> np.ndarray:
    """Discs and bars with step edges, lit from one side, 240 x 320."""
    image = np.full((240, 320), 90, np.float32) + np.linspace(0, 30, 320, dtype=np.float32)
    for centre in [(130, 90), (190, 90)]:
        cv2.circle(image, centre, 16, 190.0, -1)
        cv2.circle(image, centre, 7, 30.0, -1)
    cv2.rectangle(image, (130, 150), (190, 165), 50.0, -1)
    return cv2.GaussianBlur(image, (0, 0), blur) if blur else image


def noisy(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(image + rng.normal(0, sigma, image.shape)), 0, 255).astype(np.uint8)


# --- the measures, against what was put in


@pytest.mark.parametrize("sigma", [1.0, 2.0, 4.0, 8.0])
def test_noise_is_that_of_the_still_part(sigma: float) -> None:
    rng = np.random.default_rng(0)
    before, after = portrait(), portrait()
    after[:, 180:] = np.roll(after, 9, axis=0)[:, 180:]  # less than half moves
    found = measure.temporal_noise(noisy(before, sigma, rng), noisy(after, sigma, rng))
    assert found == pytest.approx(sigma, rel=0.1)


def test_noise_cannot_be_told_of_a_still_or_black_picture() -> None:
    still = portrait().astype(np.uint8)
    assert measure.temporal_noise(still, still) is None
    rng = np.random.default_rng(0)
    black = [np.abs(noisy(np.zeros((240, 320)), 2, rng)) for _ in range(2)]
    assert measure.temporal_noise(*black) is None
    assert measure.temporal_noise(still[:20, :20], still[1:21, :20]) is None


@pytest.mark.parametrize("blur", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_blur_of_step_edges(blur: float, noise: float) -> None:
    found = measure.edge_blur(noisy(portrait(blur=blur), noise, np.random.default_rng(1)))
    assert found == pytest.approx(blur, rel=0.25)


def test_blur_rises_with_blur() -> None:
    found = [measure.edge_blur(portrait(blur=b).astype(np.uint8)) or 0.0 for b in (0.6, 1.0, 1.6, 2.4, 3.4)]
    assert found == sorted(found)
    assert measure.edge_blur(np.full((100, 100), 90, np.uint8)) is None


def test_blocks_of_jpeg() -> None:
    rng = np.random.default_rng(2)
    scene = noisy(cv2.GaussianBlur(rng.normal(128, 400, (240, 320)).astype(np.float32), (0, 0), 6), 1, rng)

    def blocks(quality: int) -> float:
        stored = cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)
        whole = measure.blockiness(image)
        cut = measure.blockiness(np.ascontiguousarray(image[3:, 5:]))
        turned = measure.blockiness(np.ascontiguousarray(np.rot90(image)))
        assert whole is not None
        assert cut == pytest.approx(whole, rel=0.1)
        assert turned == pytest.approx(whole)
        return whole

    found = [blocks(q) for q in (95, 50, 10)]
    assert found == sorted(found)
    assert found[0] < 1.3
    assert found[2] > 2.0
    assert measure.blockiness(scene) == pytest.approx(1.0, abs=0.1)
    assert measure.blockiness(np.full((240, 320), 7, np.uint8)) is None


def test_clipped_share() -> None:
    image = np.full((10, 10), 128, np.uint8)
    image[0] = 255
    image[1, :5] = 0
    assert measure.clipped_share(image) == 0.15


@pytest.mark.parametrize(
    ("fps", "grid", "seen"),
    [
        (25, 50, False),  # 100 Hz folds to 0
        (25, 60, True),
        (30, 60, False),
        (30, 50, True),
        (30000 / 1001, 50, True),  # between two bins of the spectrum
        (120, 50, True),
        (200, 60, True),
        (200, 50, True),  # half the frame rate
        (240, 60, True),
        (500, 50, True),
    ],
)
def test_flicker_of_lamps(fps: float, grid: float, seen: bool) -> None:
    rng = np.random.default_rng(3)
    t = np.arange(int(6 * fps)) / fps
    steady = 120 + rng.normal(0, 0.05, t.size)
    # A grid is never at its nominal frequency exactly.
    pulsing = steady + 120 * 0.02 * np.sin(2 * np.pi * 2 * grid * 1.0003 * t + 0.6)
    found = measure.flicker_depth(pulsing, fps)
    assert found is not None
    assert found[0] == (pytest.approx(2.0, rel=0.15) if seen else 0.0)
    if seen:
        assert found[1] == grid
    still = measure.flicker_depth(steady, fps)
    assert still is not None
    assert still[0] == 0.0


def test_flicker_needs_light_and_time() -> None:
    assert measure.flicker_depth(np.full(100, 120.0), 200) is None
    assert measure.flicker_depth(np.full(1000, 0.2), 200) is None


# --- verdicts


@pytest.mark.parametrize(
    ("value", "good", "fair", "verdict"),
    [(100, 100, 25, "good"), (99.9, 100, 25, "fair"), (25, 100, 25, "fair"), (24.9, 100, 25, "poor")]
    + [(2, 2, 5, "good"), (2.1, 2, 5, "fair"), (5, 2, 5, "fair"), (5.1, 2, 5, "poor"), (None, 2, 5, "unknown")],
)
def test_bounds_belong_to_the_better_side(value: float | None, good: float, fair: float, verdict: str) -> None:
    assert judge(value, good, fair) == verdict


def film(
    count: int = 200,
    *,
    times: np.ndarray | None = None,
    face: FakeFace | None = FACE,
    info: VideoInfo = INFO,
    sigma: float = 1.0,
    repeat: int = 0,
) -> Quality:
    """Feed a meter with noise over the portrait; every `repeat`-th frame repeats the one before."""
    rng = np.random.default_rng(4)
    meter = QualityMeter(info)
    image = noisy(portrait(blur=0.8), sigma, rng)
    for i in range(count):
        if not (repeat and i % repeat == repeat - 1):
            image = noisy(portrait(blur=0.8), sigma, rng)
        time_s = i / info.fps if times is None else float(times[i])
        meter.add(Frame(i, time_s, image), [face] if face else [])
    return meter.quality()


def test_a_good_recording() -> None:
    quality = film()
    assert {m.verdict for n, m in quality.measures.items() if n != "flicker"} == {"good"}
    assert quality.measures["flicker"].verdict == "unknown"  # one second is too short
    assert quality.verdict == "good"
    assert quality.measures["noise"].value == pytest.approx(1.0, rel=0.1)
    assert quality.measures["face_size"].value == 100.0
    assert quality.measures["blur"].value == pytest.approx(0.8, rel=0.3)
    assert quality.measures["frame_rate"].advice == "A movement of 0.2 s covers 40 frames."


def test_measures_are_those_of_the_table() -> None:
    table = re.findall(r"^(\w+) {2,}\S.*$", room.__doc__ or "", flags=re.MULTILINE)
    assert list(film(5).measures) == [name for name in table if name != "measure"]


def test_plain_dictionaries() -> None:
    values = film().to_dict()
    assert json.loads(json.dumps(values)) == values
    assert set(values["noise"]) == {"value", "unit", "verdict", "advice"}


@pytest.mark.parametrize(
    ("fps", "verdict", "words"),
    [(200.0, "good", "40 frames"), (25.0, "fair", "covers 5 frames.*Use 100"), (10.0, "poor", "2 frames: too few")],
)
def test_frame_rate(fps: float, verdict: str, words: str) -> None:
    found = film(20, info=replace(INFO, fps=fps)).measures["frame_rate"]
    assert (found.value, found.verdict) == (fps, verdict)
    assert re.search(words, found.advice)


def test_dropped_frames_are_counted() -> None:
    times = np.arange(300) / 200
    times[100:] += 3 / 200
    times[200:] += 1 / 200
    found = film(300, times=times).measures["dropped_frames"]
    assert (found.value, found.verdict) == (4.0, "poor")
    assert "4 frames are missing" in found.advice
    few = film(600, times=np.delete(np.arange(601) / 200, 300)).measures["dropped_frames"]
    assert (few.value, few.verdict) == (1.0, "fair")


def test_changing_rates_are_no_dropped_frames() -> None:
    times = np.cumsum(np.r_[np.full(100, 1 / 30), np.full(100, 1 / 24)])
    found = film(200, times=times, info=replace(INFO, fps=26.4, variable_frame_rate=True))
    assert found.measures["dropped_frames"].value == 0
    assert "The rate varies" in found.measures["frame_rate"].advice


@pytest.mark.parametrize(("repeat", "count"), [(0, 0), (5, 40), (2, 100)])
def test_repeated_frames_are_counted(repeat: int, count: int) -> None:
    found = film(200, repeat=repeat).measures["repeated_frames"]
    assert found.value == count
    assert found.verdict == ("poor" if count else "good")
    if repeat == 5:
        assert "about 160 frames/s" in found.advice


@pytest.mark.parametrize(("codec", "said"), [("h264", True), ("ffv1", False)])
def test_noise_that_compression_took_away(codec: str, said: bool) -> None:
    meter = QualityMeter(replace(INFO, codec=codec))
    for i in range(120):
        image = portrait().astype(np.uint8)
        image[::4, ::8] += i % 2
        meter.add(Frame(i, i / 200, image), [FACE])
    noise = meter.quality().measures["noise"]
    assert (noise.value or 1) < 0.25
    assert noise.verdict == ("fair" if said else "good")
    assert ("Compression took the noise away" in noise.advice) is said


def test_a_still_picture_as_video() -> None:
    meter = QualityMeter(INFO)
    for i in range(50):
        meter.add(Frame(i, i / 200, portrait().astype(np.uint8)))
    measures = meter.quality().measures
    assert "still picture" in measures["repeated_frames"].advice
    assert (measures["noise"].value, measures["noise"].verdict) == (None, "unknown")


def test_black_video() -> None:
    meter = QualityMeter(INFO)
    for i in range(50):
        meter.add(Frame(i, i / 200, np.zeros((240, 320), np.uint8)))
    found = meter.quality()
    assert found.verdict == "poor"
    assert found.measures["clipped"].value == 100.0
    assert found.measures["brightness"].verdict == "poor"
    assert found.measures["face_size"].verdict == "poor"


def test_no_frames() -> None:
    found = QualityMeter(INFO).quality()
    assert {n for n, m in found.measures.items() if m.value is not None} == {"frame_rate"}


@pytest.mark.parametrize(
    ("iod", "verdict", "words"),
    [(80.0, "good", "^$"), (50.0, "fair", "1 % .* is 0.5 px"), (30.0, "poor", "Small"), (20.0, "poor", "Too small")],
)
def test_face_size(iod: float, verdict: str, words: str) -> None:
    found = film(20, face=FakeFace(100, 60, iod * 1.5, iod * 1.5, iod)).measures["face_size"]
    assert (found.value, found.verdict) == (iod, verdict)
    assert re.search(words, found.advice)


def test_the_analysed_face_stands_for_the_largest() -> None:
    meter = QualityMeter(INFO)
    meter.add(Frame(0, 0.0, portrait().astype(np.uint8)), [FACE])
    track = FaceTrack(0, (FaceSegment(0, 0),), 61.0, FaceBox(0, 0, 90, 90))
    assert meter.quality(track).measures["face_size"].value == 61.0


def test_face_that_is_seldom_in_view() -> None:
    meter = QualityMeter(INFO)
    for i in range(400):
        face = [FACE] if i < 100 else []
        meter.add(Frame(i, i / 200, portrait().astype(np.uint8)), face)
    found = meter.quality().measures["face_in_view"]
    assert (found.value, found.verdict) == (25.0, "poor")
    assert "75 % of the frames" in found.advice


def test_large_faces_are_halved_without_changing_the_measure() -> None:
    large = cv2.resize(portrait(blur=1.5), None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    meter = QualityMeter(INFO)
    meter.add(Frame(0, 0.0, np.clip(large, 0, 255).astype(np.uint8)), [FakeFace(480, 240, 960, 960, 600.0)])
    assert meter.quality().measures["blur"].value == pytest.approx(1.5, rel=0.2)


def test_face_beyond_the_picture() -> None:
    found = film(10, face=FakeFace(-500, -500, 100, 100, 80.0))
    assert found.measures["brightness"].verdict == "unknown"
    assert film(10, face=FakeFace(-50, -50, 250, 250, 80.0)).measures["brightness"].value is not None


@pytest.mark.parametrize(
    ("level", "verdict", "word"), [(20, "poor", "dark"), (50, "fair", "dark"), (230, "poor", "bright")]
)
def test_brightness(level: int, verdict: str, word: str) -> None:
    meter = QualityMeter(INFO)
    meter.add(Frame(0, 0.0, np.full((240, 320), level, np.uint8)), [FACE])
    found = meter.quality().measures["brightness"]
    assert (found.value, found.verdict) == (level, verdict)
    assert word in found.advice


# --- probe


def folder(path: Path, count: int = 60) -> Path:
    rng = np.random.default_rng(5)
    with ImageFolderWriter(path) as writer:
        for _ in range(count):
            writer.write(noisy(portrait(blur=0.8), 1.5, rng))
    return path


def test_probe_measures_what_the_meter_measures(tmp_path: Path) -> None:
    calls = 0

    def find(grey: np.ndarray) -> list[FakeFace]:
        nonlocal calls
        calls += 1
        assert grey.shape == (240, 320)
        return [FACE]

    found = probe(folder(tmp_path / "clip"), fps=100, faces=find)
    assert calls == 3  # 0.6 s, every quarter of a second
    assert (found.frame_count, found.duration_s, found.complete) == (60, pytest.approx(0.6), True)
    assert found.quality.measures["noise"].value == pytest.approx(1.5, rel=0.1)
    assert found.quality.measures["face_size"].value == 100.0
    assert json.loads(json.dumps(found.to_dict()))["video"]["fps"] == 100


def test_probe_looks_at_the_beginning(tmp_path: Path) -> None:
    found = probe(folder(tmp_path / "clip"), fps=100, seconds=0.2, faces=lambda grey: [])
    assert (found.frame_count, found.complete) == (21, False)
    assert found.quality.measures["face_size"].advice.startswith("No face was found")


@pytest.mark.parametrize("name", ["dropped_frames", "repeated_frames"])
def test_a_single_frame_is_said_in_the_singular_and_is_not_poor(name: str) -> None:
    times = np.delete(np.arange(52) / 200, 30) if name == "dropped_frames" else None
    found = film(51, repeat=0 if times is not None else 40, times=times).measures[name]
    assert (found.value, found.unit, found.verdict) == (1, "frame", "fair")
    assert found.advice.startswith(("1 frame is missing in a gap", "1 frame repeats the one before"))
