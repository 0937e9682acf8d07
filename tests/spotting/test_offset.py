"""Where a movement ends that comes back fast and then settles slowly, and one that does not come back wholly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_spotting import measured

from fleeting.spotting.cells import CELL_REGION, cells_of
from fleeting.spotting.movements import Movement, find_movements
from fleeting.spotting.spot import spot

ONSET_S, RISE_S, RETURN_S = 3.0, 0.2, 0.25
BROWS = [c for name in ("left_brow", "right_brow") for c in cells_of(name)]


def course(time_s: np.ndarray, *, left: float, settles_s: float) -> np.ndarray:
    """Up in a cosine, fast down to a share of the peak, from there to rest in a line; never where that is endless."""
    apex, end = ONSET_S + RISE_S, ONSET_S + RISE_S + RETURN_S
    rise = 0.5 - 0.5 * np.cos(np.pi * np.interp(time_s, [ONSET_S, apex], [0, 1]))
    fall = 0.5 - 0.5 * np.cos(np.pi * np.interp(time_s, [apex, end], [1, 0]))
    settling = left * np.clip(1 - (time_s - end) / settles_s, 0, 1)
    return np.where(time_s < apex, rise, np.where(time_s < end, left + (1 - left) * fall, settling))


def found(fps: float, *, left: float, settles_s: float, noise: float = 0.05) -> tuple[Movement, float]:
    time_s = np.arange(round(8 * fps)) / fps
    deviation = np.random.default_rng(0).normal(0, noise, (len(time_s), len(CELL_REGION), 2))
    deviation[:, BROWS, 1] -= 3 * course(time_s, left=left, settles_s=settles_s)[:, None]
    movements = find_movements(deviation, np.full(len(CELL_REGION), 0.05), period_s=1 / fps, threshold=6, min_peak=0.25)
    return movements[0], float(time_s[movements[0].offset])


@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 60.0, 100.0])
@pytest.mark.parametrize(
    ("left", "settles_s"), [(0.35, 0.8), (0.3, 2.0), (0.2, 2.0), (0.4, 3.0), (0.25, 1.5), (0.3, np.inf)]
)
def test_a_movement_ends_where_its_fast_return_ends(fps: float, left: float, settles_s: float) -> None:
    movement, offset_s = found(fps, left=left, settles_s=settles_s)
    assert movement.ends
    assert offset_s == pytest.approx(ONSET_S + RISE_S + RETURN_S, abs=0.06)


@pytest.mark.parametrize("fps", [25.0, 100.0])
def test_a_return_without_settling_ends_at_rest(fps: float) -> None:
    _, offset_s = found(fps, left=0.0, settles_s=1.0)
    assert offset_s == pytest.approx(ONSET_S + RISE_S + RETURN_S, abs=0.06)


@pytest.mark.parametrize("fps", [25.0, 100.0])
def test_what_has_hardly_come_back_has_not_ended(fps: float) -> None:
    movement, offset_s = found(fps, left=0.6, settles_s=3.0, noise=0.02)
    assert not movement.ends or offset_s > ONSET_S + 2


@pytest.mark.parametrize("fps", [30.0, 100.0])
@pytest.mark.parametrize(("left", "settles_s"), [(0.35, 0.8), (0.3, 2.0)])
def test_half_a_second_of_fast_return_is_no_macro_expression(fps: float, left: float, settles_s: float) -> None:
    whole = measured(fps=fps, seconds=10, noise=0.05)
    displacement = whole.displacement.copy()
    course_s = course(whole.time_s - 1, left=left, settles_s=settles_s)
    displacement[:, BROWS, 1] -= 3 * course_s[:, None].astype(np.float32)
    events, _ = spot(replace(whole, displacement=displacement))
    (event,) = (e for e in events if e.kind != "blink")
    assert event.kind == "micro"
    assert event.offset_s == pytest.approx(1 + ONSET_S + RISE_S + RETURN_S, abs=0.1)
