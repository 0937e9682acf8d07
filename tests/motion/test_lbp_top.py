"""LBP-TOP against a count by hand, place by place, and against another library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fleeting.errors import InputError, SettingsError
from fleeting.motion.lbp_top import PLANES, LbpTopSettings, lbp_top


def by_hand(clip: np.ndarray, s: LbpTopSettings) -> np.ndarray:
    """The same histograms, one place, plane and neighbour at a time."""
    frames, height, width = clip.shape
    histograms = np.zeros((s.rows, s.columns, 3, s.bins))
    uniform = [c for c in range(2**s.neighbours) if changes(c, s.neighbours) <= 2]
    for t in range(s.radius_t, frames - s.radius_t):
        for y in range(s.radius_y, height - s.radius_y):
            for x in range(s.radius_x, width - s.radius_x):
                for plane in range(3):
                    code = 0
                    for p in range(s.neighbours):
                        cos, sin = (f(2 * math.pi * p / s.neighbours) for f in (math.cos, math.sin))
                        at = [
                            (t, y + s.radius_y * sin, x + s.radius_x * cos),
                            (t + s.radius_t * sin, y, x + s.radius_x * cos),
                            (t + s.radius_t * sin, y + s.radius_y * cos, x),
                        ][plane]
                        code += (trilinear(clip, *at) >= clip[t, y, x] - 1e-6) << p
                    place = code
                    if s.uniform:
                        place = uniform.index(code) if code in uniform else len(uniform)
                    histograms[y * s.rows // height, x * s.columns // width, plane, place] += 1
    return (histograms / histograms.sum(-1, keepdims=True)).ravel()


def changes(code: int, bits: int) -> int:
    word = f"{code:0{bits}b}"
    return sum(a != b for a, b in zip(word, word[1:] + word[0], strict=True))


def trilinear(clip: np.ndarray, t: float, y: float, x: float) -> float:
    value = 0.0
    for i in (math.floor(t), math.floor(t) + 1):
        for j in (math.floor(y), math.floor(y) + 1):
            for k in (math.floor(x), math.floor(x) + 1):
                share = max(0, 1 - abs(t - i)) * max(0, 1 - abs(y - j)) * max(0, 1 - abs(x - k))
                if share > 1e-12:
                    value += share * float(clip[i, j, k])
    return value


@pytest.mark.parametrize(
    "settings",
    [
        LbpTopSettings(rows=2, columns=3, radius_x=1, radius_y=1, radius_t=1),
        LbpTopSettings(rows=2, columns=2, radius_x=2, radius_y=1, radius_t=3),
        LbpTopSettings(rows=1, columns=2, radius_x=1, radius_y=2, radius_t=2, neighbours=4, uniform=False),
        LbpTopSettings(rows=1, columns=1, radius_x=2, radius_y=2, radius_t=1, neighbours=6),
    ],
    ids=["cube", "ellipses", "four", "six"],
)
def test_as_counted_by_hand(settings: LbpTopSettings) -> None:
    # Few grey levels, so that neighbours often equal the centre.
    clip = np.random.default_rng(3).integers(0, 6, (8, 11, 13), dtype=np.uint8) * 40
    found = lbp_top(clip, settings)
    assert found.dtype == np.float32
    assert found.shape == (settings.length,)
    np.testing.assert_allclose(found, by_hand(clip, settings), atol=1e-6)


def test_the_picture_plane_as_scikit_image_has_it() -> None:
    feature = pytest.importorskip("skimage.feature", reason="scikit-image comes with the extra demo")
    clip = np.random.default_rng(5).integers(0, 256, (5, 20, 24), dtype=np.uint8)
    settings = LbpTopSettings(rows=1, columns=1, radius_t=2, uniform=False)
    # It counts the angle upwards; ours go down, as rows do.
    codes = feature.local_binary_pattern(clip[2, ::-1], 8, 1, method="default")[1:-1, 1:-1]
    expected = np.bincount(codes.astype(int).ravel(), minlength=256) / codes.size
    np.testing.assert_allclose(lbp_top(clip, settings)[:256], expected, atol=1e-6)


def test_a_flat_clip_has_one_pattern() -> None:
    found = lbp_top(np.full((9, 30, 30), 77, np.uint8)).reshape(25, 3, 59)
    assert (found[..., 57] == 1).all(), "all neighbours equal the centre: the last uniform pattern"


def test_a_still_picture_differs_from_a_moving_one_in_time_alone() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 40), dtype=np.uint8)
    still = np.stack([picture] * 9)
    drifting = np.stack([np.roll(picture, i, axis=1) for i in range(9)])
    settings = LbpTopSettings(rows=1, columns=1, radius_t=1)
    first, second = (lbp_top(c, settings).reshape(3, 59) for c in (still, drifting))
    for plane in ("xt", "yt"):
        assert np.abs(first - second)[PLANES.index(plane)].sum() > 0.5
    assert np.abs(first - second)[0].sum() < 0.2


def test_light_does_not_count() -> None:
    clip = np.random.default_rng(1).integers(0, 100, (9, 20, 20), dtype=np.uint8)
    np.testing.assert_array_equal(lbp_top(clip), lbp_top(clip * 2 + 30))


@pytest.mark.parametrize(
    ("clip", "got"),
    [
        (np.zeros((4, 30, 30), np.uint8), r"at least 5 frames of 10 x 10 pixels; got uint8 of shape \(4, 30, 30\)"),
        (np.zeros((9, 9, 30), np.uint8), r"shape \(9, 9, 30\)"),
        (np.zeros((9, 30, 30)), "float64"),
        (np.zeros((30, 30), np.uint8), r"shape \(30, 30\)"),
    ],
)
def test_clips_that_cannot_be_read(clip: Any, got: str) -> None:
    with pytest.raises(InputError, match=got):
        lbp_top(clip)


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"radius_t": 0}, {"neighbours": 3}, {"neighbours": 16}])
def test_impossible_settings(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        LbpTopSettings(**wrong)
