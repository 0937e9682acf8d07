"""From frames to the displacement of each cell of the face over time, in percent of the inter-ocular distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import crop_transform
from fleeting.faces.landmarks import Landmarks
from fleeting.motion.registration import Registered, Registration, compose, crop_shift, invert
from fleeting.motion.rigid_motion import RigidMotion, dense_basis
from fleeting.settings import MotionSettings
from fleeting.spotting.cells import CELL_REGION, cell_places
from fleeting.spotting.references import Moment, Moments, moment_of

MEASURE_S = 0.0065
"""Seconds from one measured frame to the next at least: all frames up to 150 a second, every second one of 200. The
skin does not move faster; 100 measurements a second find what 200 find."""

LONGEST_S = 2.0
"""Age at which a reference is replaced by the frame of now where no moment of the last second serves as one."""

TURNED_PX = 4.0
"""Parallax of a turn, in crop pixels, after which a reference is replaced early."""

MISFIT_PX = 1.0
"""Misfit of the head's motion after which a reference is replaced early: so little is left of the face that it shows
that flow over several nearer moments is the more exact one."""

JUMP_PX = 3.0
"""Head motion between two frames, in crop pixels, from which on landmarks guide the next crop."""

DRIFTED_PX = 2.0
"""Distance between the followed crop and the landmarks' crop of a reference from which on it goes back to them."""

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


@dataclass(frozen=True, slots=True)
class Step:
    """What the flow from the reference to one frame says.

    Attributes
    ----------
    transform
        (2, 3) from the frame to the crop in which the head stands as in the reference.
    rigid
        The head's motion.
    means
        (c, 2) mean flow of each cell without it, pixels of the crop.
    """

    transform: npt.NDArray[np.float64]
    rigid: RigidMotion
    means: npt.NDArray[np.float64]


Remember = Callable[[float, npt.NDArray[np.uint8], Callable[[], Step]], Step]
"""Takes the time of a frame, the frame, and what measures the step to it; returns the step, measured now or before."""


class _CellMeans:
    """Mean flow of each cell without the head's motion.

    Cells cover each pixel at most once, and the head's motion is linear in its coefficients; so sums over the cells'
    pixels and the cells' means of the basis give what `cells.cell_weights` times the flow would, for a tenth of that.

    Parameters
    ----------
    cells
        Pixels of each cell, of `cells.cell_places`.
    width
        Of the crop.
    """

    def __init__(self, cells: Sequence[npt.NDArray[np.intp]], width: int) -> None:
        counts = np.array([len(places) for places in cells])
        self._places = np.concatenate(cells)
        self._filled = np.flatnonzero(counts)
        self._starts = (np.cumsum(counts) - counts)[self._filled]
        self._counts = counts[self._filled, None].astype(np.float64)
        self._shape = (len(cells), 2)
        basis = dense_basis(width).reshape(-1, 12)[self._places]
        self._basis = np.zeros((len(cells), 2, 6), np.float32)
        sums = np.add.reduceat(basis, self._starts, dtype=np.float64)
        self._basis[self._filled] = (sums / self._counts).reshape(-1, 2, 6)

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

    The flow is taken from a reference to each frame, so that errors do not add up from frame to frame; when the
    reference is replaced (`references.Moments`), what it had reached is carried over.

    Parameters
    ----------
    settings
        See `settings.MotionSettings`.
    remember
        Is asked for every step; each is measured where None.
    """

    def __init__(self, settings: MotionSettings | None = None, *, remember: Remember | None = None) -> None:
        self.settings = settings or MotionSettings()
        self._remember = remember
        self._run = -1
        self._segment: int | None = None
        self._carried = np.zeros((len(CELL_REGION), 2))
        self._transform: npt.NDArray[np.float64] = np.eye(2, 3)
        self._by_landmarks: npt.NDArray[np.float64] = np.eye(2, 3)
        self._onward: npt.NDArray[np.float64] = np.eye(2, 3)
        self._measures: tuple[Registration, _CellMeans] | None = None
        self._moments = Moments()
        self._reference: Moment | None = None
        self._iod = 0.0
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
        if self._reference is None or segment != self._segment:
            self._segment = segment
            return self._start(time_s, grey, landmarks, by_landmarks)
        guess = self._transform
        step = compose(by_landmarks, invert(self._by_landmarks))
        if crop_shift(self._by_landmarks, by_landmarks, width=width) > JUMP_PX * width / 140:
            guess = compose(step, guess)
        found = self._step(time_s, grey, guess)
        self._by_landmarks = by_landmarks
        if crop_shift(found.transform, by_landmarks, width=width) > LOST_PX * width / 140:
            return self._start(time_s, grey, landmarks, by_landmarks)
        self._transform = found.transform
        here = 100.0 / self._iod * found.means + self._carried
        followed = compose(self._onward, found.transform)
        sample = RegionSample(here.astype(np.float32), self._run, followed, found.rigid.residual_px)
        now = moment_of(time_s, grey, landmarks, by_landmarks, followed, here, width=width)
        self._moments.add(now)
        best = self._moments.best()
        turned = float(np.abs(found.rigid.coefficients[4:]).max()) * 140 / width
        if (
            turned > TURNED_PX
            or found.rigid.residual_px > MISFIT_PX * width / 140
            or (best is None and time_s - self._reference.time_s > LONGEST_S)
        ) and self._moments.eyes_open(now):
            self._moments.forget()
            self._compare_to(now)
        elif best is not None and best is not self._reference:
            self._compare_to(best)
        return sample

    def _step(self, time_s: float, grey: npt.NDArray[np.uint8], guess: npt.NDArray[np.float64]) -> Step:
        def measured() -> Step:
            registration, means = self._against()
            found = registration.step(grey, guess)
            return Step(found.transform, found.rigid, means(found))

        return measured() if self._remember is None else self._remember(time_s, grey, measured)

    def _against(self) -> tuple[Registration, _CellMeans]:
        """Return what measures against the reference; made when it is first needed."""
        if self._measures is None:
            assert self._reference is not None
            crop, width = self._reference.crop, self.settings.crop_width
            means = _CellMeans(cell_places(self._reference.points, crop.shape), width)
            self._measures = Registration(crop, method=self.settings.flow), means
        return self._measures

    def _start(
        self, time_s: float, grey: npt.NDArray[np.uint8], landmarks: Landmarks, transform: npt.NDArray[Any]
    ) -> RegionSample:
        self._run += 1
        self._moments = Moments()
        self._by_landmarks = np.asarray(transform, np.float64)
        nowhere = np.zeros((len(CELL_REGION), 2))
        cut = self._by_landmarks
        first = moment_of(time_s, grey, landmarks, cut, cut, nowhere, width=self.settings.crop_width)
        self._moments.add(first)
        self._compare_to(first)
        return RegionSample(nowhere.astype(np.float32), self._run, self._by_landmarks, 0.0)

    def _compare_to(self, reference: Moment) -> None:
        """Measure against this moment from now on; what it had reached is carried over.

        Where the head was followed to goes on too, unless it has drifted from the landmarks: then it goes back to them.
        """
        width = self.settings.crop_width
        self._measures = None
        self._carried = reference.displacement
        drifted = crop_shift(reference.transform, reference.cut, width=width) > DRIFTED_PX * width / 140
        self._onward = np.eye(2, 3) if drifted else compose(reference.transform, invert(reference.cut))
        # The crop of the frame of now, by its landmarks, is where that of the reference was cut by its own.
        self._transform = self._by_landmarks
        self._iod = float(np.linalg.norm(reference.points[45] - reference.points[36]))
        self._reference = reference
