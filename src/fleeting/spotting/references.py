"""The moments to which a face is compared: those in which its mouth is most closed.

What the flow from one face to another makes of a mouth depends on how far it is open in the first one. Were references
replaced by the clock, the same syllable would be measured against another mouth each time that it is said. So the face
itself says which moments serve: of the last second, the one in which the mouth was most closed. That depends on the
last second alone, wherever it stands in a film. A blink does not serve: from shut eyes the flow to open ones is wrong,
and the lids would seem to stay elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import align, to_crop
from fleeting.faces.landmarks import Landmarks

WINDOW_S = 1.0
"""Age at which a reference is given up: light and skin change slowly, and a micro-expression is shorter."""

APART_S = 0.1
"""A moment serves where the mouth is nowhere more closed so close to it; so much later this is known."""

EYES_S = 2.0
OPEN = 0.8
"""A moment serves where the eyes are open to this share of their widest in so many seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """One face in one frame, as a reference.

    Attributes
    ----------
    time_s
        Time of the frame.
    crop
        (h, w) uint8, cut by the landmarks.
    cut
        (2, 3) from the frame to the crop.
    transform
        (2, 3) from the frame to the crop in which the head was followed.
    points
        (68, 2) landmarks in the crop.
    displacement
        (c, 2) what the cells had reached, percent of the inter-ocular distance.
    openness
        Opening of the mouth, as in `faces.landmarks.Landmarks`.
    eyes
        Mean opening of both eyes, likewise.
    """

    time_s: float
    crop: npt.NDArray[np.uint8]
    cut: npt.NDArray[np.float64]
    transform: npt.NDArray[np.float64]
    points: npt.NDArray[Any]
    displacement: npt.NDArray[np.float64]
    openness: float
    eyes: float


def moment_of(
    time_s: float,
    grey: npt.NDArray[np.uint8],
    landmarks: Landmarks,
    cut: npt.NDArray[np.float64],
    transform: npt.NDArray[Any],
    displacement: npt.NDArray[np.float64],
    *,
    width: int,
) -> Moment:
    """Cut a moment, `width` pixels wide; the rest as in `Moment`."""
    crop = align(grey, cut, width=width)
    points = to_crop(landmarks.points, cut)
    followed, eyes = np.asarray(transform, np.float64), float(landmarks.eye_opening.mean())
    return Moment(time_s, crop, cut, followed, points, displacement, landmarks.mouth_opening, eyes)


class Moments:
    """Keeps the moments of the last second that may serve as references."""

    def __init__(self) -> None:
        self._last: deque[Moment] = deque()
        self._next = 0
        self._serving: deque[Moment] = deque()
        self._widest: deque[tuple[float, float]] = deque()

    def eyes_open(self, moment: Moment) -> bool:
        """Whether the eyes are open in a moment, against the last seconds."""
        return not self._widest or moment.eyes >= OPEN * self._widest[0][1]

    def add(self, moment: Moment) -> None:
        """Take the next moment."""
        last, now = self._last, moment.time_s
        last.append(moment)
        # The first one is the widest of the last seconds, the others are narrower and later.
        while self._widest and self._widest[-1][1] <= moment.eyes:
            self._widest.pop()
        self._widest.append((now, moment.eyes))
        while self._widest[0][0] < now - EYES_S:
            self._widest.popleft()
        # A millionth of a second is the rounding of timestamps.
        while self._next < len(last) and last[self._next].time_s <= now - APART_S + 1e-6:
            one = last[self._next]
            near = (m for m in last if m is not one and abs(m.time_s - one.time_s) <= APART_S + 1e-6)
            if self.eyes_open(one) and all(one.openness < m.openness for m in near if self.eyes_open(m)):
                while self._serving and self._serving[-1].openness >= one.openness:
                    self._serving.pop()
                self._serving.append(one)
            self._next += 1
        while last[0].time_s < now - 2 * APART_S - 1e-6 and self._next > 0:
            last.popleft()
            self._next -= 1
        while self._serving and self._serving[0].time_s < now - WINDOW_S - 1e-6:
            self._serving.popleft()

    def forget(self) -> None:
        """Let none of the moments so far serve; how far the eyes open is still known."""
        self._last.clear()
        self._serving.clear()
        self._next = 0

    def best(self) -> Moment | None:
        """Return the moment of the last second that has the most closed mouth; None where none is known to serve."""
        return self._serving[0] if self._serving else None
