"""A small picture of each face of a video, by which a reader of the report knows who has which number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import points_box
from fleeting.faces.track import Sighting
from fleeting.video.frame import Frame

SIDE = 96
"""Width and height in pixels."""

MARGIN = 0.35
"""What is shown around the 68 points, in widths of their box: hair and chin."""

STEP_S = 0.4
BETTER = 1.1
"""A new picture is taken when the face is so much larger and more frontal than in the last one, and `STEP_S` passed."""

Picture = npt.NDArray[np.uint8]


class Portraits:
    """Keeps the best picture of each face while a video streams by."""

    def __init__(self) -> None:
        self._best: dict[int, float] = {}
        self._next_s: dict[int, float] = {}
        self._pictures: dict[int, Picture] = {}

    def add(self, frame: Frame, seen: Sequence[Sighting]) -> None:
        """Look at the faces of the next frame."""
        for one in seen:
            if frame.time_s < self._next_s.get(one.track, -np.inf):
                continue
            worth = float(one.landmarks.iod) * float(np.cos(np.radians(one.landmarks.pose[0])))
            if worth > BETTER * self._best.get(one.track, 0.0):
                self._best[one.track], self._next_s[one.track] = worth, frame.time_s + STEP_S
                self._pictures[one.track] = portrait(frame.rgb, one.landmarks.points)

    def pictures(self) -> Mapping[int, Picture]:
        """Return a (96, 96, 3) RGB picture of each face, by track."""
        return dict(self._pictures)


def portrait(rgb: Picture, points: npt.NDArray[np.floating]) -> Picture:
    """Cut a face out, square and upright as in the frame; what lies beyond the frame repeats its border."""
    box = points_box(points)
    side = max(box.width, box.height) * (1 + 2 * MARGIN)
    scale = SIDE / max(side, 1.0)
    left, top = box.x + box.width / 2 - side / 2, box.y + box.height / 2 - side / 2 - 0.1 * side
    move = np.array([[scale, 0.0, -scale * left], [0.0, scale, -scale * top]])
    while scale < 0.5:
        rgb, scale, move = np.asarray(cv2.pyrDown(rgb), np.uint8), 2 * scale, move * [[2, 2, 1], [2, 2, 1]]
    return np.asarray(cv2.warpAffine(rgb, move, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)
