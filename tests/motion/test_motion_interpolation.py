from __future__ import annotations

import numpy as np
import pytest

from fleeting.errors import InputError, SettingsError
from fleeting.motion.interpolation import interpolate, weights


@pytest.fixture
def clip() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 6, 5)).astype(np.uint8)


@pytest.mark.parametrize("method", ["tim", "linear"])
@pytest.mark.parametrize("length", [2, 5, 9, 10, 32])
def test_ends_and_length_are_kept(clip: np.ndarray, method: str, length: int) -> None:
    new = interpolate(clip, length, method=method)
    assert new.shape == (length, 6, 5)
    assert new.dtype == np.float32
    np.testing.assert_allclose(new[0], clip[0], atol=1e-3)
    np.testing.assert_allclose(new[-1], clip[-1], atol=1e-3)


@pytest.mark.parametrize("method", ["tim", "linear"])
def test_every_old_frame_lies_on_the_curve(clip: np.ndarray, method: str) -> None:
    np.testing.assert_allclose(interpolate(clip, 17, method=method)[::2], clip, atol=1e-3)


def test_tim_equals_the_graph_embedding_of_the_paper() -> None:
    # The paper's way: eigenvectors of the path graph's Laplacian, and the linear map back, found by least squares.
    n, length = 7, 12
    x = np.random.default_rng(1).normal(size=(40, n))
    adjacency = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    laplacian = np.diag(adjacency.sum(1)) - adjacency
    k = np.arange(1, n)[:, None]

    def curve(t: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * k * t + np.pi * (n - k) / (2 * n))

    at_frames = curve(np.arange(1, n + 1) / n)
    values = 2 - 2 * np.cos(np.pi * k / n)
    np.testing.assert_allclose(laplacian @ at_frames.T, at_frames.T * values.T, atol=1e-9)
    mean = x.mean(1, keepdims=True)
    back = np.linalg.lstsq(at_frames.T, (x - mean).T, rcond=None)[0].T
    expected = back @ curve(np.linspace(1 / n, 1, length)) + mean
    np.testing.assert_allclose(interpolate(x.T, length).T, expected, atol=1e-4)


def test_tim_follows_a_smooth_movement_better_than_lines_do() -> None:
    def movement(t: np.ndarray) -> np.ndarray:
        return np.sin(np.pi * t) ** 2

    old, new = np.linspace(0, 1, 8), np.linspace(0, 1, 64)
    error = {
        m: np.abs(interpolate(movement(old), 64, method=m) - movement(new)).max()  # type: ignore[arg-type]
        for m in ("tim", "linear")
    }
    assert error["tim"] < 0.5 * error["linear"]


@pytest.mark.parametrize("method", ["tim", "linear"])
def test_a_still_picture_stays_still(method: str) -> None:
    np.testing.assert_allclose(weights(1, 4, method=method), np.ones((4, 1)))
    np.testing.assert_allclose(weights(5, 13, method=method).sum(1), 1, atol=1e-12)


def test_nothing_cannot_be_interpolated(clip: np.ndarray) -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        interpolate(clip[:0], 5)
    with pytest.raises(InputError, match="length 0"):
        interpolate(clip, 0)
    with pytest.raises(SettingsError, match="tim, linear"):
        interpolate(clip, 5, method="cubic")  # type: ignore[arg-type]
