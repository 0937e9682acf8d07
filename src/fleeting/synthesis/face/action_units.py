"""Action units as smooth displacement fields of the skin.

Every action unit is a sum of patches. A patch has a centre (the mean of some landmarks, shifted in the face's frame), a
direction, and an elliptic support on which the displacement falls as ``(1 - r^2)^3``: twice differentiable, and exactly
zero outside, so that what an action unit does not touch does not move. The idea of a muscle as a region of influence
with a direction of pull is that of K. Waters, "A muscle model for animating three-dimensional facial expression",
SIGGRAPH 1987, section 4; which way each unit moves the skin is that of P. Ekman and W. V. Friesen, "Facial Action
Coding System", 1978 (the appearance changes listed for each unit; the muscle is named beside each entry). The sizes of
the patches are ours, chosen by eye on portraits.

A field is a forward displacement: a point of the neutral picture at ``x`` moves to ``x + field(x)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from fleeting.errors import SettingsError
from fleeting.faces.ibug import MIRROR
from fleeting.synthesis.face.frame import Grid, Points, check_points, face_frame, pixel_grid

Side = Literal["both", "left", "right"]
SIDES: tuple[str, ...] = get_args(Side)


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch of skin of the person's left half, or of the midline.

    Attributes
    ----------
    anchor
        iBUG points of the person's left half (or midline) whose mean is the centre.
    pull
        Displacement (outwards, downwards) at the centre, relative to the unit's other patches.
    radii
        Half axes (outwards, downwards) of the support, in inter-ocular distances.
    shift
        Shift (outwards, downwards) of the centre, in inter-ocular distances.
    """

    anchor: tuple[int, ...]
    pull: tuple[float, float]
    radii: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """An action unit: its FACS name, its muscle, its patches; those of the midline have no side."""

    name: str
    muscle: str
    patches: tuple[Patch, ...]
    midline: bool = False


@dataclass(frozen=True, slots=True)
class Activation:
    """An action unit of `ACTION_UNITS` with its weight beside others, and the person's own side."""

    unit: str
    side: Side = "both"
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.unit not in ACTION_UNITS:
            raise SettingsError(f"an action unit of {', '.join(ACTION_UNITS)}", f"'{self.unit}'", "Write AU12 for 12.")
        if self.side not in SIDES:
            raise SettingsError(f"a side of {', '.join(SIDES)}", f"'{self.side}'", "Left and right are the person's.")
        if self.side != "both" and ACTION_UNITS[self.unit].midline:
            raise SettingsError(f"no side for {self.unit}, which lies on the midline", self.side, "Leave the side out.")
        if not 0 < self.weight < np.inf:
            raise SettingsError(f"a positive weight for {self.unit}", f"{self.weight}", "Correct the weight.")


_UPPER_LID, _LOWER_LID = (43, 44), (46, 47)

