from __future__ import annotations

import cv2
import numpy as np
import pytest

from fleeting.faces.align import (
    CANONICAL_IOD,
    CANONICAL_POINTS,
    align,
    canonical_points,
    crop_size,
    crop_transform,
    fit_similarity,
    to_crop,
    to_frame,
)


def similarity(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def test_crop_has_the_published_geometry() -> None:
    assert crop_size() == (170, 140)
    in_28 = (CANONICAL_POINTS + 0.5) / [5, 170 / 28] - 0.5
    measured = {"right eye": (6.6, 6.9), "left eye": (20.6, 6.9), "nose": (13.3, 14.8)}
    measured |= {"right mouth corner": (8.2, 20.5), "left mouth corner": (19.3, 20.3)}
    ours = [in_28[36:42].mean(0), in_28[42:48].mean(0), in_28[30], in_28[48], in_28[54]]
    for (name, point), mine in zip(measured.items(), ours, strict=True):
        assert np.abs(mine - point).max() < 1.5, name


@pytest.mark.parametrize("width", [70, 140, 280])
def test_transform_undoes_any_similarity(width: int) -> None:
    moved = to_crop(CANONICAL_POINTS, similarity(0.5, 2.3, (200, 90)))
    transform = crop_transform(moved, width=width)
    np.testing.assert_allclose(to_crop(moved, transform), canonical_points(width), atol=1e-9)
    np.testing.assert_allclose(to_frame(canonical_points(width), transform), moved, atol=1e-9)


def test_moving_lips_and_jaw_do_not_move_the_crop() -> None:
    points = CANONICAL_POINTS.copy()
    points[:17] += 9
    points[55:68] += 9
    np.testing.assert_allclose(crop_transform(points), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_one_point_is_no_face() -> None:
    with pytest.raises(ValueError, match="differ from each other"):
        fit_similarity(np.zeros((5, 2)), np.ones((5, 2)))


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0, 4.7])
def test_a_marked_face_lands_on_its_points(scale: float) -> None:
    place = similarity(0.2, scale, (60 * scale, 20 * scale))
    points = to_crop(CANONICAL_POINTS, place)
    frame = np.zeros((round(260 * scale), round(260 * scale)), np.uint8)
    for index in (36, 45, 30, 48, 54):
        x, y = points[index]
        yy, xx = np.mgrid[: frame.shape[0], : frame.shape[1]]
        frame = np.maximum(
            frame, (255 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * (3 * scale) ** 2))).astype("u1")
        )
    crop = align(frame, crop_transform(points))
    assert crop.shape == (170, 140)
    for index in (36, 45, 30, 48, 54):
        x, y = np.round(CANONICAL_POINTS[index]).astype(int)
        patch = crop[y - 9 : y + 10, x - 9 : x + 10].astype(float)
        moments = cv2.moments(patch)
        centre = np.array([moments["m10"], moments["m01"]]) / moments["m00"] + [x - 9, y - 9]
        np.testing.assert_allclose(centre, CANONICAL_POINTS[index], atol=0.15)


def test_large_faces_are_averaged_not_skipped() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (1020, 840)).clip(0, 255).astype(np.uint8)
    transform = np.array([[1 / 6, 0, -5 / 12], [0, 1 / 6, -5 / 12]])
    assert align(noise, transform).std() < 6
    assert pytest.approx(104.2, abs=0.2) == CANONICAL_IOD


def test_a_crop_beyond_the_frame_repeats_its_edge() -> None:
    frame = np.full((40, 40), 90, np.uint8)
    assert (align(frame, similarity(0, 0.2, (-500, -500))) == 90).all()
