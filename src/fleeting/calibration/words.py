"""What a calibration says in words: its result in one sentence, and what limits it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fleeting.calibration.quiet_moments import Quiet
from fleeting.records import Signals
from fleeting.settings import SpottingSettings
from fleeting.spotting.spot import LEAST_SCORE

VERDICTS = ("poor", "fair", "good")

LIMITING = (
    "face_size",
    "noise",
    "blockiness",
    "blur",
    "frame_rate",
    "brightness",
    "clipped",
    "flicker",
    "dropped_frames",
    "repeated_frames",
)
"""Measures of `quality.meter` that decide how small a movement can be seen; those in view of no face do not."""

SMOOTHED = ("noise",)
"""Measures whose advice counts even where they are good: too little noise is a sign of strong compression."""

OFTEN_MOVES = 0.1
"""Share of the time with a quickly moving head that is worth a sentence."""


def number(percent: float) -> str:
    """Return a displacement with two digits, as it is meant."""
    return f"{percent:.2g}"


def summary(level: float, interval: tuple[float, float], tried: tuple[float, float], per_minute: float) -> str:
    """Return the result in one sentence.

    Parameters
    ----------
    level
        Displacement found nine times in ten, percent; NaN where none is.
    interval
        Its 95 % interval; NaN where an end lies outside what was tried.
    tried
        Smallest and largest displacement tried.
    per_minute
        Micro-expressions reported in the recording as it is.
    """
    reported = f"{per_minute:.1f} micro-expressions a minute are reported in it as it is, true and false together."
    if math.isnan(level):
        lower = "" if math.isnan(interval[0]) else f" (95 % interval: from {number(interval[0])} %)"
        return (
            f"In this recording no size of movement up to {number(tried[1])} % of the eye distance is found 9 times in "
            f"10{lower}; {reported}"
        )
    low = f"below {number(tried[0])}" if math.isnan(interval[0]) else number(interval[0])
    high = f"more than {number(tried[1])}" if math.isnan(interval[1]) else number(interval[1])
    return (
        f"In this recording, movements above {number(level)} % of the eye distance are found 9 times in 10 "
        f"(95 % interval {low} to {high} %); {reported}"
    )


def limits(
    quality: Mapping[str, Any], signals: Signals, settings: SpottingSettings, quiet: Quiet, *, iod_px: float
) -> tuple[str, ...]:
    """Say what makes small movements hard to see in a recording, the most basic facts first.

    Parameters
    ----------
    quality
        Of the timeline: value, unit, verdict and advice by name.
    signals
        For the noise of each region.
    settings
        For the smallest displacement that is looked at.
    quiet
        For how much the head moves.
    iod_px
        Inter-ocular distance in pixels of the frame.
    """
    said = [f"1 % of the eye distance is {iod_px / 100:.2g} px in this recording."]
    noise = float(np.nanmedian(signals.noise)) if np.isfinite(signals.noise).any() else math.nan
    if math.isfinite(noise):
        needed = max(LEAST_SCORE * noise, settings.min_displacement_percent_iod)
        said.append(
            f"At rest the face is measured to {number(noise)} % (standard deviation, the middle one of the "
            f"regions): a part of the face must move by at least {number(needed)} % on the mean of its area to be "
            "reported. Its largest displacement is larger than that average."
        )
    for verdict in VERDICTS:
        for name in LIMITING if verdict != "good" else SMOOTHED:
            entry = quality.get(name)
            if isinstance(entry, Mapping) and entry.get("verdict") == verdict and entry.get("advice"):
                said.append(f"{name.replace('_', ' ').capitalize()} ({verdict}): {entry['advice']}")
    share = float(quiet.head_moves.mean()) if len(quiet.head_moves) else 0.0
    if share >= OFTEN_MOVES:
        said.append(
            f"The head moves quickly in {share:.0%} of the recording; there, movements are harder to see than this "
            "calibration says, which puts them into quiet moments."
        )
    if len(said) <= 2:
        said.append(
            "Nothing that was measured of the recording is weak. Smaller movements need a larger face in the picture "
            "and a higher frame rate."
        )
    return tuple(said)
