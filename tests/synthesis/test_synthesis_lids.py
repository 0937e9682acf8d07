from __future__ import annotations

import cv2
import numpy as np
import pytest
from portraits import POINTS

from fleeting.synthesis.face.blink import lids
from fleeting.synthesis.face.lid_edges import refine_lids

LIDS = [37, 38, 40, 41, 43, 44, 46, 47]


def eyes(points: np.ndarray) -> np.ndarray:
    """Bright skin with dark eyes whose lids are exactly the curves of `lids`."""
    grey = np.full((270, 260), 200, np.float32)
    y, x = np.mgrid[0:270, 0:260]
    for lid in lids(points):
        s, down = np.moveaxis(lid.local(np.stack([x, y], -1)), -1, 0)
        inside = np.clip(s, 0, 1)
        bow = inside * (1 - inside)
        upper, lower = (bow * (c[0] + c[1] * inside) for c in (lid.upper, lid.lower))
        grey[(down > upper) & (down < lower)] = 60
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.7), np.uint8)


@pytest.fixture
def open_eyes() -> np.ndarray:
    points = POINTS.copy()
    points[[37, 38, 43, 44], 1] -= 3
    points[[40, 41, 46, 47], 1] += 2
    return points


@pytest.mark.parametrize("error", [0.0, 2.5])
def test_lids_are_found_where_they_are(open_eyes: np.ndarray, error: float) -> None:
    wrong = open_eyes.copy()
    wrong[[37, 38, 43, 44], 1] += error
    found = refine_lids(eyes(open_eyes), wrong)
    assert np.abs(found[[37, 38, 43, 44]] - open_eyes[[37, 38, 43, 44]]).max() < 0.8
    others = [i for i in range(68) if i not in LIDS]
    assert np.array_equal(found[others], wrong[others])


def test_a_lid_travels_its_opening(open_eyes: np.ndarray) -> None:
    for lid in lids(open_eyes):
        s = np.linspace(0.2, 0.8, 13)
        edge = lid.pixels(np.stack([s, s * (1 - s) * (lid.upper[0] + lid.upper[1] * s)], -1))
        travel = lid.forward(edge, 1.0) - edge
        assert travel[:, 1].max() == pytest.approx(lid.opening(), rel=0.02)
        assert lid.forward(edge, 0.5) - edge == pytest.approx(travel / 2, abs=1e-9)
        assert lid.opening() > 10.0


def test_the_brow_does_not_follow_the_lid(open_eyes: np.ndarray) -> None:
    right, left = lids(open_eyes)
    for lid, brow in ((right, [18, 19, 20]), (left, [23, 24, 25])):
        assert np.abs(lid.forward(open_eyes[brow], 1.0) - open_eyes[brow]).max() < 0.3


def test_backward_undoes_forward(open_eyes: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    for lid in lids(open_eyes):
        s = rng.uniform(0.1, 0.9, 200)
        edge = s * (1 - s) * (lid.upper[0] + lid.upper[1] * s)
        skin = lid.pixels(np.stack([s, edge - rng.uniform(0, lid.crease, 200)], -1))
        for closure in (0.2, 1.0):
            source, cover = lid.backward(lid.forward(skin, closure), closure)
            assert np.abs(source - skin).max() < 1e-3
            assert cover.min() >= 0.5
