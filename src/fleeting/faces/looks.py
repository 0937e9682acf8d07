"""Faces of every frame from looks at some frames.

Flow follows the face from frame to frame; landmarks are needed for its place, the head's pose and the eyes, which
change within hundredths of a second. So at high frame rates only some frames are looked at, and what lies between two
looks is interpolated. A blink lasts at least 0.1 s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fleeting.faces.cuts import CutFinder
from fleeting.faces.landmarks import Landmarks
from fleeting.faces.track import Sighting
from fleeting.records import Cut
from fleeting.video.frame import Frame

LOOK_S = 0.016
"""Seconds from one look to the next at least: up to 60 frames/s every frame is looked at."""

MOST_BETWEEN = 8
"""Frames between two looks at most; they are kept until the second."""

Grey = npt.NDArray[np.uint8]


class Looker(Protocol):
    """Finds the faces of a frame; `faces.track.Tracker` is the shipped one."""

    def update(self, index: int, time_s: float, grey: Grey) -> list[Sighting]:
        """Take a frame and return the faces seen in it."""

    def cut(self, cut: Cut) -> None:
        """Begin a new shot with the next frame."""


def sightings(
    frames: Iterable[Frame], tracker: Looker, *, look_s: float = LOOK_S, cuts: CutFinder | None = None
) -> Generator[tuple[Frame, list[Sighting]]]:
    """Yield every frame with its faces, in order.

    A frame between two looks shows the faces that both have seen without a gap, at interpolated landmarks. The last
    frame before a cut is looked at, and so is the first one after it.

    Parameters
    ----------
    frames
        In order.
    tracker
        Is shown the frames that are looked at: the first and the last of a shot, and those that are at least `look_s`
        after the last look.
    look_s
        Seconds; 0 looks at every frame.
    cuts
        Finds the cuts; None for frames of a single shot.
    """
    between: list[Frame] = []
    before: list[Sighting] = []
    looked_s = -np.inf
    for frame, cut in ((f, None) for f in frames) if cuts is None else cuts.marked(frames):
        if cut is not None:
            yield from _last(between, looked_s, before, tracker)
            tracker.cut(cut)
            between, before, looked_s = [], [], -np.inf
        # A millionth of a second is the rounding of timestamps.
        if frame.time_s - looked_s < look_s - 1e-6 and len(between) < MOST_BETWEEN:
            between.append(frame)
            continue
        now = tracker.update(frame.index, frame.time_s, frame.grey)
        yield from _between(between, looked_s, before, frame, now)
        yield frame, now
        between, before, looked_s = [], now, frame.time_s
    yield from _last(between, looked_s, before, tracker)


def _last(
    frames: Sequence[Frame], first_s: float, first: Sequence[Sighting], tracker: Looker
) -> Generator[tuple[Frame, list[Sighting]]]:
    """Look at the last one of the frames since a look, and yield them all."""
    if frames:
        now = tracker.update(frames[-1].index, frames[-1].time_s, frames[-1].grey)
        yield from _between(frames[:-1], first_s, first, frames[-1], now)
        yield frames[-1], now


def _between(
    frames: Sequence[Frame], first_s: float, first: Sequence[Sighting], frame: Frame, now: Sequence[Sighting]
) -> Generator[tuple[Frame, list[Sighting]]]:
    ends = {(s.track, s.segment): s.landmarks for s in now}
    pairs = [(s, ends[s.track, s.segment]) for s in first if (s.track, s.segment) in ends]
    for one in frames:
        share = (one.time_s - first_s) / (frame.time_s - first_s)
        yield one, [Sighting(s.track, s.segment, blend(s.landmarks, end, share)) for s, end in pairs]


def blend(first: Landmarks, second: Landmarks, share: float) -> Landmarks:
    """Landmarks at a share of the way, 0 to 1, from the first to the second; the score is the lower one."""
    points = first.points + np.float32(share) * (second.points - first.points)
    pose = first.pose + np.float32(share) * (second.pose - first.pose)
    eyes = first.eye_opening + np.float32(share) * (second.eye_opening - first.eye_opening)
    mouth = first.mouth_opening + share * (second.mouth_opening - first.mouth_opening)
    return Landmarks(points, min(first.score, second.score), pose, eyes, mouth)
