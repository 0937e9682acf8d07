"""Faces of every size come through the whole analysis, up to the report with its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from video_files import write_video

import fleeting
from fleeting.analysis import analyse
from fleeting.faces.crop import cut, square_transform
from fleeting.records import Event
from fleeting.settings import AnalyseSettings, ExpressionSettings, FaceSettings
from fleeting.synthesis import demo

FRAMES, RATE = 5, 25
FACE_IOD = float(np.linalg.norm(demo.PORTRAIT_POINTS[45] - demo.PORTRAIT_POINTS[36]))


def sized_film(path: Path, iod_px: float) -> Path:
    """The astronaut's head, with so many pixels between the outer eye corners, drifting by a fiftieth of them."""
    (left, top), (right, bottom) = demo.PORTRAIT_POINTS.min(0), demo.PORTRAIT_POINTS.max(0)
    scale, margin = iod_px / FACE_IOD, 0.5 * FACE_IOD
    width, height = (2 * round(scale * (size + 2 * margin) / 2) for size in (right - left, bottom - top))
    pictures = []
    for i in range(FRAMES):
        shift = 0.02 * iod_px * i / FRAMES
        place = np.array([[scale, 0, scale * (margin - left) + shift], [0, scale, scale * (margin - top)]])
        pictures.append(cv2.warpAffine(demo.portrait(), place, (width, height), flags=cv2.INTER_LINEAR))
    return write_video(path, pictures, rate=RATE)


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
@pytest.mark.parametrize("iod_px", [24, 60, 120, 238, 260, 500, 1000, 2000])
def test_a_face_of_every_size_comes_through_to_the_report(
    iod_px: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = analyse.spot

    def found(measured: Any, settings: Any, **_: object) -> Any:
        _, signals = true(measured, settings)
        event = Event(measured.face, "macro", 1, 2, 4, 1 / RATE, 2 / RATE, 4 / RATE, ("chin",), 1.0, 0.9)
        return [event], signals

    monkeypatch.setattr(analyse, "spot", found)
    film = sized_film(tmp_path / "face.mp4", iod_px)
    settings = AnalyseSettings(faces=FaceSettings(min_iod_px=16), expressions=ExpressionSettings(per_second=25))
    timeline = fleeting.analyse(film, out=tmp_path, settings=settings, formats=["report"])
    assert timeline.tracks[0].median_iod_px == pytest.approx(iod_px, rel=0.15)
    report = (tmp_path / "face" / "report.html").read_text(encoding="utf-8")
    assert report.count("The whole face at the apex of") == 1
    assert timeline.expressions[0].probabilities.shape == (FRAMES, 7)


@pytest.mark.parametrize("factor", [1, 2, 3, 7, 20])
def test_a_coloured_picture_is_cut_as_each_of_its_colours(factor: int) -> None:
    rng = np.random.default_rng(factor)
    picture = rng.integers(0, 256, (40 * factor, 50 * factor, 3)).astype(np.uint8)
    place = square_transform((25.0 * factor, 20.0 * factor), 20.0 * factor, angle=10.0, size=24)
    coloured = cut(picture, place, size=24)
    for channel in range(3):
        np.testing.assert_array_equal(coloured[..., channel], cut(picture[..., channel].copy(), place, size=24))
