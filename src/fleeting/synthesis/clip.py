"""A filmed portrait: any frame of it, and the exact flow between any two.

A pixel of a frame is traced back to the neutral portrait by `FaceMotion`; where eyes look elsewhere or a lid lies over
an eye, these are drawn on top, in this order. The neutral portrait is kept at
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
from fleeting.records import LID_KINDS
from fleeting.synthesis.camera import CameraSettings, expose, frame_rng
from fleeting.synthesis.face.blink import Lid, draw_lid, lids
from fleeting.synthesis.face.disturbances import NO_DISTURBANCES, Disturbances
from fleeting.synthesis.face.frame import Grid, Points, check_points, face_frame
from fleeting.synthesis.face.gaze import LID_FOLLOWS, Eyeball, eyeball
from fleeting.synthesis.face.head import HeadSettings
from fleeting.synthesis.face.motion import FaceMotion
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.warp import remap
from fleeting.synthesis.portrait import OVERSAMPLING, place

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


class PortraitClip:
    """A portrait that moves as it is told.

    Parameters
    ----------
    portrait
        (h, w, 3) uint8 RGB.
    points
        (68, 2) landmarks of the face in pixels of the portrait.
    movements
        Expressions, blinks and winks. Their displacements add where they overlap in time.
    settings
        How it is filmed.
    disturbances
        What else happens.
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
        disturbances: Disturbances = NO_DISTURBANCES,
        seed: int = 0,
    ) -> None:
        self.settings = settings = settings or ClipSettings()
        self.movements = tuple(movements)
        self.disturbances = disturbances
        self.seed = seed
        size = (settings.width, settings.height)
        self._source, self._margin, placed = place(portrait, check_points(points), size=size, iod_px=settings.iod_px)
        self.points: npt.NDArray[np.float64] = placed
        self._iod = face_frame(placed).iod
        self._lids = lids(placed)
        self._eyes: tuple[Eyeball, ...] = ()
        if disturbances.saccades:
            offset = self._margin + 0.5 - 0.5 / OVERSAMPLING
            self._eyes = tuple(
                eyeball(lid, self._source, scale=OVERSAMPLING, offset=offset, iod=self._iod) for lid in self._lids
            )
        self._motion = FaceMotion(
            placed,
            (settings.height, settings.width),
            movements=[m for m in self.movements if m.kind not in LID_KINDS],
            disturbances=disturbances,
            head=settings.head,
            seed=seed,
        )

    @property
    def blink_peak_percent_iod(self) -> float:
        """How far a lid travels in a full blink, percent of the inter-ocular distance (the wider eye)."""
        return 100 * max(lid.opening() for lid in self._lids) / self._iod

    def __len__(self) -> int:
        return self.settings.frame_count

    def frames(self) -> Iterator[Picture]:
        """Draw all frames, (h, w, 3) uint8 RGB, one after the other; what `Disturbances.dropped` names too."""
        for index in range(len(self)):
            yield self.frame(index)

    def frame(self, index: int) -> Picture:
        """Draw one frame, (h, w, 3) uint8 RGB; frames may be drawn in any order."""
        index = self.disturbances.shown(index)
        time_s = index / self.settings.fps
        x = self._motion.backward(time_s)
        picture = self._sample(x)
        self._draw_eyes(picture, x, time_s)
        self._draw_lids(picture, x, time_s)
        blur_px = self.disturbances.lens(time_s)[1] / 100 * self._iod
        if blur_px > 0:
            # Below a fifth of a pixel OpenCV's kernel has one tap; the exact kernel hardly differs from it.
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(blur_px, 0.1)), np.uint8)
        return expose(picture, self.settings.camera, time_s=time_s, rng=frame_rng(self.seed, index))

    def _draw_eyes(self, picture: Picture, x: Grid, time_s: float) -> None:
        gaze = np.array(self.disturbances.gaze(time_s)) / 100
        if not self._eyes or not gaze.any():
            return
        shift = face_frame(self.points).vector(gaze)
        for eye in self._eyes:
            box = self._motion.box(eye.lid.corners(), time_s)
            ball = self._sample(np.asarray(eye.source(x[box], shift), np.float32))
            picture[box] = draw_lid(picture[box].astype(np.float32), ball.astype(np.float32), eye.opening(x[box]))

    def _draw_lids(self, picture: Picture, x: Grid, time_s: float) -> None:
        for lid in self._lids:
            closure = self._closure(time_s, lid)
            if closure > 0:
                box = self._motion.box(lid.corners(), time_s)
                source, cover = lid.backward(x[box], closure)
                skin = self._sample(np.asarray(source, np.float32))
                picture[box] = draw_lid(picture[box].astype(np.float32), skin.astype(np.float32), cover)

    def flow(self, first: int, second: int) -> tuple[Grid, npt.NDArray[np.bool_]]:
        """Return the true motion from one frame to another, on the pixels of the first.

        Returns
        -------
        flow
            (h, w, 2) float32 pixels (right, down): what is at ``z`` in the first frame is at ``z + flow(z)`` in the
            second one, to about 0.01 pixel.
        visible
            (h, w) bool: False where a lid hides it in the second frame, and the flow says where it is behind the lid;
            and in eyes that look elsewhere in the second frame, whose own motion the flow does not tell.
        """
        from_s, to_s = (self.disturbances.shown(i) / self.settings.fps for i in (first, second))
        x = self._motion.backward(from_s)
        target, visible = self._move_lids(x, from_s, to_s)
        if self.disturbances.gaze(from_s) != self.disturbances.gaze(to_s):
            for eye in self._eyes:
                visible &= eye.opening(x) <= 0
        return self._motion.forward(target, to_s) - self._motion.grid, visible

    def _move_lids(self, x: Grid, from_s: float, to_s: float) -> tuple[Grid, npt.NDArray[np.bool_]]:
        """Positions in the neutral face, and whether they are seen, after the lids moved between two instants."""
        target, visible = x.copy(), np.ones(x.shape[:2], np.bool_)
        for lid in self._lids:
            closure_from, closure_to = self._closure(from_s, lid), self._closure(to_s, lid)
            if closure_from == closure_to:
                continue
            box = self._motion.box(lid.corners(), from_s)
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

    def _closure(self, time_s: float, lid: Lid) -> float:
        """Share of an eye's opening by which its lid is down: by blinks or winks, or because the eyes look down."""
        side = "right" if lid is self._lids[0] else "left"
        closing = [m for m in self.movements if m.kind == "blink" or (m.kind == "wink" and m.side == side)]
        blink = max((m.closure * m.profile(time_s) for m in closing), default=0.0)
        lowered = LID_FOLLOWS * self.disturbances.gaze(time_s)[1] / 100 * self._iod
        return max(blink, min(lowered / max(lid.opening(), 1e-6), 0.6), 0.0)

    def _sample(self, x: Grid) -> Picture:
        """Colours of the neutral portrait at positions in pixels of the frame; the border is continued outwards."""
        fine = x * np.float32(OVERSAMPLING)
        fine += np.float32((self._margin + 0.5) * OVERSAMPLING - 0.5)
        return np.asarray(remap(self._source, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