_UNITS = (
    ActionUnit(
        "inner brow raiser",
        "frontalis, pars medialis",
        (
            Patch((22, 23), (-0.05, -1.0), (0.24, 0.24), (-0.02, -0.03)),
            Patch((22,), (0, -0.5), (0.28, 0.26), (0, -0.2)),
        ),
    ),
    ActionUnit(
        "outer brow raiser",
        "frontalis, pars lateralis",
        (Patch((24, 25), (0.1, -1.0), (0.26, 0.22), (0.03, -0.02)), Patch((24,), (0, -0.4), (0.3, 0.24), (0.02, -0.2))),
    ),
    ActionUnit(
        "brow lowerer",
        "corrugator supercilii, depressor supercilii, procerus",
        (
            Patch((22, 23), (-0.55, 0.83), (0.24, 0.22), (0, -0.02)),
            Patch((24,), (-0.3, 0.5), (0.24, 0.18)),
            Patch((22,), (-0.15, 0.3), (0.26, 0.22), (0, -0.2)),
        ),
    ),
    ActionUnit("upper lid raiser", "levator palpebrae superioris", (Patch(_UPPER_LID, (0, -1.0), (0.2, 0.1)),)),
    ActionUnit(
        "cheek raiser",
        "orbicularis oculi, pars orbitalis",
        (
            Patch(_LOWER_LID, (-0.1, -1.0), (0.3, 0.2), (0.04, 0.2)),
            Patch((45,), (-0.6, 0.1), (0.16, 0.16), (0.12, 0.02)),
            Patch(_LOWER_LID, (0, -0.35), (0.2, 0.1)),
        ),
    ),
    ActionUnit(
        "lid tightener",
        "orbicularis oculi, pars palpebralis",
        (Patch(_LOWER_LID, (-0.15, -1.0), (0.2, 0.11), (0, 0.01)), Patch(_UPPER_LID, (0, 0.25), (0.2, 0.1))),
    ),
    ActionUnit(
        "nose wrinkler",
        "levator labii superioris alaeque nasi",
        (
            Patch((35,), (-0.1, -1.0), (0.18, 0.26), (0.02, -0.06)),
            Patch((52,), (0, -0.5), (0.2, 0.14)),
            Patch((27, 42), (-0.2, 0.35), (0.14, 0.18), (0, -0.06)),
        ),
    ),
    ActionUnit(
        "upper lip raiser",
        "levator labii superioris",
        (Patch((52,), (0.05, -1.0), (0.22, 0.15), (0.04, -0.01)), Patch((35,), (0.1, -0.5), (0.2, 0.2), (0.14, 0.04))),
    ),
    ActionUnit(
        "lip corner puller",
        "zygomaticus major",
        (Patch((54,), (0.7, -0.7), (0.26, 0.26)), Patch((54,), (0.25, -0.5), (0.26, 0.24), (0.1, -0.22))),
    ),
    ActionUnit(
        "dimpler",
        "buccinator",
        (Patch((54,), (0.6, -0.05), (0.17, 0.16)), Patch((54,), (-1.0, 0), (0.18, 0.22), (0.2, 0))),
    ),
    ActionUnit(
        "lip corner depressor",
        "depressor anguli oris (triangularis)",
        (Patch((54,), (0.2, 1.0), (0.2, 0.22)), Patch((54,), (0.1, 0.5), (0.2, 0.2), (0.02, 0.16))),
    ),
    ActionUnit(
        "chin raiser",
        "mentalis",
        (Patch((8,), (0, -1.0), (0.3, 0.26), (0, -0.14)), Patch((57,), (0, -0.7), (0.3, 0.12))),
        midline=True,
    ),
    ActionUnit("lip stretcher", "risorius", (Patch((54,), (1.0, 0.12), (0.26, 0.22)),)),
    ActionUnit(
        "lip tightener",
        "orbicularis oris",
        (
            Patch((54,), (-0.9, 0), (0.22, 0.14)),
            Patch((52,), (-0.1, 0.5), (0.18, 0.08)),
            Patch((56,), (-0.1, -0.5), (0.18, 0.09)),
        ),
    ),
    ActionUnit(
        "lips part",
        "depressor labii inferioris, relaxation of mentalis",
        (Patch((57,), (0, 1.0), (0.3, 0.17), (0, 0.03)), Patch((51,), (0, -0.25), (0.26, 0.1))),
        midline=True,
    ),
    ActionUnit(
        "jaw drop",
        "masseter, temporalis and pterygoid relaxed",
        (Patch((8,), (0, 1.0), (0.5, 0.42), (0, -0.18)), Patch((57,), (0, 0.6), (0.34, 0.2), (0, 0.06))),
        midline=True,
    ),
    ActionUnit(
        "eyes closed",
        "levator palpebrae superioris relaxed",
        (Patch(_UPPER_LID, (0, 1.0), (0.21, 0.11)),),
    ),
)
_NUMBERS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 43)

ACTION_UNITS: dict[str, ActionUnit] = {f"AU{n:02d}": unit for n, unit in zip(_NUMBERS, _UNITS, strict=True)}
"""Action units by name. AU43 is a drooping lid of any size; a full blink (AU45) hides the eye (`face.blink`)."""


