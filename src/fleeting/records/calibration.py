"""How small a movement a recording can show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CalibrationTrial:
    """One movement that was put into a recording, and whether it was found.

    Attributes
    ----------
    percent
        Its peak displacement (the largest of any point of the skin), percent of the inter-ocular distance.
    found
        Whether a micro-expression was reported whose frames overlap it with an IoU of at least 0.5.
    noticed
        Whether a micro- or macro-expression was reported at its apex, whatever its onset and offset.
    onset_s, duration_s
        When, and from its onset to its offset.
    emotion, side
        Whose action units, and on which side of the person's face.
    """

    percent: float
    found: bool
    noticed: bool
    onset_s: float
    duration_s: float
    emotion: str
    side: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How small a movement a recording can show, measured by putting movements of known size into it.

    Displacements in percent of the inter-ocular distance, intervals at 95 %.

    Attributes
    ----------
    face
        Id of the track.
    summary
        The result in one sentence.
    percent_found_9_in_10, interval_percent
        Smallest displacement of which nine of ten are found, and its interval. NaN where nothing that was tried is
        found so often; an end of the interval is NaN where it lies outside what was tried.
    percent_found_half, lapse
        Displacement of which half are found (NaN likewise), and the share that is missed however large it is.
    tried_percent
        Smallest and largest displacement that was tried.
    curve
        Rows of displacement, rate, lowest and highest rate.
    bins
        Rows of lowest and highest displacement, trials, found, noticed, lowest and highest rate found (Wilson).
    reported_micro_per_minute
        Micro-expressions reported in the recording as it is. How many are false is not known: an upper bound.
    quiet_share
        Share of the recording, 0 to 1, in which movements could be put: the face in view, nothing else found, the head
        not in quick motion.
    limits
        What makes small movements hard to see in this recording, in sentences.
    trials
        All trials.
    seed
        Of the draw of the trials.
    """

    face: int
    summary: str
    percent_found_9_in_10: float
    interval_percent: tuple[float, float]
    percent_found_half: float
    lapse: float
    tried_percent: tuple[float, float]
    curve: tuple[tuple[float, float, float, float], ...]
    bins: tuple[tuple[float, float, int, int, int, float, float], ...]
    reported_micro_per_minute: float
    quiet_share: float
    limits: tuple[str, ...]
    trials: tuple[CalibrationTrial, ...]
    seed: int
