"""Flow images of movements whose class and sides are known, without a picture or a measured flow."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_WIDTH, canonical_points
from fleeting.labels import THREE_CLASSES
from fleeting.motion.flow_image import SIZE, flow_image
from fleeting.synthesis.face.action_units import ACTION_UNITS
from fleeting.training.action_units.moved_portraits import MARGIN, displacement, unit_fields
from fleeting.training.action_units.movements import CLASS_ACTION_UNITS, NAMES, Movement

ERROR = 0.15
"""Of the flow, smooth over 6 pixels, in parts of the largest displacement."""


def moved_flow(
    count: int, *, faces: int = 2, one_sided: float = 0.2, error: float = ERROR, seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return images (count, 28, 28, 3) and their classes (count,), all three equally frequent."""
    rng = np.random.default_rng(seed)
    points = canonical_points(CANONICAL_WIDTH)
    people = [unit_fields(points + rng.normal(0, 1, points.shape)) for _ in range(faces)]
    label = rng.permutation(np.arange(count) % len(THREE_CLASSES))
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for image, k in zip(images, label, strict=True):
        sets = CLASS_ACTION_UNITS[THREE_CLASSES[k]]
        sides = np.ones(2)
        if rng.random() < one_sided:
            sides[rng.integers(2)] = 0
        weights = np.zeros((len(NAMES), 2), np.float32)
        for name in sets[rng.integers(len(sets))].split("+"):
            weights[NAMES.index(name)] = (1 if ACTION_UNITS[name].midline else sides) * np.exp(rng.normal(0, 0.3))
        movement = Movement(weights, np.zeros((0, 2), np.int64))
        flow = displacement(people[rng.integers(faces)], movement, peak_px=1.0)[MARGIN:-MARGIN, MARGIN:-MARGIN]
        noise = cv2.GaussianBlur(rng.standard_normal(flow.shape, np.float32), (0, 0), 6)
        image[:] = flow_image(flow + noise * np.float32(error / noise.std()))
    return images, label.astype(np.int64)
