"""Find faces and make sure of them: two networks that were trained apart have to agree.

The finder proposes places. The landmark network puts 68 points on each and says whether it sees a face; the finder
looks once more at the face as those points lay it out, level and of one size. The three answers are weighed together,
so that the finder may be generous (nothing small, turned or dark is lost) without false faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import points_box
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, FLAT, FaceFinder, distinct
from fleeting.faces.landmarks import LandmarkNet, Landmarks
from fleeting.records import FaceBox

PROPOSE = 0.15
"""Finder probability from which a place is looked at more closely."""

HOPELESS = 0.1
"""Below this probability on the finder's crop the landmark network looks no second time."""

CONFIRM = 0.5
"""Probability, of all evidence together, from which a face is reported."""

EVIDENCE = (-6.5, 1.72, 0.85, 1.0)
"""Weights in log-odds: constant, finder's proposal, landmark network's second look, finder's second look. Fitted on
validation people by ``benchmarks/studies/faces_evidence.py``."""

SMALLEST_PX = 16.0
"""Smaller boxes (longer side, pixels of the frame) show too little of a face to tell it from anything else."""

MOST_PROPOSALS = 32
"""Proposals of one search that are looked at, the most probable first."""

CLOSE = ((0.25, cv2.BORDER_CONSTANT), (0.5, cv2.BORDER_REFLECT))
"""Borders that are put around a picture without a face to find one that is cut by the frame: their width as a share of
the longer side, and what they are filled with (the mean, the mirrored picture)."""

CLOSE_PIXELS = COARSE_PIXELS // 2
"""Pixels of that search: what is looked for is large."""

CLOSE_SIDE = 0.75
"""Such a face's longer side, at least, as a share of the shorter side of the picture."""

Grey = npt.NDArray[np.uint8]


class Proposer(Protocol):
    """Proposes boxes; `faces.finder.FaceFinder` is the shipped one."""

    def search(self, grey: Grey, *, pixels: int, threshold: float | None = None) -> list[FaceBox]:
        """Return boxes of a (h, w) uint8 frame, searched at a number of pixels."""

    def again(self, grey: Grey, points: npt.NDArray[np.floating]) -> float:
        """Return the log-odds of a face at points (68, 2), seen level and of one size."""


class Verifier(Protocol):
    """Places landmarks and scores faces; `faces.landmarks.LandmarkNet` is the shipped one."""

    def __call__(self, grey: Grey, boxes: Sequence[FaceBox]) -> list[Landmarks]:
        """Return landmarks for each box."""

    def from_points(self, grey: Grey, points: Sequence[npt.NDArray[Any]]) -> list[Landmarks]:
        """Return new landmarks for each of the given ones, (68, 2) in pixels of the frame."""


def log_odds(probability: float) -> float:
    """Log-odds of a probability, which is held between 1e-5 and 1 - 1e-5: one network alone never decides."""
    held = min(max(probability, 1e-5), 1 - 1e-5)
    return math.log(held / (1 - held))


def weigh(proposed: float, landmarks: float, again: float) -> float:
    """Probability of a face from the three answers.

    Parameters
    ----------
    proposed, landmarks
        Probabilities of the finder and, on the crop of its own points, of the landmark network.
    again
        Log-odds of the finder's second look.
    """
    constant, first, second, third = EVIDENCE
    total = constant + first * log_odds(proposed) + second * log_odds(landmarks) + third * again
    return 1.0 / (1.0 + math.exp(-min(max(total, -30.0), 30.0)))


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

    def __call__(self, grey: Grey) -> list[tuple[FaceBox, Landmarks]]:
        """Find the faces of a frame.

        Parameters
        ----------
        grey
            (h, w) uint8, any size.

        Returns
        -------
        list of (FaceBox, Landmarks)
            In pixels of the frame, the largest first; the box is that of the 68 points, its score the probability of a
            face by all evidence. The frame is searched finer only where the first search confirms no face, and for a
            face that fills it only where that confirms none.
        """
        # Where the first search saw every pixel, a finer one shows nothing new.
        searches = (COARSE_PIXELS, FINE_PIXELS) if grey.size > COARSE_PIXELS else (COARSE_PIXELS,)
        for pixels in searches:
            found = [(box, seen) for box, seen, _ in self.candidates(grey, pixels=pixels) if box.score >= CONFIRM]
            faces = dict(found)
            if faces:
                return [(box, faces[box]) for box in distinct(list(faces))]
        return self._close(grey)

    def _close(self, grey: Grey) -> list[tuple[FaceBox, Landmarks]]:
        """Find a face that fills the frame and is cut by it: around it there is nothing, so something is put there."""
        if min(grey.shape) < SMALLEST_PX or np.ptp(grey) < FLAT:
            return []
        for share, border in CLOSE:
            around = round(share * max(grey.shape))
            wider = cv2.copyMakeBorder(grey, around, around, around, around, border, value=float(grey.mean()))
            found = [
                (box, seen)
                for box, seen, _ in self.candidates(np.asarray(wider, np.uint8), pixels=CLOSE_PIXELS)
                if box.score >= CONFIRM and max(box.width, box.height) >= CLOSE_SIDE * min(grey.shape)
            ]
            if found:
                _, seen = max(found, key=lambda one: one[0].score)
                points = seen.points - np.float32(around)
                return [(points_box(points, score=max(box.score for box, _ in found)), replace(seen, points=points))]
        return []

    def candidates(self, grey: Grey, *, pixels: int) -> list[tuple[FaceBox, Landmarks, tuple[float, float, float]]]:
        """Search once, at a number of pixels, and weigh every proposal, confirmed or not.

        Returns
        -------
        list of (FaceBox, Landmarks, answers)
            Box of the points with the probability of a face; the three answers as `weigh` takes them.
        """
        proposed = self._finder.search(grey, pixels=pixels, threshold=PROPOSE)
        proposed = [box for box in proposed if max(box.width, box.height) >= SMALLEST_PX]
        proposed = sorted(proposed, key=lambda b: -b.score)[:MOST_PROPOSALS]
        first = zip(proposed, self._landmarks(grey, proposed), strict=True)
        hopeful = [(box.score, seen) for box, seen in first if seen.score >= HOPELESS and seen.iod > 1.0]
        second = self._landmarks.from_points(grey, [seen.points for _, seen in hopeful])
        result = []
        for (score, _), seen in zip(hopeful, second, strict=True):
            answers = (score, seen.score, self._finder.again(grey, seen.points))
            result.append((points_box(seen.points, score=weigh(*answers)), seen, answers))
        return result
