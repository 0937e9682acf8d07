"""Find faces and make sure of them: the finder proposes, the landmark network places 68 points and confirms.

Two networks that were trained apart have to agree, so the finder may be generous (nothing small, turned or dark is
lost) without false faces. The box that is returned is the one of the confirmed points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import points_box
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, FaceFinder, distinct
from fleeting.faces.landmarks import LandmarkNet, Landmarks
from fleeting.records import FaceBox

PROPOSE = 0.25
"""Finder probability from which a place is looked at more closely."""

CONFIRM = 0.8
"""Probability of a face, by the landmark network on the crop of its own points, from which a face is reported."""

HOPELESS = 0.1
"""Below this probability on the finder's crop there is no second look."""

SMALLEST_PX = 16.0
"""Smaller boxes (longer side, pixels of the frame) show too little of a face to tell it from anything else."""

MOST_PROPOSALS = 32
"""Proposals of one search that are looked at, the most probable first."""


class Proposer(Protocol):
    """Proposes boxes; `faces.finder.FaceFinder` is the shipped one."""

    def search(self, grey: npt.NDArray[np.uint8], *, pixels: int, threshold: float | None = None) -> list[FaceBox]:
        """Return boxes of a (h, w) uint8 frame, searched at a number of pixels."""


class Verifier(Protocol):
    """Places landmarks and scores faces; `faces.landmarks.LandmarkNet` is the shipped one."""

    def __call__(self, grey: npt.NDArray[np.uint8], boxes: Sequence[FaceBox]) -> list[Landmarks]:
        """Return landmarks for each box."""

    def from_points(self, grey: npt.NDArray[np.uint8], points: Sequence[npt.NDArray[Any]]) -> list[Landmarks]:
        """Return new landmarks for each of the given ones, (68, 2) in pixels of the frame."""


class FaceDetector:
    """All faces of a frame, with landmarks.

    Parameters
    ----------
    threads
        Threads of ONNX Runtime.
    finder, landmarks
        Stand-ins for the shipped networks.
    """

    def __init__(self, *, threads: int = 1, finder: Proposer | None = None, landmarks: Verifier | None = None) -> None:
        self._finder = finder or FaceFinder(threads=threads)
        self._landmarks = landmarks or LandmarkNet(threads=threads)

    def __call__(self, grey: npt.NDArray[np.uint8]) -> list[tuple[FaceBox, Landmarks]]:
        """Find the faces of a frame.

        Parameters
        ----------
        grey
            (h, w) uint8, any size.

        Returns
        -------
        list of (FaceBox, Landmarks)
            In pixels of the frame, the largest first; the box is that of the 68 points, its score the landmark
            network's. The frame is searched finer only where the first search confirms no face.
        """
        # Where the first search saw every pixel, a finer one shows nothing new.
        searches = (COARSE_PIXELS, FINE_PIXELS) if grey.size > COARSE_PIXELS else (COARSE_PIXELS,)
        for pixels in searches:
            proposed = self._finder.search(grey, pixels=pixels, threshold=PROPOSE)
            found = self._confirm(grey, sorted(proposed, key=lambda b: -b.score)[:MOST_PROPOSALS])
            if found:
                return found
        return []

    def _confirm(self, grey: npt.NDArray[np.uint8], boxes: list[FaceBox]) -> list[tuple[FaceBox, Landmarks]]:
        boxes = [box for box in boxes if max(box.width, box.height) >= SMALLEST_PX]
        first = [seen for seen in self._landmarks(grey, boxes) if seen.score >= HOPELESS and seen.iod > 1.0]
        second = self._landmarks.from_points(grey, [seen.points for seen in first])
        faces = {points_box(seen.points, score=seen.score): seen for seen in second if seen.score >= CONFIRM}
        return [(box, faces[box]) for box in distinct(list(faces))]
