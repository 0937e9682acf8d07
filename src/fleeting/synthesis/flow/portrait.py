"""A portrait with what can move on it: sets of action units, and the lids in a blink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.ibug import MIRROR
from fleeting.synthesis.face.action_units import ACTION_UNITS, patch_field
from fleeting.synthesis.face.blink import draw_lid, lids
from fleeting.synthesis.face.frame import Grid, face_frame, pixel_grid
from fleeting.synthesis.face.warp import sample_picture

SIDE = 192
"""Side in pixels of a kept portrait, the face in its middle."""

MOST_IOD = 88.0
"""Largest inter-ocular distance in pixels of a kept portrait: the whole face fits."""

STEP = 2
"""Fields are kept at every second pixel of every second row; they are smooth."""

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FlowPortrait:
    """A portrait with what can move on it. Lengths in pixels of the portrait.

    Attributes
    ----------
    grey
        (`SIDE`, `SIDE`) uint8.
    points
        (68, 2) float32 landmarks.
    fields
        (k, h, w, 2) float16 displacements of sets of action units at every `STEP`-th pixel, largest length 1.
    blinked
        (`SIDE`, `SIDE`) uint8: the same face with its lids lowered.
    lid
        (`SIDE`, `SIDE`, 2) float16: where the skin of the lids went; 0 elsewhere, also on the eye that it hides.
    person
        As `people.part_of` takes it.
    """

    grey: Grey
    points: npt.NDArray[np.float32]
    fields: npt.NDArray[np.float16]
    blinked: Grey
    lid: npt.NDArray[np.float16]
    person: str


def flow_portrait(
    grey: Grey, points: npt.NDArray[np.floating], person: str, *, fields: int, seed: Sequence[int]
) -> FlowPortrait:
    """Place a portrait, and compute what can move on it.

    Parameters
    ----------
    grey
        (h, w) uint8.
    points
        (68, 2) landmarks in its pixels.
    person
        Id of the person.
    fields
        Sets of action units.
    seed
        Of what is drawn.
    """
    rng = np.random.default_rng(list(seed))
    grey, points = _placed(grey, np.asarray(points, np.float64))
    unit = np.stack([_field((points + 0.5) / STEP - 0.5, rng) for _ in range(fields)])
    blinked, lid = _blink(grey, points, float(rng.uniform(0.05, 1.0) ** 1.5))
    return FlowPortrait(
        grey, points.astype(np.float32), unit.astype(np.float16), blinked, lid.astype(np.float16), person
    )


def _placed(grey: Grey, points: npt.NDArray[np.float64]) -> tuple[Grey, npt.NDArray[np.float64]]:
    """Put the face into the middle of a square; a large one is made smaller, none is made larger."""
    iod = face_frame(points).iod
    scale = min(MOST_IOD / iod, 1.0)
    if scale < 0.7:
        size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
        points = (points + 0.5) * (np.array(size) / grey.shape[1::-1]) - 0.5
        grey, scale = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), 1.0
    middle = (points.min(0) + points.max(0)) / 2
    # By whole pixels where the size stays, so that the picture is not interpolated.
    shift = np.round((SIDE - 1) / 2 - middle * scale)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    flags = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_NEAREST
    placed = cv2.warpAffine(grey, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(placed, np.uint8), points * scale + shift


def _field(points: npt.NDArray[np.float64], rng: np.random.Generator) -> Grid:
    """Draw a movement: one to four action units, some of them on one side; its largest length is 1."""
    shape = (SIDE // STEP, SIDE // STEP)
    turned = points[MIRROR] * (-1, 1) + (shape[1] - 1, 0)
    total = np.zeros((*shape, 2), np.float32)
    for name in rng.choice(list(ACTION_UNITS), size=int(rng.integers(1, 5)), replace=False):
        unit, weight = ACTION_UNITS[str(name)], np.exp(rng.normal(0, 0.4))
        left, right = ((1, 1), (1, 1), (1, 0), (0, 1))[int(rng.integers(4))]
        for patch in unit.patches:
            if left or unit.midline:
                total += np.float32(weight) * patch_field(points, shape, patch)
            if right and not unit.midline:
                total += np.float32(weight) * patch_field(turned, shape, patch)[:, ::-1] * np.array([-1, 1], np.float32)
    return np.asarray(total / max(float(np.hypot(total[..., 0], total[..., 1]).max()), 1e-6), np.float32)


def _blink(grey: Grey, points: npt.NDArray[np.float64], closure: float) -> tuple[Grey, Grid]:
    picture, moved = grey.astype(np.float32)[..., None], np.zeros((SIDE, SIDE, 2), np.float32)
    grid = pixel_grid((SIDE, SIDE))
    for lid in lids(points):
        corners = lid.corners()
        low = np.clip(np.floor(corners.min(0)).astype(int), 0, SIDE - 1)
        high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 1, SIDE)
        box = slice(low[1], high[1]), slice(low[0], high[0])
        xy = grid[box]
        if not xy.size:
            continue
        source, cover = lid.backward(xy, closure)
        above = sample_picture(picture, source.astype(np.float32))
        picture[box] = draw_lid(picture[box], above, cover)
        skin = lid.is_skin(xy)
        moved[box][skin] = (lid.forward(xy, closure) - xy)[skin]
    return picture[..., 0].astype(np.uint8), moved
