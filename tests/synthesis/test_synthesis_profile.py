from __future__ import annotations

import numpy as np
import pytest

from fleeting.errors import SettingsError
from fleeting.synthesis.face.profile import DURATION_S, START, Profile, draw


def test_strength_passes_the_start_at_onset_and_offset() -> None:
    profile = Profile(1.0, 1.2, 1.5)
    assert profile(1.0) == pytest.approx(START)
    assert profile(1.2) == 1.0
    assert profile(1.5) == pytest.approx(START)
    assert profile(profile.first_s) == 0.0
    assert profile(profile.last_s) == pytest.approx(0.0, abs=1e-12)
    assert profile(0.0) == profile(9.0) == 0.0


def test_strength_rises_and_falls_smoothly() -> None:
    profile = Profile(1.0, 1.2, 2.0, 0.3)
    times = np.arange(0.9, 2.2, 0.001)
    strength = np.array([profile(t) for t in times])
    assert (np.diff(strength[times < 1.2]) >= 0).all()
    assert (strength[(times > 1.2) & (times < 1.5)] == 1).all()
    assert (np.diff(strength[times > 1.5]) <= 0).all()
    # No jumps in speed either: at the steepest, a raised cosine over 0.23 s.
    assert np.abs(np.diff(strength, 2)).max() < 2e-4


@pytest.mark.parametrize("fps", [25.0, 29.97, 100.0, 200.0, 500.0])
def test_frames_follow_the_stated_convention(fps: float) -> None:
    profile = Profile(1.003, 1.2, 1.481)
    onset, apex, offset = profile.frames(fps)
    strength = np.array([profile(i / fps) for i in range(int(3 * fps))])
    above = np.flatnonzero(strength >= START)
    assert (onset, apex, offset) == (above[0], strength.argmax(), above[-1])
    assert onset / fps == pytest.approx(1.003, abs=1 / fps)
    assert offset / fps == pytest.approx(1.481, abs=1 / fps)


def test_whole_frames_are_not_lost_to_rounding() -> None:
    # 0.29 * 100 is 28.999999999999996.
    assert Profile(0.14, 0.29, 0.58).frames(100.0) == (14, 29, 58)


def test_held_apex_is_its_first_frame() -> None:
    assert Profile(1.0, 1.5, 3.0, 0.5).frames(10.0) == (10, 15, 30)


def test_a_frame_rate_that_misses_the_movement_is_refused() -> None:
    with pytest.raises(SettingsError, match="5 frames/s for 0.150 s"):
        Profile(1.01, 1.1, 1.16).frames(5.0)


def test_times_out_of_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="onset < apex"):
        Profile(1.0, 0.9, 1.5)
    with pytest.raises(SettingsError, match="onset < apex"):
        Profile(1.0, 1.2, 1.5, 0.4)


@pytest.mark.parametrize("kind", ["micro", "macro", "blink"])
def test_drawn_durations_are_those_of_the_kind(kind: str) -> None:
    rng = np.random.default_rng(1)
    low, high = DURATION_S[kind]
    durations = []
    for _ in range(200):
        profile = draw(kind, rng, onset_s=2.0)  # type: ignore[arg-type]
        assert profile.onset_s == 2.0
        durations.append(profile.offset_s - profile.onset_s)
    assert min(durations) >= low - 1e-9
    assert max(durations) <= high + 1e-9
    assert max(durations) - min(durations) > 0.8 * (high - low)


def test_same_seed_same_profile() -> None:
    first, second = (draw("macro", np.random.default_rng(5), onset_s=1.0) for _ in range(2))
    assert first == second
