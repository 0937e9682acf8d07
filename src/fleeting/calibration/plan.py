"""Which movements a calibration puts into a recording, how large, and when."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.calibration.psychometric import DetectionFit
from fleeting.calibration.quiet_moments import Quiet
from fleeting.errors import InputError
from fleeting.synthesis.face import emotions
from fleeting.synthesis.face.emotions import EMOTION_ACTION_UNITS
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile

DURATION_S = (0.15, 0.5)
"""Onset to offset. Yan et al., "How fast are the leaked facial expressions", J. Nonverbal Behavior 37, 2013, measured
0.17 to 0.5 s."""

PERCENT = (0.3, 6.0)
"""Peak displacement, percent of the inter-ocular distance: from a third of a pixel on a face of 100 px to what nobody
overlooks."""

ONE_SIDED = 0.2
"""Probability that an emotion which may show on both sides shows on one."""

FROM_RATE, TO_RATE, BEYOND = 0.3, 0.9, 2.0
"""Further trials lie between the size that a first fit finds three times in ten and twice the size that it finds nine
times in ten. Half of them are so large that they should be found: without them a share that is missed at any size could
not be told from a slow rise, and nine in ten would have no upper end."""


def log_even(low: float, high: float, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw values between two bounds, one from each of `count` equal parts of the logarithmic scale, shuffled."""
    places = (np.arange(count) + rng.random(count)) / max(count, 1)
    return np.asarray(rng.permutation(low * (high / low) ** places))


def draw_movement(percent: float, emotion: str, rng: np.random.Generator, *, onset_s: float = 0.0) -> Movement:
    """Draw a micro-expression.

    Parameters
    ----------
    percent
        Its peak displacement, percent of the inter-ocular distance.
    emotion
        Whose action units it shows.
    rng
        Source of chance: action units, side, duration and rise.
    onset_s
        Instant of its onset.
    """
    activations, side = emotions.draw(emotion, rng, one_sided=ONE_SIDED)
    duration = float(rng.uniform(*DURATION_S))
    rise = float(rng.uniform(0.3, 0.5)) * duration
    profile = Profile(onset_s, onset_s + rise, onset_s + duration)
    return Movement("micro", profile, activations, percent, emotion, side)


def draw_movements(percents: npt.NDArray[np.float64], rng: np.random.Generator) -> list[Movement]:
    """Draw a micro-expression of each size; every emotion as often as the others."""
    words = sorted(EMOTION_ACTION_UNITS)
    chosen = np.concatenate([rng.permutation(words) for _ in range(len(percents) // len(words) + 1)])
    return [draw_movement(float(p), str(w), rng) for p, w in zip(percents, chosen, strict=False)]


def longest_s() -> float:
    """Seconds of the longest movement from its first trace to its last."""
    profile = Profile(0.0, 0.3 * DURATION_S[1], DURATION_S[1])
    return profile.last_s - profile.first_s


def place(
    movement: Movement, quiet: Quiet, time_s: npt.NDArray[np.float64], rng: np.random.Generator
) -> tuple[Movement, int]:
    """Move a movement to a quiet moment; all such moments are equally probable.

    Returns
    -------
    movement
        On the clock of the recording.
    stretch
        Number of the quiet stretch that holds it.

    Raises
    ------
    InputError
        Where no quiet moment is long enough.
    """
    profile = movement.profile
    lasts = profile.last_s - profile.first_s
    room = np.array([max(time_s[last] - time_s[first] - lasts, 0.0) for first, last in quiet.stretches])
    if room.sum() <= 0:
        raise InputError(f"a quiet moment of {lasts:.2f} s", "none so long", "Choose a longer recording.")
    chosen = int(rng.choice(len(room), p=room / room.sum()))
    first_s = float(time_s[quiet.stretches[chosen][0]] + rng.random() * room[chosen])
    shift = first_s - profile.first_s
    moved = Profile(profile.onset_s + shift, profile.apex_s + shift, profile.offset_s + shift, profile.hold_s)
    return Movement(
        "micro", moved, movement.activations, movement.peak_percent_iod, movement.emotion, movement.side
    ), chosen


def informative(fit: DetectionFit, tried: tuple[float, float]) -> tuple[float, float]:
    """Range of displacements in which further trials tell most about where detection becomes reliable."""
    low, high = (fit.level(rate * (1 - fit.lapse))[0] for rate in (FROM_RATE, TO_RATE))
    high *= BEYOND
    low = min(max(low, tried[0]), 0.6 * tried[1])
    return low, max(min(high, tried[1]), min(1.5 * low, tried[1]))
