"""Cuts between shots: where a film goes on with another picture, nothing may be measured across.

A sudden change of the picture only raises the question; flashes, lamps, shakes, hands and dropped frames make one too.
`faces.shots` answers it from the pictures before, after, and a moment later, when a flash is over. A dissolve has no
sudden change. It is known by its pictures, which are mixtures of the one before and the one after. Empty pictures, as
of a covered lens, are no shot: what is before them is compared with what follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.shots import BLANK, Detect, another_shot
from fleeting.records import Cut
from fleeting.video.frame import Frame

LEAST_CHANGE = 0.006
"""Mean change of the small picture, in units of its own contrast: a face of a hundredth of the picture is replaced."""

FIRST_CHANGE = 0.1
"""The same where nothing is known yet of the movement in a shot."""

SUDDEN = 2.0
"""A change must be so many times the largest one within `PAST_S`."""

PAST_S = 0.25

BEGINS, GOES_ON = 0.15, 0.3
"""Shares of the largest change from which the frames before and after it are part of it: they mix both pictures."""

LONGEST_S = 0.2
"""What changes for longer is a movement or a slow dissolve."""

AHEAD_S, LEAST_AHEAD, MOST_AHEAD = 0.08, 2, 16
"""How long the picture must stay new, in seconds and frames: flashes and damaged frames are shorter."""

DISSOLVE_S = 0.6
"""Longest dissolve that is found."""

DISSOLVE_EVERY_S = 0.1
MIXED_CHANGE, MIXTURE = 0.15, 0.2
"""Least change over a dissolve, and the largest share of it that a mixture of both ends leaves unexplained."""

SETTLED_S, SETTLED = 0.09, 0.1
"""A dissolve has ended when the picture changed by less than this share of it within the last moment."""

SMALL = (64, 36)
"""Width and height of the picture in which changes are measured."""

Float = npt.NDArray[np.float32]


@dataclass(slots=True)
class _Moment:
    """What is kept of a frame: the small picture (36, 64), also without its exposure, the change to it, its spread."""

    index: int
    time_s: float
    small: Float
    even: Float
    change: float
    spread: float


class CutFinder:
    """Marks the first frame of every new shot while a film streams by.

    Parameters
    ----------
    detect
        Finds the faces of a frame; is asked only where the picture changes suddenly.
    """

    def __init__(self, detect: Detect) -> None:
        self._detect = detect
        self._past: deque[_Moment] = deque()
        self._kept: deque[Frame] = deque()
        self._before: Frame | None = None

    def marked(self, frames: Iterable[Frame]) -> Generator[tuple[Frame, Cut | None]]:
        """Yield every frame, in order, with the cut before it if there is one.

        Frames wait for at most `AHEAD_S` and `MOST_AHEAD` of them, and only behind a sudden change.
        """
        held: list[tuple[Frame, _Moment]] = []
        for frame in frames:
            now = self._moment(frame, held[-1][1] if held else self._past[-1] if self._past else None)
            if held or self._sudden(now):
                held.append((frame, now))
                if _settled([moment for _, moment in held]) or len(held) == MOST_AHEAD:
                    yield from self._decided(held)
                    held = []
            else:
                yield frame, self._passed(frame, now)
        if held:
            yield from self._decided(held)

    def _moment(self, frame: Frame, before: _Moment | None) -> _Moment:
        grey = frame.grey
        coarse = max(max(grey.shape) // 640, 1)
        small = cv2.resize(grey[::coarse, ::coarse], SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
        mean, deviation = cv2.meanStdDev(small)
        even = (small - np.float32(mean[0, 0])) / np.float32(max(float(deviation[0, 0]), 4.0))
        change = 0.0 if before is None else cv2.norm(even, before.even, cv2.NORM_L1) / even.size
        return _Moment(frame.index, frame.time_s, small, even, change, float(deviation[0, 0]))

    def _sudden(self, now: _Moment) -> bool:
        if self._past and _empty(self._past[-1]):
            return not _empty(now)
        recent = [m.change for m in self._past if m.time_s >= now.time_s - PAST_S]
        # The first frame of a shot has no change of its own to compare with.
        least = max(LEAST_CHANGE, SUDDEN * max(recent)) if len(recent) > 1 else FIRST_CHANGE
        return bool(self._past) and now.change > least

    def _decided(self, held: Sequence[tuple[Frame, _Moment]]) -> Generator[tuple[Frame, Cut | None]]:
        """Say of a sudden change whether it was a cut."""
        frames, moments = [frame for frame, _ in held], [moment for _, moment in held]
        onset, place = _course(moments)
        shown = [f for f, m in held[:onset] if not _empty(m)]
        before = shown[-1] if shown else self._before
        later = [frames[place], frames[-1]]
        brief = moments[place].time_s - moments[onset].time_s <= LONGEST_S
        cut = None
        if before is not None and brief and another_shot(before.grey, [f.grey for f in later], self._detect):
            cut = Cut(frames[place].index, frames[place].time_s, onset_frame=frames[onset].index)
        for number, (frame, now) in enumerate(held):
            if cut is not None and number == place:
                self._begin()
                now.change = 0.0
                self._passed(frame, now)
                yield frame, cut
            else:
                yield frame, self._passed(frame, now)

    def _begin(self) -> None:
        self._past.clear()
        self._kept.clear()

    def _passed(self, frame: Frame, now: _Moment) -> Cut | None:
        """Take a frame into the past, and return the dissolve that ends with it."""
        self._past.append(now)
        if not _empty(now):
            self._before = frame
        cut = None
        if not self._kept or frame.time_s >= self._kept[-1].time_s + DISSOLVE_EVERY_S:
            cut = self._dissolved(frame, now)
            if cut is not None:
                self._begin()
                self._past.append(now)
            self._kept.append(frame)
            while self._kept[0].time_s < frame.time_s - DISSOLVE_S:
                self._kept.popleft()
        while self._past[0].time_s < frame.time_s - DISSOLVE_S:
            self._past.popleft()
        return cut

    def _dissolved(self, frame: Frame, now: _Moment) -> Cut | None:
        """Return the dissolve that has just ended: frames between were mixtures of one long ago and of this one."""
        if not self._kept or len(self._past) < 5 or self._past[0].even.shape != now.even.shape:
            return None
        old = self._kept[0]
        first = next((m for m in self._past if m.index >= old.index), now)
        change = float(np.abs(now.even - first.even).mean())
        rest = next(m for m in self._past if m.time_s >= now.time_s - SETTLED_S)
        if change < MIXED_CHANGE or np.abs(now.even - rest.even).mean() > SETTLED * change:
            return None
        ends = np.stack([first.small.ravel(), now.small.ravel(), np.ones(now.small.size, np.float32)], axis=1)
        between = [m for m in self._past if first.index < m.index < now.index]
        weights, _, _, _ = np.linalg.lstsq(ends, np.stack([m.small.ravel() for m in between], axis=1), rcond=None)
        left = ends @ weights - np.stack([m.small.ravel() for m in between], axis=1)
        span = float(np.linalg.norm(now.small - first.small))
        mixed = weights[:2].min(axis=0) > 0.15
        # Two exposures of one picture could be mixed to any third.
        away = [min(np.abs(m.even - end.even).mean() for end in (first, now)) > SETTLED * change for m in between]
        mixed &= np.array(away, bool)
        # Of a movement, mixtures of its ends explain about half.
        blended = mixed.sum() >= 2 and np.median(np.linalg.norm(left[:, mixed], axis=0)) < MIXTURE * span
        if not blended or not another_shot(old.grey, [frame.grey], self._detect):
            return None
        onset = next((m.index for m, w in zip(between, weights[1], strict=True) if w > 0.05), now.index)
        return Cut(now.index, now.time_s, onset_frame=onset)


def _empty(moment: _Moment) -> bool:
    return moment.spread < BLANK


def _course(moments: Sequence[_Moment]) -> tuple[int, int]:
    """Return the first moment of the change, and the first one that shows the picture after it."""
    changes = np.array([m.change for m in moments])
    onset = peak = _peak(moments)
    while onset > 0 and changes[onset - 1] > BEGINS * changes[peak]:
        onset -= 1
    calm = np.flatnonzero(changes[peak + 1 :] <= GOES_ON * changes[peak])
    # The change itself has come with the frame at the peak; a mixed picture is followed by another change.
    end = peak + 1 + int(calm[0]) if len(calm) else len(moments)
    return onset, end - 1


def _peak(moments: Sequence[_Moment]) -> int:
    """Place of the largest change; of two alike, as where a flash begins and ends, the first."""
    largest = max(m.change for m in moments)
    return next(place for place, m in enumerate(moments) if m.change > 0.6 * largest)


def _settled(moments: Sequence[_Moment]) -> bool:
    """Whether enough was seen after the largest change."""
    changes, peak = [m.change for m in moments], _peak(moments)
    waited = moments[-1].time_s - moments[peak].time_s
    # A millionth of a second is the rounding of timestamps.
    return len(moments) - 1 - peak >= LEAST_AHEAD and waited > AHEAD_S - 1e-6 and changes[-1] <= GOES_ON * changes[peak]
