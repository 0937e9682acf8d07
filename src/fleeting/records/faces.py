"""Faces in a recording, and what is measured of them in its frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

REGIONS: tuple[str, ...] = (
    "left_brow",
    "right_brow",
    "between_brows",
    "left_lid",
    "right_lid",
    "nose",
    "left_cheek",
    "right_cheek",
    "left_mouth_corner",
    "right_mouth_corner",
    "upper_lip",
    "lower_lip",
    "chin",
)
"""Face regions of the motion signal; left and right are the person's own."""


class FaceBox(NamedTuple):
    """A face box in pixels of the frame: left, top, width, height, and the finder's score in 0..1."""

    x: float
    y: float
    width: float
    height: float
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class FaceSegment:
    """A stretch of frames in which a track's face was seen without a gap."""

    onset_frame: int
    offset_frame: int


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face over time.

    Attributes
    ----------
    id
        Counts from 0 in order of first appearance.
    segments
        Stretches in which it was seen; between them there are no values, none are interpolated.
    median_iod_px
        Median inter-ocular distance (outer eye corners) in pixels of the frame.
    median_box
        Median face box.
    """

    id: int
    segments: tuple[FaceSegment, ...]
    median_iod_px: float
    median_box: FaceBox

    @property
    def frame_count(self) -> int:
        """Number of frames in which the face was seen."""
        return sum(s.offset_frame - s.onset_frame + 1 for s in self.segments)


@dataclass(frozen=True, slots=True)
class Signals:
    """Per-frame measurements of one face; NaN where it was not seen.

    Attributes
    ----------
    face
        Id of the track.
    time_s
        (n,) seconds of each frame.
    motion
        (n, r) displacement magnitude of every region of `REGIONS` against its local rest (`spotting.curves`), head
        motion removed, percent of the inter-ocular distance.
    eye_opening
        (n, 2) opening of the left and right eye, lid distance over eye width.
    mouth_opening
        (n,) inner lip distance over mouth width.
    pose
        (n, 3) yaw, pitch, roll of the head in degrees.
    noise
        (r,) this recording's own noise of each region's motion, same unit as `motion` (robust standard deviation).
    speaking
        (n,) 1 where the face speaks, else 0 (`spotting.speaking`); None where nobody looked.
    place
        (n, 2, 3) from every frame to the canonical crop of the width that the settings name, in which the head stands
        still; None where it was not kept.

    What grows with the film may lie on the disk and be mapped (`numpy.memmap`).
    """

    face: int
    time_s: npt.NDArray[np.float64]
    motion: npt.NDArray[np.float32]
    eye_opening: npt.NDArray[np.float32]
    mouth_opening: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]
    speaking: npt.NDArray[np.float32] | None = None
    place: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.time_s)
        shapes = {
            "motion": (n, len(REGIONS)),
            "eye_opening": (n, 2),
            "mouth_opening": (n,),
            "pose": (n, 3),
            "noise": (len(REGIONS),),
            **({} if self.speaking is None else {"speaking": (n,)}),
            **({} if self.place is None else {"place": (n, 2, 3)}),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Expected {name} of shape {shape}; got {getattr(self, name).shape}.")

    @property
    def speaking_spans(self) -> tuple[tuple[float, float], ...]:
        """Stretches of speaking: seconds of the first and the last frame of each."""
        speaks = np.zeros(0, bool) if self.speaking is None else self.speaking > 0
        edges = np.diff(np.concatenate([[False], speaks, [False]]).astype(np.int8))
        first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        return tuple(zip(self.time_s[first].tolist(), self.time_s[last].tolist(), strict=True))


ABSENT_STEPS = 2.5
"""Readings of an expression further apart than so many usual steps have an absence between them."""


@dataclass(frozen=True, slots=True)
class ExpressionCurve:
    """The expression of one face, read from some of the frames.

    Attributes
    ----------
    face
        Id of the track.
    frame
        (m,) int32, the frames that were read, rising; `time_s` the same in seconds, (m,) float64.
    probabilities
        (m, 7) float32, calibrated probabilities of `labels.SEVEN_CLASSES`, rows summing to 1.
    """

    face: int
    frame: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        m = len(self.frame)
        for name, shape in {"frame": (m,), "time_s": (m,), "probabilities": (m, 7)}.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Expected {name} of shape {shape}; got {getattr(self, name).shape}.")

    @property
    def step_s(self) -> float:
        """Usual time between two readings in seconds; there must be two."""
        return float(np.median(np.diff(self.time_s)))

    @property
    def absences(self) -> npt.NDArray[np.bool_]:
        """(m - 1,) whether the face was away between a reading and the next: for longer than `ABSENT_STEPS` of them."""
        return np.asarray(np.diff(self.time_s) > ABSENT_STEPS * self.step_s)
