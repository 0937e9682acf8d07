"""A face held still: each frame's crop is registered to a reference crop by flow, not by landmarks.

Landmarks jitter by a few tenths of a pixel from frame to frame, as much as a micro-expression moves. So they only say
where to look; the crop's position is then corrected until the flow from the reference shows no head motion.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import align, canonical_points
from fleeting.motion.flow import dense_flow
from fleeting.motion.rigid_motion import RigidMotion, estimate_rigid
from fleeting.settings import FlowMethod

CLOSE_PX = 1.2
"""A crop that is off by less (at a width of 140) is not cut again: the rest is subtracted from the flow."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One frame registered to the reference.

    Attributes
    ----------
    transform
        (2, 3) from the frame to the crop in which the head stands as in the reference.
    crop
        (h, w) uint8 crop that the flow was measured on.
    whole_flow
        (h, w, 2) float32 pixels from the reference to `crop`, the head's motion (what is left of it) included.
    rigid
        The head's motion in it (turning and nodding included).
    """

    transform: npt.NDArray[np.float64]
    crop: npt.NDArray[np.uint8]
    whole_flow: npt.NDArray[np.float32]
    rigid: RigidMotion

    @property
    def flow(self) -> npt.NDArray[np.float32]:
        """(h, w, 2) float32 pixels from the reference to `crop`, the head's motion removed."""
        return self.whole_flow - self.rigid.displacement(self.whole_flow.shape[1])


def compose(second: npt.NDArray[Any], first: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the (2, 3) map that applies `first`, then `second`."""
    done = np.empty((2, 3))
    np.matmul(second[:, :2], first, out=done)
    done[:, 2] += second[:, 2]
    return done


def invert(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the inverse of a (2, 3) map."""
    return np.asarray(cv2.invertAffineTransform(np.asarray(matrix, np.float64)))


def crop_shift(first: npt.NDArray[Any], second: npt.NDArray[Any], *, width: int) -> float:
    """Mean distance in crop pixels between where two transforms put the same face."""
    step = compose(second, invert(first))
    step[0, 0] -= 1.0
    step[1, 1] -= 1.0
    moved = step @ _homogeneous(width)
    return float(np.sqrt(moved[0] ** 2 + moved[1] ** 2).sum() / moved.shape[1])


@lru_cache(maxsize=8)
def _homogeneous(width: int) -> npt.NDArray[np.float64]:
    """(3, 68): the canonical points as columns x, y, 1."""
    return np.vstack([canonical_points(width).T, np.ones(68)])


class Registration:
    """Registers frames to one reference crop.

    Parameters
    ----------
    reference
        (h, w) uint8 canonical crop.
    method
        Flow method, see `motion.flow`.
    """

    def __init__(self, reference: npt.NDArray[np.uint8], *, method: FlowMethod = "dis") -> None:
        self.reference = reference
        self.method = method

    def step(self, grey: npt.NDArray[np.uint8], transform: npt.NDArray[Any], *, attempts: int = 3) -> Registered:
        """Register a frame.

        Parameters
        ----------
        grey
            (h, w) uint8 frame.
        transform
            (2, 3) first guess, frame to crop: the last frame's, or one from landmarks.
        attempts
            How often the crop may be cut again while the head is still off by more than `CLOSE_PX`.
        """
        width = self.reference.shape[1]
        transform = np.asarray(transform, np.float64)
        for left in range(attempts, 0, -1):
            crop = align(grey, transform, width=width)
            flow = dense_flow(self.reference, crop, method=self.method)
            rigid = estimate_rigid(flow)
            moved = rigid.similarity(width)
            corrected = compose(invert(moved), transform)
            if left == 1 or crop_shift(transform, corrected, width=width) < CLOSE_PX * width / 140:
                return Registered(corrected, crop, flow, rigid)
            transform = corrected
        raise ValueError(f"Expected attempts >= 1; got {attempts}.")

    def measured_by(self, method: FlowMethod, found: Registered) -> Registered:
        """Return a registered frame with its flow measured by another method."""
        if method == self.method:
            return found
        flow = dense_flow(self.reference, found.crop, method=method)
        return replace(found, whole_flow=flow, rigid=estimate_rigid(flow))
