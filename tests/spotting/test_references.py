"""Which moments a face is compared to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fleeting.analysis.analyse import analyse_video
from fleeting.spotting.references import Moment, Moments
from fleeting.synthesis import demo
from fleeting.synthesis.clip import PortraitClip
from fleeting.synthesis.render import render_clip


def moment(time_s: float, *, openness: float, eyes: float) -> Moment:
    empty = np.zeros((0, 2))
    return Moment(time_s, np.zeros((1, 1), np.uint8), np.eye(2, 3), np.eye(2, 3), empty, empty, openness, eyes)


@pytest.mark.parametrize(("eyes", "serves"), [(0.3, True), (0.05, False)])
def test_a_moment_with_shut_eyes_does_not_serve(eyes: float, serves: bool) -> None:
    moments = Moments()
    for place in range(30):
        closed = place == 20
        moments.add(moment(place / 30, openness=0.1 if closed else 0.2 + place / 1000, eyes=eyes if closed else 0.3))
    best = moments.best()
    assert (best is not None and best.openness == 0.1) == serves


def test_in_a_short_film_a_blink_leaves_the_lids_where_they_were(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    settings = replace(demo.SETTINGS, width=640, height=360, iod_px=80.0, fps=30.0, seconds=4.6)
    blinks = tuple(m for m in demo.MOVEMENTS if m.kind == "blink" and m.profile.offset_s < settings.seconds)
    assert len(blinks) == 2
    clip = PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=blinks, settings=settings, seed=1)
    render_clip(clip, tmp_path / "blinks.mp4")
    found = analyse_video(tmp_path / "blinks.mp4", pictures=False).timeline.events
    # The judge is almost as sure of the brows that the second blink drags along: how sure depends on the processor.
    assert [e.kind for e in found if e.kind != "micro"] == ["blink", "blink"]
    assert not [e for e in found if e.kind == "micro" and {"left_lid", "right_lid"} & set(e.regions)]
