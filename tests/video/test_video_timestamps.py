from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import pytest

from fleeting.video.decoding import PacketScan
from fleeting.video.file_reader import _timing
from fleeting.video.timestamps import Clock, estimate_rate

MILLI = Fraction(1, 1000)


def times(*ticks: int | None, gap_s: float = 0.04) -> tuple[list[float], Clock]:
    clock = Clock(time_base=MILLI, gap_s=gap_s)
    return [clock.time_s(tick) for tick in ticks], clock


def test_sound_times_are_kept_and_begin_at_zero() -> None:
    for start in (0, -80, 123_456):
        got, clock = times(*(start + t for t in (0, 40, 41, 200)))
        assert got == [0.0, 0.04, 0.041, 0.2]
        assert clock.repaired == 0


def test_missing_times() -> None:
    got, clock = times(0, 40, None, None, 160, 200)
    assert got == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.2])
    assert (clock.repaired, clock.first_repair_s) == (2, pytest.approx(0.08))


def test_missing_times_at_the_beginning() -> None:
    got, clock = times(None, None, 500, 540)
    assert got == pytest.approx([0, 0.04, 0.08, 0.12])
    assert clock.repaired == 2


def test_repeated_times_do_not_move_the_next() -> None:
    got, clock = times(0, 40, 40, 40, 80, 120)
    assert got == pytest.approx([0, 0.04, 0.06, 0.07, 0.08, 0.12])
    assert clock.repaired == 2


def test_times_that_fall_back_begin_anew() -> None:
    got, clock = times(0, 40, 80, 0, 40, 80)
    assert got == pytest.approx([0, 0.04, 0.08, 0.12, 0.16, 0.20])
    assert (clock.repaired, clock.first_repair_s) == (1, pytest.approx(0.12))


def test_a_clock_that_stands_still() -> None:
    got, clock = times(*([7] * 200))
    assert all(b > a for a, b in pairwise(got))
    assert clock.repaired == 199


def test_no_times_at_all() -> None:
    got, _ = times(*([None] * 5), gap_s=0.005)
    assert got == pytest.approx([0, 0.005, 0.01, 0.015, 0.02])


@pytest.mark.parametrize(
    ("ticks", "fps", "variable"),
    [
        ([0, 33, 67, 100, 133, 167], 29.94, False),  # 29.97 in milliseconds
        ([0, 4, 8, 13, 17, 21, 25], 240, False),
        ([0, 40, 80, 200, 240], 16.67, True),
        ([80, 0, 120, 40, 160], 25, False),  # order of storage
        ([0, 40, 40, 80], 25, False),
        ([5], None, False),
        ([], None, False),
    ],
)
def test_rate_by_timestamps(ticks: list[int], fps: float | None, variable: bool) -> None:
    estimate = estimate_rate(ticks, MILLI)
    assert estimate.fps == (None if fps is None else pytest.approx(fps, rel=2e-3))
    assert estimate.variable is variable


def test_gap_that_most_pictures_keep_to() -> None:
    hole = [*range(0, 4000, 40), 4120]
    assert estimate_rate(hole, MILLI).gap_ticks == 40
    halves = [*range(0, 1000, 33), *range(1000, 2000, 42)]
    assert estimate_rate(halves, MILLI).gap_ticks is None


def test_rate_of_few_ticks_a_frame() -> None:
    assert estimate_rate([0, 1, 2, 4, 5], Fraction(1, 25)).variable


def timing(
    average: float | None, base: float | None, ticks: list[int], *, complete: bool = True
) -> tuple[float, bool, str]:
    stream = SimpleNamespace(average_rate=average, base_rate=base, time_base=MILLI)
    found = _timing(stream, PacketScan(len(ticks), complete, tuple(ticks), stored_order=False))
    return found.fps, found.variable, found.note


EVERY_40 = list(range(0, 4000, 40))


def test_header_that_the_timestamps_bear_out_is_exact() -> None:
    ticks = [round(i * 1001 / 30) for i in range(200)]
    assert timing(30000 / 1001, 30000 / 1001, ticks) == (30000 / 1001, False, "")


def test_header_that_counts_fields() -> None:
    assert timing(50, 25, EVERY_40) == (25, False, "")


@pytest.mark.parametrize("average", [0, None])
def test_header_without_a_rate(average: float | None) -> None:
    fps, variable, note = timing(average, None, EVERY_40)
    assert (fps, variable) == (pytest.approx(25), False)
    assert note == "the header names no frame rate; its timestamps give 25.000, which is used."


def test_header_that_is_wrong() -> None:
    fps, _, note = timing(1000, 1000, EVERY_40)
    assert fps == pytest.approx(25)
    assert "the header says 1000 frames/s" in note


def test_nothing_tells_the_rate() -> None:
    assert timing(30, None, [])[0] == 30
    fps, _, note = timing(0, None, [])
    assert fps == 25
    assert "no timestamps; taken as 25 frames/s" in note


def test_variable_rate_takes_the_mean() -> None:
    ticks = [0, 40, 80, 110, 140, 260]
    assert timing(20, 25, ticks) == (pytest.approx(5 / 0.26), True, "")
    # The scan saw only the beginning: the header knows the mean of all.
    assert timing(20, 25, EVERY_40, complete=False) == (20, True, "")
