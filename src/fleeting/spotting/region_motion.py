"""From frames to the displacement of each cell of the face over time, in percent of the inter-ocular distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import align, crop_transform, to_crop
from fleeting.faces.landmarks import Landmarks
from fleeting.motion.registration import Registered, Registration, compose, crop_shift, invert
from fleeting.motion.rigid_motion import dense_basis
from fleeting.settings import MotionSettings
from fleeting.spotting.cells import CELL_REGION, cell_weights

MEASURE_S = 0.0065
"""Seconds from one measured frame to the next at least: all frames up to 150 a second, every second one of 200. The
skin does not move faster; 100 measurements a second find what 200 find."""

REFERENCE_S = 1.0
"""Age at which a reference crop is replaced: light and skin change slowly, and a micro-expression is shorter."""

TURNED_PX = 4.0
"""Parallax of a turn, in crop pixels, after which a reference is replaced early."""

JUMP_PX = 3.0
"""Head motion between two frames, in crop pixels, from which on landmarks guide the next crop."""

LOST_PX = 14.0
"""Distance between the registered crop and the landmarks' crop after which the registration starts anew."""


@dataclass(frozen=True, slots=True)
class RegionSample:
    """One face in one frame.

    Attributes
    ----------
    displacement
        (c, 2) float32 right and down, percent of the inter-ocular distance, against the first frame of the run; cells
        as `cells.CELL_REGION`.
    run
        Counts the stretches over which displacements can be compared, from 0.
    transform
        (2, 3) from the frame to the canonical crop.
    residual_px
        Median misfit of the head's motion, in crop pixels: large where the flow is not to be trusted.
    held
        Whether all this is the frame's before, since so little time has passed.
    """

    displacement: npt.NDArray[np.float32]
    run: int
    transform: npt.NDArray[np.float64]
    residual_px: float
    held: bool = False


class _CellMeans:
    """Mean flow of each cell without the head's motion.

    Cells cover each pixel at most once, and the head's motion is linear in its coefficients; so sums over the cells'
    pixels and the cells' means of the basis give what `cell_weights` times the flow would, at a tenth of its cost.

    Parameters
    ----------
    weights
        (c, h * w) of `cells.cell_weights`.
    width
        Of the crop.
    """

    def __init__(self, weights: npt.NDArray[np.float32], width: int) -> None:
        cells, self._places = np.nonzero(weights)
        counts = np.bincount(cells, minlength=len(weights))
        self._filled = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._filled]
        self._counts = counts[self._filled, None].astype(np.float64)
        self._shape = (len(weights), 2)
        self._basis = (weights @ dense_basis(width).reshape(weights.shape[1], 12)).reshape(len(weights), 2, 6)

    def __call__(self, found: Registered) -> npt.NDArray[np.float64]:
        """Mean flow (c, 2) in pixels of the crop, 0 where a cell lies outside of it."""
        # As complex numbers both components are gathered and summed at once.
        chosen = np.ascontiguousarray(found.whole_flow).view(np.complex64).reshape(-1)[self._places]
        means = np.zeros(self._shape)
        sums = np.add.reduceat(chosen, self._starts)
        means[self._filled] = np.stack([sums.real, sums.imag], axis=1) / self._counts
        means -= self._basis @ found.rigid.coefficients
        return means


class RegionMotion:
    """Measures one face, frame by frame.

    The flow is taken from a reference frame to each frame, so that errors do not add up from frame to frame; when the
    reference is replaced, what it had reached is carried over.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self._run = -1
        self._segment: int | None = None
        self._carried = np.zeros((len(CELL_REGION), 2))
        self._transform: npt.NDArray[np.float64] = np.eye(2, 3)
        self._by_landmarks: npt.NDArray[np.float64] = np.eye(2, 3)
        self._means: _CellMeans | None = None
        self._reference_s = self._iod = 0.0
        self._registration: Registration | None = None
        self._last: RegionSample | None = None
        self._last_s = -np.inf

    def update(self, time_s: float, grey: npt.NDArray[np.uint8], landmarks: Landmarks, segment: int) -> RegionSample:
        """Take the face's next frame.

        Parameters
        ----------
        time_s
            Time of the frame.
        grey
            (h, w) uint8 frame.
        landmarks
            The face's landmarks in the frame.
        segment
            Number of the track's segment; a new one starts a new run.
        """
        # A millionth of a second is the rounding of timestamps.
        if self._last is not None and segment == self._segment and time_s - self._last_s < MEASURE_S - 1e-6:
            return replace(self._last, held=True)
        self._last, self._last_s = self._measured(time_s, grey, landmarks, segment), time_s
        return self._last

    def _measured(self, time_s: float, grey: npt.NDArray[np.uint8], landmarks: Landmarks, segment: int) -> RegionSample:
        width = self.settings.crop_width
        by_landmarks = crop_transform(landmarks.points, width=width)
        if self._registration is None or self._means is None or segment != self._segment:
            self._segment = segment
            return self._start(time_s, grey, landmarks, by_landmarks)
        guess = self._transform
        step = compose(by_landmarks, invert(self._by_landmarks))
        if crop_shift(self._by_landmarks, by_landmarks, width=width) > JUMP_PX * width / 140:
            guess = compose(step, guess)
        found = self._registration.step(grey, guess)
        self._by_landmarks = by_landmarks
        if crop_shift(found.transform, by_landmarks, width=width) > LOST_PX * width / 140:
            return self._start(time_s, grey, landmarks, by_landmarks)
        self._transform = found.transform
        here = 100.0 / self._iod * self._means(found) + self._carried
        sample = RegionSample(here.astype(np.float32), self._run, found.transform, found.rigid.residual_px)
        turned = float(np.abs(found.rigid.coefficients[4:]).max()) * 140 / width
        if time_s - self._reference_s > REFERENCE_S or turned > TURNED_PX:
            self._carried = here
            self._anchor(time_s, grey, landmarks, found.transform)
        return sample

    def _start(
        self, time_s: float, grey: npt.NDArray[np.uint8], landmarks: Landmarks, transform: npt.NDArray[Any]
    ) -> RegionSample:
        self._run += 1
        self._carried = np.zeros((len(CELL_REGION), 2))
        self._by_landmarks = np.asarray(transform, np.float64)
        self._anchor(time_s, grey, landmarks, transform)
        return RegionSample(self._carried.astype(np.float32), self._run, transform, 0.0)

    def _anchor(
        self, time_s: float, grey: npt.NDArray[np.uint8], landmarks: Landmarks, transform: npt.NDArray[Any]
    ) -> None:
        """Make this frame the reference; a crop that has drifted from the landmarks goes back to them."""
        width = self.settings.crop_width
        by_landmarks = crop_transform(landmarks.points, width=width)
        if crop_shift(transform, by_landmarks, width=width) > 2.0 * width / 140:
            transform = by_landmarks
        crop = align(grey, transform, width=width)
        points = to_crop(landmarks.points, transform)
        self._means = _CellMeans(cell_weights(points, crop.shape), width)
        self._registration = Registration(crop, method=self.settings.flow)
        self._transform = np.asarray(transform, np.float64)
        self._reference_s = time_s
        self._iod = float(np.linalg.norm(points[45] - points[36]))