def displacement_field(
    points: Points,
    shape: tuple[int, int],
    activations: Sequence[Activation],
    *,
    peak_percent_iod: float,
    left: int = 0,
    top: int = 0,
) -> Grid:
    """Forward displacement of every pixel of a neutral picture.

    Parameters
    ----------
    points
        (68, 2) landmarks in pixels of the picture.
    shape
        Height and width of the field.
    activations
        Action units that act together; their fields are added with their weights.
    peak_percent_iod
        Length of the largest displacement of the sum, percent of the inter-ocular distance.
    left, top
        Pixel of the picture at the field's first column and row.

    Returns
    -------
    numpy.ndarray
        (h, w, 2) float32 pixels, x then y: what is at ``x`` in the neutral picture is at ``x + field(x)`` afterwards.

    Raises
    ------
    SettingsError
        Without activations, or with a negative peak.
    InputError
        Where the landmarks are unusable.
    """
    if not activations:
        raise SettingsError("at least one action unit", "none", f"Choose of {', '.join(ACTION_UNITS)}.")
    if not 0 <= peak_percent_iod < np.inf:
        raise SettingsError("a peak of 0 or more percent", f"{peak_percent_iod}", "Correct the peak displacement.")
    points = check_points(points)
    frame = face_frame(points)
    landmarks = frame.coordinates(points)
    scale = peak_percent_iod / 100 / _largest(np.round(landmarks, 5).tobytes(), tuple(activations))
    coordinates = frame.coordinates(pixel_grid(shape, left=left, top=top))
    total = _sum(landmarks, activations, coordinates)
    return (frame.vector(total) * scale).astype(np.float32)


def patch_field(points: Points, shape: tuple[int, int], patch: Patch, *, left: int = 0, top: int = 0) -> Grid:
    """Forward displacement of one patch whose pull is in percent of the inter-ocular distance.

    Parameters
    ----------
    points, shape, left, top
        As in `displacement_field`.
    patch
        On the person's left half or the midline; the other half stays.
    """
    points = check_points(points)
    frame = face_frame(points)
    coordinates = frame.coordinates(pixel_grid(shape, left=left, top=top))
    field = np.zeros(coordinates.shape)
    _add_patch(field, patch, frame.coordinates(points), coordinates, 1)
    return (frame.vector(field) / 100).astype(np.float32)


@lru_cache(maxsize=64)
def _largest(landmarks: bytes, activations: tuple[Activation, ...]) -> float:
    """Largest length of the sum of patches, on a grid that depends on the face alone, not on the picture.

    Remembered, since a face that moves without changing its shape is the same face in its own coordinates.
    """
    points = np.frombuffer(landmarks).reshape(68, 2)
    rows = np.arange(points[:, 1].min() - 0.5, points[:, 1].max() + 0.5, 0.01)
    grid = np.stack(np.meshgrid(np.arange(-1.2, 1.2, 0.01), rows), axis=-1)
    return float(np.hypot(*np.moveaxis(_sum(points, activations, grid), -1, 0)).max())


def _sum(
    landmarks: npt.NDArray[np.float64], activations: Sequence[Activation], coordinates: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Unscaled sum of the activations' patches at coordinates of the face (..., 2)."""
    total = np.zeros(coordinates.shape)
    for activation in activations:
        unit = ACTION_UNITS[activation.unit]
        for side in (1,) if unit.midline else (1, -1):  # 1 is the person's left, towards which `across` points
            if activation.side == ("right" if side > 0 else "left"):
                continue
            field = np.zeros(coordinates.shape)
            for patch in unit.patches:
                _add_patch(field, patch, landmarks, coordinates, side)
            if activation.side != "both":
                field *= _half(coordinates[..., 0] * side)[..., None]
            total += activation.weight * field
    return total


def _add_patch(
    field: npt.NDArray[np.float64],
    patch: Patch,
    landmarks: npt.NDArray[np.float64],
    coordinates: npt.NDArray[np.float64],
    side: int,
) -> None:
    anchor = patch.anchor if side > 0 else tuple(MIRROR[list(patch.anchor)])
    centre = landmarks[list(anchor)].mean(axis=0) + np.array([patch.shift[0] * side, patch.shift[1]])
    radius2 = (((coordinates - centre) / patch.radii) ** 2).sum(axis=-1)
    weight = np.clip(1 - radius2, 0, None) ** 3
    field += weight[..., None] * np.array([patch.pull[0] * side, patch.pull[1]])


def _half(across: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """0 on the other side of the midline, 1 on the own side, smooth over 0.12 inter-ocular distances between."""
    t = np.clip(across / 0.12 + 0.5, 0, 1)
    return t * t * (3 - 2 * t)
