"""The fitted detection curve is that of the answers, and its intervals hold what they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fleeting.calibration.psychometric import fit_detection
from fleeting.errors import SettingsError
from fleeting.metrics import wilson

HALF, SLOPE, LAPSE = 1.2, 5.0, 0.03


def answers(seed: int, count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    percent = 0.3 * 20 ** rng.random(count)
    return percent, rng.random(count) < (1 - LAPSE) / (1 + (HALF / percent) ** SLOPE)


def test_many_answers_give_the_parameters_back() -> None:
    fit = fit_detection(*answers(1, count=8000))
    assert fit.half == pytest.approx(HALF, rel=0.04)
    assert fit.slope == pytest.approx(SLOPE, rel=0.12)
    assert fit.lapse == pytest.approx(LAPSE, abs=0.015)
    assert float(fit.rate(HALF)) == pytest.approx((1 - LAPSE) / 2, abs=0.03)


def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rate = 0.8
    true = HALF * (rate / (1 - LAPSE - rate)) ** (1 / SLOPE)
    inside = []
    for seed in range(60):
        level, low, high = fit_detection(*answers(seed)).level(rate)
        assert low <= level <= high
        inside.append(low <= true <= high)
    # 95 % of 60 is 57; fewer than 51 happens by chance less than once in two hundred times.
    assert sum(inside) >= 51


def test_more_answers_narrow_the_interval() -> None:
    few, many = (fit_detection(*answers(3, count=n)).level(0.5) for n in (60, 1200))
    assert (many[2] - many[1]) < 0.5 * (few[2] - few[1])


def test_the_band_holds_the_curve_and_rises_with_it() -> None:
    fit = fit_detection(*answers(2))
    sizes = np.geomspace(0.3, 6, 30)
    low, high = fit.band(sizes)
    assert (low <= fit.rate(sizes)).all()
    assert (fit.rate(sizes) <= high).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()


def test_a_level_that_is_never_reached_is_infinite() -> None:
    percent = np.geomspace(0.3, 6, 200)
    found = (percent > 1) & (np.arange(200) % 2 == 0)  # every second one at best
    level, low, _ = fit_detection(percent, found).level(0.9)
    assert math.isinf(level)
    assert low > 3
    assert fit_detection(percent, found).lapse == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("answer", [True, False])
def test_answers_that_are_all_alike_run_nowhere(answer: bool) -> None:
    percent = np.geomspace(0.3, 6, 60)
    fit = fit_detection(percent, np.full(60, answer))
    level, low, high = fit.level(0.9)
    if answer:
        assert level < 0.6
        assert high < 1.5
    else:
        assert math.isinf(level)
        assert low > 4


def test_a_step_is_fitted_without_a_warning() -> None:
    percent = np.geomspace(0.3, 6, 100)
    level, low, high = fit_detection(percent, percent > 1.5).level(0.9)
    assert 1.4 < low <= level <= high < 1.9


@pytest.mark.parametrize(
    ("percent", "found"),
    [([], []), ([1.0], [True, False]), ([0.0, 1.0], [True, False]), ([math.nan], [True])],
)
def test_answers_that_make_no_sense_are_refused(percent: list[float], found: list[bool]) -> None:
    with pytest.raises(SettingsError, match="one positive displacement and one answer"):
        fit_detection(np.array(percent), np.array(found, bool))


def test_wilson_against_published_values() -> None:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17, 1998,
    # table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for hits, trials, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
