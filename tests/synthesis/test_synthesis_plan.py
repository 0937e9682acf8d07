from __future__ import annotations

import numpy as np
import pytest

from fleeting.errors import SettingsError
from fleeting.synthesis.plan import PERCENT, PlanSettings, plan


@pytest.mark.parametrize("seed", range(8))
def test_movements_lie_in_the_clip_and_apart(seed: int) -> None:
    settings = PlanSettings(events=5, kind="mixed", blinks_per_minute=30, gap_s=0.3)
    movements = plan(settings, seconds=20.0, seed=seed)
    expressions = [m for m in movements if m.kind != "blink"]
    assert len(expressions) == 5
    assert sum(m.kind == "macro" for m in expressions) == 1
    assert sum(m.kind == "blink" for m in movements) >= 5
    ends = [(m.profile.first_s, m.profile.last_s) for m in movements]
    assert ends[0][0] > 0
    assert ends[-1][1] < 20.0
    assert all(a[1] < b[0] for a, b in zip(ends, ends[1:], strict=False))
    rests = zip([(0.0, 0.0), *((m.profile.first_s, m.profile.last_s) for m in expressions)], expressions, strict=False)
    assert all(m.profile.first_s - end >= 0.3 - 1e-9 for (_, end), m in rests)
    for m in expressions:
        low, high = PERCENT[m.kind]
        assert low <= m.peak_percent_iod <= high


def test_same_seed_same_plan() -> None:
    plans = [plan(PlanSettings(), seconds=12.0, seed=s) for s in (7, 7, 8)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


def test_wishes_are_kept() -> None:
    settings = PlanSettings(events=30, emotions=("surprise", "contempt"), percent=(1.0, 2.0), blinks_per_minute=0)
    movements = plan(settings, seconds=60.0, seed=0)
    assert {m.emotion for m in movements} == {"surprise", "contempt"}
    assert {m.kind for m in movements} == {"micro"}
    peaks = np.array([m.peak_percent_iod for m in movements])
    assert peaks.min() >= 1.0
    assert peaks.max() <= 2.0
    assert peaks.std() > 0.1
    assert all(m.side != "both" for m in movements if m.emotion == "contempt")


def test_a_plan_without_events_may_blink() -> None:
    assert {m.kind for m in plan(PlanSettings(events=0), seconds=30.0, seed=0)} == {"blink"}


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least .* s long"):
        plan(PlanSettings(events=10), seconds=3.0, seed=0)
    for wrong, message in (
        ({"events": -1}, "0 or more events"),
        ({"kind": "nano"}, "micro, macro, mixed"),
        ({"percent": (3.0, 1.0)}, "lowest <= highest"),
        ({"emotions": ("joy",)}, "got 'joy'"),
        ({"emotions": ()}, "at least one emotion"),
        ({"blinks_per_minute": 400.0}, "0 to 60 blinks"),
    ):
        with pytest.raises(SettingsError, match=message):
            PlanSettings(**wrong)  # type: ignore[arg-type]
