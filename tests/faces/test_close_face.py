"""A face that fills the frame: forehead and chin cut off."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import FPS
from video_files import write_video

from fleeting.analysis.analyse import analyse_video
from fleeting.faces.crop import cut
from fleeting.faces.detect import FaceDetector
from fleeting.quality.probe import probe


def close(share: float, *, wide: float = 1.0, side: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """The demo portrait cut to a share of the box of its points, and the points in it."""
    from fleeting.synthesis import demo

    picture, points = demo.portrait(), np.asarray(demo.PORTRAIT_POINTS)
    low, high = points.min(0), points.max(0)
    reach = share * float((high - low).max()) * np.array([wide, 1.0]) / 2
    middle = (low + high) / 2
    x0, y0 = np.maximum((middle - reach).round().astype(int), 0)
    x1, y1 = (middle + reach).round().astype(int)
    part = picture[y0:y1, x0:x1]
    scale = side / part.shape[0]
    size = (round(part.shape[1] * scale) // 2 * 2, side)
    shown = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    return shown, (points - [x0, y0] + 0.5) * scale - 0.5


@pytest.mark.parametrize(("share", "wide"), [(0.85, 1.0), (0.8, 1.0), (0.75, 1.0), (0.8, 1.4)])
def test_a_face_that_is_cut_by_the_frame_is_found(share: float, wide: float) -> None:
    picture, points = close(share, wide=wide)
    found = FaceDetector()(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8))
    assert len(found) == 1
    distance = np.linalg.norm(found[0][1].points - points, axis=1).mean()
    assert distance < 0.12 * np.linalg.norm(points[36] - points[45])


def test_probe_and_analyse_see_the_same_close_face(tmp_path: Path) -> None:
    shown = close(0.8)[0]
    moved = [np.roll(shown, (i % 3) - 1, axis=1) for i in range(60)]
    path = write_video(tmp_path / "close.mp4", moved, rate=FPS)
    found, timeline = probe(path), analyse_video(path, pictures=False).timeline
    assert found.quality.to_dict() == timeline.quality
    assert found.quality.measures["face_in_view"].value == 100.0
    assert timeline.tracks[0].segments[0].onset_frame == 0


@pytest.mark.parametrize("kind", ["stripes", "noise", "gradient", "discs"])
def test_nothing_is_found_where_there_is_no_face(kind: str) -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:180, :240].astype(np.float32)
    drawn = {
        "stripes": 128 + 100 * np.sin(x / 9),
        "noise": cv2.GaussianBlur(rng.normal(128, 400, (180, 240)).astype(np.float32), (0, 0), 5),
        "gradient": x + y / 4,
        "discs": 200 - 150 * (np.hypot(x % 60 - 30, y % 60 - 30) < 18),
    }
    assert FaceDetector()(np.clip(drawn[kind], 0, 255).astype(np.uint8)) == []


def test_a_large_colour_crop_is_averaged_down() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (600, 600, 3)).astype(np.uint8)
    transform = np.array([[0.2, 0, 0], [0, 0.2, 0]], np.float64)
    colour = cut(picture, transform, size=100)
    assert colour.shape == (100, 100, 3)
    assert np.array_equal(colour[..., 1], cut(np.ascontiguousarray(picture[..., 1]), transform, size=100))
