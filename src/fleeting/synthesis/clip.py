"""A filmed portrait: any frame of it, and the exact flow between any two.

A pixel ``z`` of a frame is traced back in three steps: out of the head's pose (``y``), out of the expression (``x``, a
position in the neutral portrait), and, where a lid lies over the eye, along the lid. The neutral portrait is kept at
`OVERSAMPLING` times the size of the frames, so that bilinear sampling neither blurs nor flickers when things move by
fractions of a pixel. Everything is a function of continuous time; frame ``i`` is taken at ``i / fps``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.synthesis.action_units import displacement_field
from fleeting.synthesis.blink import draw_lid, lids
from fleeting.synthesis.camera import CameraSettings, expose, frame_rng
from fleeting.synthesis.face_frame import Grid, Points, check_points, face_frame, pixel_grid
from fleeting.synthesis.head import HeadSettings, HeadWalk, depth_fields, head_mask, head_transform, invert_transform
from fleeting.synthesis.movement import Movement
from fleeting.synthesis.portrait import OVERSAMPLING, place
from fleeting.synthesis.warp import remap, sample_field, trace_back

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """How a portrait is filmed.

    Attributes
    ----------
    fps
        Frames per second.
    seconds
        Length.
    width, height
        Pixels of a frame.
    iod_px
        Inter-ocular distance of the face in the frame, in pixels.
    head, camera
        What moves and what disturbs.
    """

    fps: float = 200.0
    seconds: float = 10.0
    width: int = 640
    height: int = 480
    iod_px: float = 100.0
    head: HeadSettings = field(default_factory=HeadSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)

    def __post_init__(self) -> None:
        for name, low, high in (("fps", 1, 2000), ("seconds", 0.01, 36_000), ("iod_px", 10, 2000)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise SettingsError(f"{name} from {low:g} to {high:g}", f"{value}", "Correct the value.")
        if min(self.width, self.height) < 16 or self.width % 2 or self.height % 2:
            raise SettingsError(
                "an even width and height of at least 16 pixels", f"{self.width} x {self.height}", "Correct the size."
            )

    @property
    def frame_count(self) -> int:
        """Number of frames of the clip."""
        return max(round(self.seconds * self.fps), 1)


_HEAD_BOX = np.array([[-1.32, -1.27], [1.32, -1.27], [-1.32, 1.97], [1.32, 1.97]])
"""Corners of all that expressions and turns of the head move, in coordinates of the face."""


class PortraitClip:
    """A portrait that moves as it is told.

    Parameters
    ----------
    portrait
        (h, w, 3) uint8 RGB.
    points
        (68, 2) landmarks of the face in pixels of the portrait.
    movements
        Expressions and blinks. Their displacements add where they overlap in time.
    settings
        How it is filmed.
    seed
        Of the head's walk and of the noise. Same seed, same clip.

    Raises
    ------
    InputError
        Where portrait or landmarks are unusable.
    """

    def __init__(
        self,
        portrait: Picture,
        points: Points,
        *,
        movements: Sequence[Movement] = (),
        settings: ClipSettings | None = None,
        seed: int = 0,
    ) -> None:
        self.settings = settings = settings or ClipSettings()
        self.movements = tuple(movements)
        self.seed = seed
        size = (settings.width, settings.height)
        self._source, self._margin, placed = place(portrait, check_points(points), size=size, iod_px=settings.iod_px)
        self.points: npt.NDArray[np.float64] = placed
        self._frame = face_frame(placed)
        self._lids = lids(placed)
        self._walk = HeadWalk(settings.head, seed=seed)
        shape = (settings.height, settings.width)
        self._grid = pixel_grid(shape)
        mask = np.ones(shape, np.float32) if settings.head.moving_background else head_mask(self._frame, shape)
        self._mask = mask[..., None]
        # The expression's field covers the head and no more; it may reach over the picture's border.
        corners = self._frame.pixels(_HEAD_BOX)
        self._left, self._top = np.floor(corners.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        self._field_shape = (bottom - self._top, right - self._left)
        self._yaw, self._pitch = depth_fields(self._frame, self._field_shape, left=self._left, top=self._top)
        self._fields = [self._movement_field(m) for m in self.movements]

    def _movement_field(self, movement: Movement) -> Grid | None:
        if movement.kind == "blink":
            return None
        return displacement_field(
            self.points,
            self._field_shape,
            movement.activations,
            peak_percent_iod=movement.peak_percent_iod,
            left=self._left,
            top=self._top,
        )

    @property
    def blink_peak_percent_iod(self) -> float:
        """How far a lid travels in a full blink, percent of the inter-ocular distance (the wider eye)."""
        return 100 * max(lid.opening() for lid in self._lids) / self._frame.iod

    def __len__(self) -> int:
        return self.settings.frame_count

    def frames(self) -> Iterator[Picture]:
        """Draw all frames, (h, w, 3) uint8 RGB, one after the other."""
        for index in range(len(self)):
            yield self.frame(index)

    def frame(self, index: int) -> Picture:
        """Draw one frame, (h, w, 3) uint8 RGB; frames may be drawn in any order."""
        time_s = index / self.settings.fps
        x = self._neutral_positions(time_s)
        picture = self._sample(x)
        closure = self._closure(time_s)
        if closure > 0:
            for lid in self._lids:
                box = self._box(lid.corners(), time_s)
                source, cover = lid.backward(x[box], closure)
                skin = self._sample(np.asarray(source, np.float32))
                picture[box] = draw_lid(picture[box].astype(np.float32), skin.astype(np.float32), cover)
        return expose(picture, self.settings.camera, time_s=time_s, rng=frame_rng(self.seed, index))

    def flow(self, first: int, second: int) -> tuple[Grid, npt.NDArray[np.bool_]]:
        """Return the true motion from one frame to another, on the pixels of the first.

        Returns
        -------
        flow
            (h, w, 2) float32 pixels (right, down): what is at ``z`` in the first frame is at ``z + flow(z)`` in the
            second one, to about 0.01 pixel.
        visible
            (h, w) bool: False where a lid hides it in the second frame, and the flow says where it is behind the lid.
        """
        from_s, to_s = first / self.settings.fps, second / self.settings.fps
        x = self._neutral_positions(from_s)
        target, visible = self._move_lids(x, from_s, to_s)
        field, unturn = self._expression(to_s), self._unturning(to_s)
        y = target + sample_field(field, target, left=self._left, top=self._top)
        # Out of the pose is a formula (see _neutral_positions), into it is not: solve it as trace_back does.
        z = y.copy()
        for _ in range(60):
            before, z = z, y - self._mask_at(z) * cv2.transform(z, unturn)
            if float(np.abs(z - before).max()) < 0.002:
                break
        return z - self._grid, visible

    def _move_lids(self, x: Grid, from_s: float, to_s: float) -> tuple[Grid, npt.NDArray[np.bool_]]:
        """Positions in the neutral face, and whether they are seen, after the lids moved between two instants."""
        closure_from, closure_to = self._closure(from_s), self._closure(to_s)
        target, visible = x.copy(), np.ones(x.shape[:2], np.bool_)
        if closure_from == closure_to:
            return target, visible
        for lid in self._lids:
            box = self._box(lid.corners(), from_s)
            here = x[box]
            skin = np.asarray(here, np.float64)
            covered = np.zeros(here.shape[:2], np.bool_)
            if closure_from > 0:
                skin, cover = lid.backward(here, closure_from)
                covered = cover >= 0.5
            else:
                covered = lid.is_skin(here)
            moved = lid.forward(skin, closure_to) if closure_to > 0 else skin
            hidden = lid.backward(here, closure_to)[1] >= 0.5 if closure_to > 0 else np.zeros_like(covered)
            target[box] = np.where(covered[..., None], moved, here)
            visible[box] = covered | ~hidden
        return target, visible

    def _neutral_positions(self, time_s: float) -> Grid:
        """Position (h, w, 2) in the neutral portrait of what every pixel of a frame shows, lids aside."""
        x = self._grid + self._mask * cv2.transform(self._grid, self._unturning(time_s))
        head = self._box(self._frame.pixels(_HEAD_BOX), time_s)
        x[head] = trace_back(self._expression(time_s), x[head], left=self._left, top=self._top)
        return x

    def _box(self, corners: npt.NDArray[np.float64], time_s: float) -> tuple[slice, slice]:
        """Rows and columns of a frame that hold what lies between corners (4, 2) of the neutral portrait."""
        matrix = head_transform(self._walk.pose(time_s), self._frame)
        moved = corners @ matrix[:, :2].T + matrix[:, 2]
        margin = 0.06 * self._frame.iod  # for the room's give and take, and for what expressions move
        left, top = np.maximum(np.floor(moved.min(axis=0) - margin), 0).astype(int).tolist()
        right, bottom = np.maximum(np.ceil(moved.max(axis=0) + margin), 0).astype(int).tolist()
        return slice(top, bottom), slice(left, right)

    def _unturning(self, time_s: float) -> npt.NDArray[np.float32]:
        """Map (2, 3) that takes a pixel of a frame to the shift which undoes the head's pose there."""
        undo = invert_transform(head_transform(self._walk.pose(time_s), self._frame))
        return np.asarray(undo - np.eye(2, 3), np.float32)

    def _expression(self, time_s: float) -> Grid:
        """Forward field of all movements and of the head's turns out of the picture plane."""
        pose = self._walk.pose(time_s)
        total = self._yaw * np.float32(pose.yaw) + self._pitch * np.float32(pose.pitch)
        for movement, shape in zip(self.movements, self._fields, strict=True):
            strength = movement.profile(time_s)
            if shape is not None and strength > 0:
                total += shape * np.float32(strength)
        return total

    def _closure(self, time_s: float) -> float:
        return max((m.profile(time_s) for m in self.movements if m.kind == "blink"), default=0.0)

    def _sample(self, x: Grid) -> Picture:
        """Colours of the neutral portrait at positions in pixels of the frame; the border is continued outwards."""
        fine = (x + np.float32(self._margin + 0.5)) * np.float32(OVERSAMPLING) - np.float32(0.5)
        return np.asarray(remap(self._source, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)

    def _mask_at(self, z: Grid) -> npt.NDArray[np.float32]:
        if self.settings.head.moving_background:
            return self._mask
        sampled = remap(self._mask, z, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(sampled[..., None], np.float32)
