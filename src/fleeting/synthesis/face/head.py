"""How a sitting person's head moves: a slow walk in place, turn and size, breathing, a trace of tremor; and turns."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.disturbances import NO_DISTURBANCES, Disturbances
from fleeting.synthesis.face.frame import FaceFrame, Grid, pixel_grid


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """Size of the head's movements, as standard deviations over time.

    Attributes
    ----------
    shift_percent_iod
        Shift in the picture plane, percent of the inter-ocular distance.
    roll_deg, yaw_deg, pitch_deg
        Turns in and out of the picture plane.
    scale_percent
        Towards and away from the camera.
    breath_percent_iod
        Rise and fall with every breath (a quarter of a hertz).
    tremor_percent_iod
        Physiological tremor at 4 to 8 Hz.
    moving_background
        Let the whole picture move with the head, as with a moving camera, instead of the head before a fixed room.
    """

    shift_percent_iod: float = 2.0
    roll_deg: float = 0.5
    yaw_deg: float = 1.0
    pitch_deg: float = 0.7
    scale_percent: float = 0.4
    breath_percent_iod: float = 0.3
    tremor_percent_iod: float = 0.02
    moving_background: bool = False

    def times(self, factor: float) -> HeadSettings:
        """Return the same movements, larger by a factor."""
        sizes = {f.name: getattr(self, f.name) * factor for f in fields(self) if f.name != "moving_background"}
        return replace(self, **sizes)


STILL = HeadSettings(0, 0, 0, 0, 0, 0, 0)
"""A head in a vice."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The head at one instant: shift in inter-ocular distances, turns in radians, natural logarithm of the scale."""

    shift: tuple[float, float]
    roll: float
    yaw: float
    pitch: float
    log_scale: float


class HeadWalk:
    """A smooth random walk of the head in continuous time, the same at every frame rate.

    Each component is a sum of sinusoids with random phases at 0.04 to 0.6 Hz, whose amplitude falls as 1 / f.
    """

    def __init__(self, settings: HeadSettings, *, seed: int, disturbances: Disturbances = NO_DISTURBANCES) -> None:
        self._disturbances = disturbances
        rng = np.random.default_rng([seed, 1])
        self._settings = settings
        self._hz = np.geomspace(0.04, 0.6, 7) * rng.uniform(0.85, 1.15, (6, 7))
        amplitude = 1 / self._hz
        self._amplitude = amplitude * np.sqrt(2) / np.linalg.norm(amplitude, axis=1, keepdims=True)
        self._phase = rng.uniform(0, 2 * np.pi, (6, 7))
        self._tremor_hz = rng.uniform(4, 8, 2)
        self._tremor_phase = rng.uniform(0, 2 * np.pi, 2)
        self._breath_phase = rng.uniform(0, 2 * np.pi)

    def pose(self, time_s: float) -> Pose:
        """Pose at an instant."""
        s = self._settings
        walk = (self._amplitude * np.sin(2 * np.pi * self._hz * time_s + self._phase)).sum(axis=1)
        tremor = np.sqrt(2) * np.sin(2 * np.pi * self._tremor_hz * time_s + self._tremor_phase)
        breath = math.sqrt(2) * math.sin(2 * np.pi * 0.25 * time_s + self._breath_phase)
        shift = (walk[:2] * s.shift_percent_iod + tremor * s.tremor_percent_iod) / 100
        yaw, pitch = (math.radians(angle) for angle in self._disturbances.turn_deg(time_s))
        # The head turns about the neck, which lies behind the face: the whole face is carried along.
        across = float(shift[0]) + _NECK_BEHIND * math.sin(yaw)
        down = float(shift[1]) + breath * s.breath_percent_iod / 100 + _NECK_BEHIND * math.sin(pitch)
        return Pose(
            shift=(across, down),
            roll=math.radians(walk[2] * s.roll_deg),
            yaw=math.radians(walk[3] * s.yaw_deg) + yaw,
            pitch=math.radians(walk[4] * s.pitch_deg) + pitch,
            log_scale=float(walk[5]) * s.scale_percent / 100,
        )


_NECK = (0.0, 1.5)
_NECK_BEHIND = 0.9  # inter-ocular distances from the plane of the face to the axis of its turns
_CENTRE, _RIGID, _END = (0.0, 0.35), (1.25, 1.6), 1.9


def head_transform(pose: Pose, frame: FaceFrame) -> npt.NDArray[np.float64]:
    """Similarity (2, 3) in pixels that a pose applies to the head; it turns about the base of the neck."""
    pivot = frame.pixels(np.array(_NECK))
    c, s = math.cos(pose.roll) * math.exp(pose.log_scale), math.sin(pose.roll) * math.exp(pose.log_scale)
    turn = np.array([[c, -s], [s, c]])
    shift = pivot + frame.vector(np.array(pose.shift)) - turn @ pivot
    return np.column_stack([turn, shift])


def invert_transform(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of an affine map (2, 3)."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]])


def head_mask(frame: FaceFrame, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """How far each pixel (h, w) goes along with the head: 1 on head and hair, smoothly 0 in the room."""
    centred = (frame.coordinates(pixel_grid(shape)) - _CENTRE) / _RIGID
    t = np.clip((_END - np.hypot(centred[..., 0], centred[..., 1])) / (_END - 1), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def relief(frame: FaceFrame, shape: tuple[int, int], *, left: int, top: int) -> Grid:
    """Shape of the head, for turns out of the picture plane.

    A dome of depth 0.55 inter-ocular distances with a nose of 0.2 on it, zero outside the head. A turn moves a point in
    the picture by its depth times the sine of the angle, and towards the axis by its distance from it times one minus
    the cosine: this is what no similarity can undo.

    Returns
    -------
    numpy.ndarray
        (h, w, 3) float32: depth, distance from the axis across, and down, in inter-ocular distances; the distances
        fade with the dome.
    """
    across, down = np.moveaxis(frame.coordinates(pixel_grid(shape, left=left, top=top)), -1, 0)
    dome = np.clip(1 - (across / 1.3) ** 2 - ((down - 0.35) / 1.6) ** 2, 0, None) ** 2
    nose = np.clip(1 - (across / 0.3) ** 2 - ((down - 0.45) / 0.4) ** 2, 0, None) ** 3
    return np.stack([0.55 * dome + 0.2 * nose, across * dome, (down - 0.35) * dome], axis=-1).astype(np.float32)


def turn_matrix(pose: Pose, frame: FaceFrame) -> npt.NDArray[np.float32]:
    """Map (2, 3) from the `relief` of a point to its displacement in pixels by yaw and pitch."""
    across, down = frame.across * frame.iod, frame.down * frame.iod
    columns = [
        math.sin(pose.yaw) * across + math.sin(pose.pitch) * down,
        (math.cos(pose.yaw) - 1) * across,
        (math.cos(pose.pitch) - 1) * down,
    ]
    return np.stack(columns, axis=1).astype(np.float32)
