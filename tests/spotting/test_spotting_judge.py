"""Candidates and their judge: what it is shown, mirrored faces, and the cases that it has to tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_spotting import bump, measured

from fleeting.records import REGIONS
from fleeting.settings import SpottingSettings
from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS, STEP_S, find_candidates, mirrored
from fleeting.spotting.cells import cells_of
from fleeting.spotting.judge import BLINK, MICRO, Judge
from fleeting.spotting.run_signals import Runs, RunSignals, noise_of
from fleeting.spotting.spot import spot

SETTINGS = SpottingSettings()


def run_of(**what: object) -> tuple[RunSignals, np.ndarray]:
    runs = Runs(measured(**what), SETTINGS)  # type: ignore[arg-type]
    return runs[0], noise_of(runs)


def test_a_window_shows_what_a_region_did_around_the_apex() -> None:
    run, noise = run_of(noise=0.03, bumps=((3.0, 3.15, 3.4, ("chin",), 2.0),))
    candidate = max(find_candidates(run, noise, SETTINGS), key=lambda c: c.movement.peak)
    assert candidate.window.shape == (CHANNELS, SAMPLES)
    assert candidate.scalars.shape == (SCALARS,)
    chin = 2 * REGIONS.index("chin")
    shares = candidate.window[2 * len(REGIONS) + chin : 2 * len(REGIONS) + chin + 2]
    length = np.linalg.norm(shares, axis=0)
    assert length[SAMPLES // 2] == pytest.approx(1.0, abs=0.1)
    lasts = (length > 0.5).sum() * STEP_S
    assert lasts == pytest.approx(0.2, abs=0.06)  # half of a raised cosine of 0.4 s is above half of its peak
    assert length[: SAMPLES // 4].max() < 0.2


def test_mirroring_twice_changes_nothing_and_once_swaps_the_sides() -> None:
    run, noise = run_of(noise=0.03, bumps=((3.0, 3.15, 3.4, ("left_brow",), 2.0),))
    window = find_candidates(run, noise, SETTINGS)[0].window
    other = mirrored(window)
    np.testing.assert_array_equal(mirrored(other), window)
    left, right = (2 * REGIONS.index(f"{side}_brow") for side in ("left", "right"))
    np.testing.assert_array_equal(other[right], -window[left])
    np.testing.assert_array_equal(other[right + 1], window[left + 1])
    np.testing.assert_array_equal(mirrored(np.stack([window, window]))[1], other)


def test_a_part_of_the_face_is_searched_where_another_is_busy() -> None:
    syllables = tuple((1.5 + k * 0.25, 1.6 + k * 0.25, 1.74 + k * 0.25, ("chin", "lower_lip"), 4.0) for k in range(14))
    run, noise = run_of(noise=0.03, bumps=(*syllables, (3.0, 3.12, 3.3, ("left_brow", "right_brow"), 1.0)))
    apexes = [
        run.grid[c.movement.apex] for c in find_candidates(run, noise, SETTINGS) if "brow" in c.movement.regions[0]
    ]
    assert any(abs(a - 3.12) < 0.05 for a in apexes)


def test_the_judge_tells_an_expression_a_blink_and_speech_apart() -> None:
    judge = Judge()
    run, noise = run_of(noise=0.05, bumps=((3.0, 3.15, 3.4, ("left_mouth_corner", "right_mouth_corner"), 2.5),))
    probabilities, times = judge(find_candidates(run, noise, SETTINGS))
    best = int(np.argmax(probabilities[:, MICRO]))
    assert probabilities[best, MICRO] > 0.8
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert times[best, 0] < times[best, 1] < times[best, 2]
    run, noise = run_of(noise=0.05, blinks=(3.0,))
    probabilities, _ = judge(find_candidates(run, noise, SETTINGS))
    assert probabilities[:, BLINK].max() > 0.5
    assert probabilities[:, MICRO].max() < 0.5
    whole = measured(noise=0.05)
    for k in range(14):
        course = bump(whole.time_s, 1.5 + k * 0.22, 1.6 + k * 0.22, 1.72 + k * 0.22)
        for cell in (*cells_of("chin"), *cells_of("lower_lip")):
            whole.displacement[:, cell, 1] += (3 + k % 3) * course
    runs = Runs(whole, SETTINGS)
    probabilities, _ = judge(find_candidates(runs[0], noise_of(runs), SETTINGS))
    assert len(probabilities) >= 5
    assert np.median(probabilities[:, MICRO]) < 0.5


def test_the_mirror_image_of_a_face_is_judged_as_the_face() -> None:
    bumps = ((3.0, 3.15, 3.4, ("left_mouth_corner", "left_cheek"), 1.0), (5.0, 5.2, 5.4, ("chin", "right_brow"), 1.5))
    run, noise = run_of(noise=0.1, bumps=bumps)
    candidates = find_candidates(run, noise, SETTINGS)
    judge = Judge()
    seen, times = judge(candidates)
    other, same_times = judge([replace(c, window=mirrored(c.window)) for c in candidates])
    np.testing.assert_allclose(other, seen, atol=1e-4)
    np.testing.assert_allclose(same_times, times, atol=1e-4)


def test_nothing_to_judge() -> None:
    probabilities, times = Judge()([])
    assert probabilities.shape == times.shape == (0, 3)


def test_the_judge_is_told_how_busy_the_mouth_and_the_rest_were() -> None:
    syllables = tuple((0.6 + k * 0.3, 0.7 + k * 0.3, 0.84 + k * 0.3, ("chin", "lower_lip"), 4.0) for k in range(7))
    brow = (3.2, 3.35, 3.6, ("left_brow",), 2.0)
    told = {}
    for name, bumps in {"talks": (*syllables, brow), "rests": (brow,)}.items():
        run, noise = run_of(noise=0.03, bumps=bumps)
        found = [c for c in find_candidates(run, noise, SETTINGS) if abs(run.grid[c.movement.apex] - 3.35) < 0.05]
        told[name] = max(found, key=lambda c: c.movement.peak).scalars[-2:]
    assert told["talks"][0] > told["rests"][0] + 1
    assert told["talks"][1] == pytest.approx(told["rests"][1], abs=0.3)  # what it did itself does not count


def test_what_moves_too_far_for_skin_is_no_micro_expression() -> None:
    for peak, expected in ((3.0, ["micro"]), (25.0, [])):
        whole = measured(noise=0.05, bumps=((3.0, 3.15, 3.4, ("left_brow", "right_brow"), peak),))
        assert [e.kind for e in spot(whole)[0] if e.kind == "micro"] == expected
