"""Blinks, winks, squints and shut eyes are told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from portraits import POINTS, portrait
from test_spotting import bump, measured
from timelines import make_timeline

from fleeting.errors import SettingsError
from fleeting.export.formats import check_formats, write
from fleeting.export.timeline_json import read_timeline
from fleeting.records import Event
from fleeting.report.build import build_report
from fleeting.spotting.blinks import least_opening, usual_opening
from fleeting.spotting.cells import cells_of
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.spot import spot
from fleeting.synthesis.camera import PERFECT
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.head import STILL
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile

SHUT = 0.075
"""What the landmark network reads from shut eyes of real people."""


def close(
    whole: Measurements,
    at: tuple[float, float, float],
    *,
    shut: tuple[float, float] = (1.0, 1.0),
    down: tuple[float, float] = (4.0, 4.0),
) -> None:
    """Let the left and the right eye close by a share, and their lids come down by some percent."""
    course = bump(whole.time_s, *at)
    for eye, name in enumerate(("left_lid", "right_lid")):
        whole.eye_opening[:, eye] += shut[eye] * course * (SHUT - whole.eye_opening[:, eye])
        whole.displacement[:, cells_of(name), 1] += (down[eye] * course)[:, None]


def eyes(whole: Measurements) -> list[Event]:
    return [e for e in spot(whole)[0] if e.kind in ("blink", "wink")]


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0, 200.0])
@pytest.mark.parametrize("noise", [0.03, 0.15])
def test_a_clear_blink_is_all_but_certain(fps: float, noise: float) -> None:
    whole = measured(fps=fps, noise=noise)
    close(whole, (3.0, 3.1, 3.28))
    (event,) = eyes(whole)
    assert (event.kind, event.regions) == ("blink", ("left_lid", "right_lid"))
    assert event.confidence > 0.9
    assert event.apex_s == pytest.approx(3.1, abs=0.06)


def test_a_blink_that_only_the_lids_show_is_reported_with_a_confidence() -> None:
    whole = measured(noise=0.03)
    close(whole, (3.0, 3.1, 3.3), shut=(0.0, 0.0), down=(2.0, 2.0))
    (event,) = eyes(whole)
    assert event.confidence >= 0.5


@pytest.mark.parametrize("length", [0.45, 0.6, 0.75])
@pytest.mark.parametrize("brows", [0.0, 4.0])
def test_a_squint_is_no_blink(length: float, brows: float) -> None:
    """Eyes narrow by nearly half, slower than in a blink; cheeks rise, brows may fall, the upper lids do not."""
    whole = measured()
    at = (3.0, 3.0 + length / 2, 3.0 + length)
    close(whole, at, shut=(0.5, 0.5), down=(0.0, 0.0))
    course = bump(whole.time_s, *at)[:, None]
    for name, amount in (("left_cheek", -2.0), ("right_cheek", -2.0), ("left_brow", brows), ("right_brow", brows)):
        whole.displacement[:, cells_of(name), 1] += amount * course
    assert eyes(whole) == []


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("fps", [30.0, 100.0])
def test_a_wink_is_a_wink_of_its_side(side: str, fps: float) -> None:
    """The landmark network reads an eye as narrower when the other one closes; its lid stays."""
    whole = measured(fps=fps, noise=0.05)
    shut, down = (0.55, 0.4), (3.0, 0.0)
    close(
        whole,
        (3.0, 3.18, 3.45),
        shut=shut if side == "left" else shut[::-1],
        down=down if side == "left" else down[::-1],
    )
    (event,) = eyes(whole)
    assert (event.kind, event.regions) == ("wink", (f"{side}_lid",))
    assert event.confidence > 0.5


def test_shut_eyes_do_not_blink_however_they_flutter() -> None:
    whole = measured(noise=0.03)
    asleep = whole.time_s < 5.0
    whole.eye_opening[asleep] = SHUT
    for at in (1.0, 2.0, 3.0):
        whole.eye_opening[:] *= (1 - 0.5 * bump(whole.time_s, at, at + 0.1, at + 0.25))[:, None]
    close(whole, (6.5, 6.6, 6.8))
    assert [round(e.apex_s, 1) for e in eyes(whole)] == [6.6]


def test_eyes_that_stay_shut_for_long_have_not_blinked() -> None:
    whole = measured(seconds=10)
    whole.eye_opening[(whole.time_s > 3) & (whole.time_s < 6)] = SHUT
    whole.eye_opening[whole.time_s > 9] = SHUT
    assert eyes(whole) == []


def test_a_blink_of_narrowed_eyes_is_found() -> None:
    whole = measured(seconds=12)
    whole.eye_opening[(whole.time_s > 2) & (whole.time_s < 10)] *= 0.6
    close(whole, (6.0, 6.1, 6.25))
    (event,) = eyes(whole)
    assert event.apex_s == pytest.approx(6.1, abs=0.04)


def test_confidence_says_how_often_it_is_right() -> None:
    """Of recordings with blinks of all depths, and with squints that look like some of them."""
    rng = np.random.default_rng(4)
    said: list[tuple[float, bool]] = []
    for seed in range(12):
        whole = measured(fps=50.0, seconds=20, noise=float(rng.uniform(0.03, 0.2)), seed=seed)
        blinks = []
        for place, at in enumerate(np.arange(1.0, 18.0, 1.7)):
            if place % 2:
                long = float(rng.uniform(0.15, 0.4))
                depth, down = float(rng.uniform(0.4, 1.0)), float(rng.uniform(0.5, 4.0))
                blinks.append((at, at + long))
            else:
                long = float(rng.uniform(0.3, 0.9))
                depth, down = float(rng.uniform(0.1, 0.5)), float(rng.uniform(-0.5, 1.0))
            close(whole, (at, at + 0.4 * long, at + long), shut=(depth, depth), down=(down, down))
        said += [(e.confidence, any(a <= e.apex_s <= b for a, b in blinks)) for e in eyes(whole)]
    confidence, right = np.array(said).T
    assert len(said) > 40
    assert confidence.min() >= 0.5
    sure = confidence >= 0.9
    assert right[sure].mean() > 0.95
    assert right[~sure].mean() < right[sure].mean()
    assert confidence.mean() == pytest.approx(right.mean(), abs=0.15)


def test_a_drawn_wink_closes_one_eye() -> None:
    settings = ClipSettings(fps=50.0, seconds=1.6, width=240, height=240, iod_px=80.0, head=STILL, camera=PERFECT)
    wink = Movement("wink", Profile(0.5, 0.7, 1.0), side="left")
    made = PortraitClip(portrait(), POINTS, movements=[wink], settings=settings, seed=3)
    changed = (made.frame(0) != made.frame(35)).any(axis=2)
    left = made.points[42:48].mean(axis=0)  # the person's left eye is to the right in the picture
    assert changed[:, round(left[0]) - 5 : round(left[0]) + 5].any()
    assert not changed[:, : round(made.points[27, 0])].any()
    assert wink.action_units == "AU46"
    with pytest.raises(SettingsError, match="one eye for a wink"):
        Movement("wink", Profile(0.5, 0.7, 1.0))


def test_every_format_and_the_report_take_a_wink(tmp_path: Path) -> None:
    timeline = make_timeline()
    wink = replace(timeline.events[0], kind="wink", regions=("left_lid",))
    timeline = replace(timeline, events=(wink, *timeline.events[1:]))
    write(timeline, tmp_path, check_formats(["all"]))
    assert read_timeline(tmp_path / "timeline.json").of_kind("wink") == (wink,)
    schema = json.loads(resources.files("fleeting.export").joinpath("timeline.schema.json").read_text("utf-8"))
    jsonschema.validate(json.loads((tmp_path / "timeline.json").read_text("utf-8")), schema)
    page = build_report(timeline, {}, tmp_path / "report.html").read_text("utf-8")
    assert "3 blinks, 1 wink" in page
    assert "wink, left lid" in page
    assert '<rect class="wink"' in page


def test_a_gap_of_an_hour_between_two_frames() -> None:
    """Damaged timestamps make one; how far the eyes open is known on both sides of it."""
    time_s = np.concatenate([np.arange(20) / 50, 3600 + np.arange(20) / 50])
    opening = np.full((40, 2), 0.3)
    assert np.allclose(usual_opening(opening, time_s, time_s, least_opening(opening)), 0.3)
