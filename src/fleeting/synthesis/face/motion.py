"""How the points of a filmed face move: expressions, speech and swallowing, turns, the head's walk, the lens.

In this order a point ``x`` of the neutral portrait goes to its pixel ``z`` of a frame; `FaceMotion.backward` goes the
way back for all pixels at once, `FaceMotion.forward` the way there. Every field is kept on its own small window and
only those are summed that act at the instant, so that a face at rest costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.synthesis.face.action_units import Activation, Patch, displacement_field, patch_field
from fleeting.synthesis.face.disturbances import LARYNX, Disturbances
from fleeting.synthesis.face.frame import Grid, face_frame, pixel_grid
from fleeting.synthesis.face.gaze import LID_FOLLOWS
from fleeting.synthesis.face.head import (
    HeadSettings,
    HeadWalk,
    head_mask,
    head_transform,
    invert_transform,
    relief,
    turn_matrix,
)
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.warp import remap, sample_field, trace_back

_HEAD_BOX = np.array([[-1.32, -1.27], [1.32, -1.27], [-1.32, 2.6], [1.32, 2.6]])
"""Corners of all that expressions, swallowing and turns of the head move, in coordinates of the face: a field that was
cut off would tear the picture."""

_THROAT = Patch((8,), (0.0, -LARYNX), (0.45, 0.22), (0.0, 0.36))
_TOLERANCE_PX = 0.002
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Channel:
    """One field on its window, and its strength over time."""

    field: Grid
    left: int
    top: int
    strength: Callable[[float], float]


class FaceMotion:
    """Where everything of a face is, at any time.

    Parameters
    ----------
    points
        (68, 2) landmarks of the neutral portrait in pixels of the frame.
    shape
        Height and width of the frame.
    movements
        Expressions; blinks have no place here.
    disturbances
        What else moves the face.
    head
        Size of the head's walk.
    seed
        Of that walk.
    """

    def __init__(
        self,
        points: Floats,
        shape: tuple[int, int],
        *,
        movements: Sequence[Movement],
        disturbances: Disturbances,
        head: HeadSettings,
        seed: int,
    ) -> None:
        self.points, self.frame = points, face_frame(points)
        self._shape = shape
        self._disturbances = disturbances
        self._walk = HeadWalk(head, seed=seed, disturbances=disturbances)
        self.grid = pixel_grid(shape)
        self._middle: npt.NDArray[np.float32] = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2], np.float32)
        everything = head.moving_background
        self._mask = np.ones(shape, np.float32) if everything else head_mask(self.frame, shape)
        # The fields cover the head and no more; they may reach over the picture's border.
        corners = self.frame.pixels(_HEAD_BOX)
        self._left, self._top = np.floor(corners.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        self._field_shape = (bottom - self._top, right - self._left)
        self._relief = relief(self.frame, self._field_shape, left=self._left, top=self._top)
        if not disturbances.turns:
            self._relief = self._relief[..., 0].copy()  # what is left for the walk's small angles
        self._channels = [self._channel(m.activations, m.peak_percent_iod, m.profile) for m in movements]
        self._channels += self._disturbing_channels(disturbances)

    def _channel(
        self, activations: tuple[Activation, ...], percent: float, strength: Callable[[float], float]
    ) -> Channel:
        field = displacement_field(
            self.points,
            self._field_shape,
            activations,
            peak_percent_iod=percent,
            left=self._left,
            top=self._top,
        )
        return self._cropped(field, strength)

    def _cropped(self, field: Grid, strength: Callable[[float], float]) -> Channel:
        moving = (field != 0).any(axis=-1)
        rows, columns = np.flatnonzero(moving.any(axis=1)), np.flatnonzero(moving.any(axis=0))
        if not len(rows):
            return Channel(np.zeros((1, 1, 2), np.float32), self._left, self._top, strength)
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return Channel(field[box].copy(), self._left + int(columns[0]), self._top + int(rows[0]), strength)

    def _disturbing_channels(self, d: Disturbances) -> list[Channel]:
        channels = []
        if d.speech:
            jaw = (Activation("AU26"), Activation("AU25", weight=0.6))
            channels.append(self._channel(jaw, 1.0, lambda t: d.mouth(t)[0]))
            channels.append(self._channel((Activation("AU20"),), 1.0, lambda t: d.mouth(t)[1]))
        if d.swallows:
            chin = (Activation("AU17"), Activation("AU23", weight=0.3))
            channels.append(self._channel(chin, 1.0, d.swallow))
            throat = patch_field(self.points, self._field_shape, _THROAT, left=self._left, top=self._top)
            channels.append(self._cropped(throat, d.swallow))
        if any(s.down < 0 for s in d.saccades):
            channels.append(self._channel((Activation("AU05"),), 1.0, lambda t: max(-LID_FOLLOWS * d.gaze(t)[1], 0.0)))
        return channels

    def expression(self, time_s: float) -> tuple[Grid, int, int] | None:
        """Sum of the fields that act at an instant, with its left column and top row; None where nothing acts."""
        acting = [(c, s) for c in self._channels if abs(s := c.strength(time_s)) > 1e-9]
        if not acting:
            return None
        left, top = min(c.left for c, _ in acting), min(c.top for c, _ in acting)
        right = max(c.left + c.field.shape[1] for c, _ in acting)
        bottom = max(c.top + c.field.shape[0] for c, _ in acting)
        total = np.zeros((bottom - top, right - left, 2), np.float32)
        for channel, strength in acting:
            height, width = channel.field.shape[:2]
            y, x = channel.top - top, channel.left - left
            total[y : y + height, x : x + width] += channel.field * np.float32(strength)
        return total, left, top

    def backward(self, time_s: float) -> Grid:
        """Position (h, w, 2) in the neutral portrait of what every pixel of a frame shows, lids and eyes aside."""
        scale, _ = self._disturbances.lens(time_s)
        z, mask = self.grid, self._mask
        if scale != 1:
            z = np.asarray((z - self._middle) * np.float32(1 / scale) + self._middle, np.float32)
            mask = self._mask_at(z)
        x: Grid = np.asarray(cv2.transform(z, self._unturning(time_s)), np.float32)
        x *= mask[..., None]
        x += z
        x -= self._turned(x, time_s)
        acting = self.expression(time_s)
        if acting is not None:
            field, left, top = acting
            right, bottom = left + field.shape[1], top + field.shape[0]
            box = self.box(np.array([[left, top], [right, top], [left, bottom], [right, bottom]]), time_s)
            x[box] = trace_back(field, x[box], left=left, top=top)
        return x

    def forward(self, x: Grid, time_s: float) -> Grid:
        """Pixels (..., ..., 2) at which points of the neutral portrait are seen at an instant."""
        acting = self.expression(time_s)
        y = x if acting is None else x + sample_field(acting[0], x, left=acting[1], top=acting[2])
        y = y + self._turn_of(self._relief_at(y), time_s)
        unturn = self._unturning(time_s)
        z = y
        for _ in range(60):
            before, z = z, y - self._mask_at(z)[..., None] * cv2.transform(z, unturn)
            if float(np.abs(z - before).max()) < _TOLERANCE_PX:
                break
        scale, _ = self._disturbances.lens(time_s)
        return np.asarray((z - self._middle) * np.float32(scale) + self._middle, np.float32)

    def box(self, corners: Floats, time_s: float) -> tuple[slice, slice]:
        """Rows and columns of a frame that hold what lies between corners (4, 2) of the neutral portrait."""
        pose = self._walk.pose(time_s)
        matrix = head_transform(pose, self.frame)
        scale, _ = self._disturbances.lens(time_s)
        # A point of depth 0 to 0.75 inter-ocular distances is shifted by the turn by that much of the angle's sine.
        turn = turn_matrix(pose, self.frame)
        least, most = np.minimum(0.75 * turn[:, 0], 0), np.maximum(0.75 * turn[:, 0], 0)
        moved = corners @ matrix[:, :2].T + matrix[:, 2]
        moved = (moved - self._middle) * scale + self._middle
        # For the room's give and take, what expressions move, and the foreshortening.
        margin = 0.06 * self.frame.iod + 0.7 * float(np.abs(turn[:, 1:]).sum())
        left, top = np.maximum(np.floor(moved.min(axis=0) + least - margin), 0).astype(int).tolist()
        right, bottom = np.maximum(np.ceil(moved.max(axis=0) + most + margin), 0).astype(int).tolist()
        return slice(top, bottom), slice(left, right)

    def _unturning(self, time_s: float) -> npt.NDArray[np.float32]:
        """Map (2, 3) that takes a pixel of a frame to the shift which undoes the head's pose in the picture plane."""
        undo = invert_transform(head_transform(self._walk.pose(time_s), self.frame))
        return np.asarray(undo - np.eye(2, 3), np.float32)

    def _turned(self, y: Grid, time_s: float) -> Grid:
        """Displacement by yaw and pitch of what is seen at positions y (h, w, 2): y minus it is where it came from.

        Solved at every third pixel of every third row and interpolated by cubics: the head's relief is smooth enough
        that this is exact to 0.01 pixel for the head's walk, and to 0.05 for a turn of 12 degrees, which is 15 pixels.
        """
        height, width = self._shape
        third = (max(width // 3, 2), max(height // 3, 2))
        coarse: Grid = np.asarray(cv2.resize(y, third, interpolation=cv2.INTER_AREA), np.float32)
        shift = self._turn_of(self._relief_at(coarse), time_s)
        for _ in range(30):
            new = self._turn_of(self._relief_at(coarse - shift), time_s)
            change = float(cv2.norm(new, shift, cv2.NORM_INF))
            shift = new
            if change < _TOLERANCE_PX:
                break
        return np.asarray(cv2.resize(shift, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)

    def _turn_of(self, relief_: Grid, time_s: float) -> Grid:
        matrix = turn_matrix(self._walk.pose(time_s), self.frame)
        if relief_.ndim == 2:
            return relief_[..., None] * matrix[:, 0]
        return np.asarray(cv2.transform(relief_, matrix), np.float32)

    def _relief_at(self, y: Grid) -> Grid:
        at = y - np.array([self._left, self._top], np.float32)
        return np.asarray(remap(self._relief, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)

    def _mask_at(self, z: Grid) -> npt.NDArray[np.float32]:
        return np.asarray(remap(self._mask, z, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
