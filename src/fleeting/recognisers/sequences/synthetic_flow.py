"""Flow of synthetic movements: what is known of faces, before any face is seen.

Displacement fields of action units (`synthesis.face.action_units`) on a mean face whose proportions vary are added up
and disturbed the way measured flow is: errors that are smooth at several scales, what is left of head motion, blinks,
small other movements. No picture of a person and no label of a data set goes in.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import canonical_points, crop_size
from fleeting.faces.ibug import MIRROR
from fleeting.motion.flow_image import SIZE
from fleeting.synthesis.face.action_units import ACTION_UNITS, ActionUnit, patch_field
from fleeting.training.action_units.movements import CLASS_ACTION_UNITS

_WIDTH = 2 * SIZE
_HEIGHT = crop_size(_WIDTH)[0]


@dataclass(frozen=True, slots=True)
class SyntheticSettings:
    """How synthetic flow is drawn. Lengths are relative to the largest displacement of the movement.

    Attributes
    ----------
    count
        Number of movements, classes of equal frequency.
    faces
        Number of face shapes.
    proportion
        Standard deviation of a face's height and width, as a share.
    jitter
        Standard deviation of each landmark, in pixels of the crop of width 56.
    one_sided
        Probability that a movement shows on one side only.
    weight_spread
        Standard deviation of the logarithm of a unit's weight.
    other_units
        Expected number of other, smaller units.
    blink
        Probability of a lid movement up to three times as large as the expression.
    noise
        Median size of all errors; its logarithm has a standard deviation of 0.5.
    head
        Shift and linear change across the face that are left of head motion, in units of `noise`.
    """

    count: int = 8000
    faces: int = 80
    proportion: float = 0.04
    jitter: float = 0.35
    one_sided: float = 0.25
    weight_spread: float = 0.4
    other_units: float = 0.5
    blink: float = 0.3
    noise: float = 1.0
    head: float = 0.15


_UNIT_NAMES = tuple(ACTION_UNITS)
_BLINK = _UNIT_NAMES.index("AU43")
_ERRORS = ((8.0, 0.12), (4.0, 0.12), (1.5, 0.08))
"""Smoothness in pixels and size of the parts of the error."""


def face_fields(settings: SyntheticSettings, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw face shapes, and return what each unit moves in them: (faces, units, 2 sides, h, w, 2)."""
    return np.stack([_unit_fields(_face(settings, rng)) for _ in range(settings.faces)])


def movement(
    faces: npt.NDArray[np.float32], name: str, settings: SyntheticSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw a movement (h, w, 2) of a class on one of the faces; its largest displacement is 1, a blink aside."""
    fields = faces[rng.integers(len(faces))]
    weights = _weights(name, settings, rng)
    moving = np.flatnonzero(weights.any(1))
    flow = np.tensordot(weights[moving].astype(np.float32), fields[moving], ((0, 1), (0, 1)))
    flow /= max(float(np.hypot(flow[..., 0], flow[..., 1]).max()), 1e-6)
    if rng.random() < settings.blink:
        flow += rng.uniform(-1, 3) * fields[_BLINK].sum(0)
    return np.asarray(flow)


def _face(settings: SyntheticSettings, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    points = canonical_points(_WIDTH)
    middle = points.mean(0)
    points = (points - middle) * rng.normal(1, settings.proportion, 2) + middle + rng.normal(0, 1, 2)
    return np.asarray(points + rng.normal(0, settings.jitter, points.shape))


def _unit_fields(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Fields of every unit (units, 2 sides, h, w, 2); the two sides of a midline unit are its halves."""
    turned = points[MIRROR] * (-1, 1) + (_WIDTH - 1, 0)
    left = np.stack([_unit_field(points, unit) for unit in ACTION_UNITS.values()])
    right = np.stack([_unit_field(turned, unit) for unit in ACTION_UNITS.values()])[:, :, ::-1] * (-1, 1)
    fields = np.stack([left, right], 1)
    fields[[unit.midline for unit in ACTION_UNITS.values()]] /= 2
    return np.asarray(fields, np.float32)


def _unit_field(points: npt.NDArray[np.float64], unit: ActionUnit) -> npt.NDArray[np.float32]:
    fields = [patch_field(points.astype(np.float32), (_HEIGHT, _WIDTH), patch) for patch in unit.patches]
    # From percent of the inter-ocular distance to about 1 at the largest place of a unit.
    return np.asarray(sum(fields) * 100 / np.linalg.norm(points[45] - points[36]), np.float32)


def _weights(name: str, settings: SyntheticSettings, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Weight of every unit on either side (units, 2)."""
    weights = np.zeros((len(_UNIT_NAMES), 2))
    sides = np.ones(2)
    if rng.random() < settings.one_sided:
        sides[rng.integers(2)] = 0
    sides = sides * np.exp(rng.normal(0, 0.25, 2))
    sets = CLASS_ACTION_UNITS[name]
    for unit in sets[rng.integers(len(sets))].split("+"):
        both = np.ones(2) if ACTION_UNITS[unit].midline else sides
        weights[_UNIT_NAMES.index(unit)] = both * np.exp(rng.normal(0, settings.weight_spread))
    for _ in range(rng.poisson(settings.other_units)):
        weights[rng.integers(len(_UNIT_NAMES))] += 0.3 * np.exp(rng.normal(0, settings.weight_spread))
    return weights


def flow_error(settings: SyntheticSettings, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Error of a measured flow (h, w, 2)."""
    size = settings.noise * np.exp(rng.normal(0, 0.5))
    error = np.zeros((_HEIGHT, _WIDTH, 2), np.float32)
    for smooth, part in _ERRORS:
        field = cv2.GaussianBlur(rng.standard_normal(error.shape, np.float32), (0, 0), smooth)
        error += field * np.float32(part / field.std())
    down, across = np.linspace(-1, 1, _HEIGHT)[:, None, None], np.linspace(-1, 1, _WIDTH)[None, :, None]
    shift, by_row, by_column = rng.normal(size=(3, 2)) * settings.head
    return np.asarray(size * (error + shift + by_row * down + by_column * across))
