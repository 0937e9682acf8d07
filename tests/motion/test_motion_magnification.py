from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from swaying_texture import FPS, sway, swaying, texture

from fleeting.errors import InputError
from fleeting.motion.magnification import Magnifier, magnify, magnify_stream


@pytest.mark.parametrize(("amplitude", "factor"), [(0.1, 4), (0.1, 10), (0.3, 8)])
def test_a_known_movement_grows_by_about_the_factor(amplitude: float, factor: float) -> None:
    clip = swaying(amplitude)
    grown = sway(magnify(clip, FPS, factor=factor, high_hz=30)) / sway(clip)
    assert 0.6 * factor < grown < 1.1 * factor


def test_factor_1_returns_the_clip() -> None:
    clip = swaying(0.3)
    assert np.abs(magnify(clip, FPS, factor=1).astype(int) - clip).max() <= 1


def test_only_the_band_is_enlarged() -> None:
    slow, fast = swaying(0.3, hz=1.0, frames=80), swaying(0.3, hz=6.0, frames=80)
    band = {"factor": 6.0, "low_hz": 4.0, "high_hz": 9.0}
    grown_slow = sway(magnify(slow, FPS, **band), 1.0) / sway(slow, 1.0)
    grown_fast = sway(magnify(fast, FPS, **band), 6.0) / sway(fast, 6.0)
    assert grown_slow < 0.6 * grown_fast


def test_a_still_clip_stays_still_whatever_the_factor() -> None:
    still = np.repeat(texture().astype(np.uint8)[None], 10, 0)
    assert np.abs(magnify(still, FPS, factor=50).astype(int) - still).max() <= 1


def test_colour_moves_in_brightness_only() -> None:
    grey = swaying(0.3, frames=12)
    clip = np.stack([grey, grey // 2, np.full_like(grey, 90)], -1)
    out = magnify(clip, FPS, factor=6).astype(int)
    assert out.shape == clip.shape
    change = (out - clip)[4]
    assert np.abs(change).max() > 3
    np.testing.assert_allclose(change[..., 2], change[..., 1], atol=1)


def test_a_stream_gives_each_frame_before_it_reads_the_next() -> None:
    clip = swaying(0.2, frames=8)
    read = []

    def source() -> Iterator[np.ndarray]:
        for i, frame in enumerate(clip):
            read.append(i)
            yield frame

    out = []
    for i, frame in enumerate(magnify_stream(source(), FPS, factor=5, low_hz=0, high_hz=20)):
        assert read[-1] == i
        out.append(frame)
    np.testing.assert_array_equal(np.stack(out), magnify(clip, FPS, factor=5, low_hz=0, high_hz=20))


@pytest.mark.parametrize("shape", [(33, 47), (64, 21), (170, 140)])
def test_odd_sizes_keep_their_shape(shape: tuple[int, int]) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    assert magnify(clip, FPS, factor=3).shape == clip.shape


@pytest.mark.parametrize(
    ("fps", "options", "message"),
    [
        (0.0, {"factor": 5, "low_hz": 1, "high_hz": 5}, "fps > 0"),
        (30.0, {"factor": 0.5, "low_hz": 1, "high_hz": 5}, "factor >= 1"),
        (30.0, {"factor": 5, "low_hz": 5, "high_hz": 2}, "low_hz < high_hz"),
        (30.0, {"factor": 5, "low_hz": 20, "high_hz": 25}, "below 15 Hz"),
    ],
)
def test_impossible_bands_are_refused(fps: float, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Magnifier(fps, **options)


def test_frames_that_change_or_are_no_pictures_are_refused() -> None:
    magnifier = Magnifier(30, factor=2, low_hz=0, high_hz=10)
    magnifier.step(np.zeros((32, 32), np.uint8))
    with pytest.raises(InputError, match=r"frames of shape \(32, 32\)"):
        magnifier.step(np.zeros((32, 40), np.uint8))
    with pytest.raises(InputError, match="uint8 pictures"):
        magnifier.step(np.zeros((32, 32), np.float32))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1 frame"):
        magnify(np.zeros((0, 32, 32), np.uint8), 30, factor=2)
