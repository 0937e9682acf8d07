"""A portrait for tests: skin-like texture around a mean face. No person, no file."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import canonical_points

POINTS: npt.NDArray[np.float64] = canonical_points(140) + [60.0, 50.0]
"""(68, 2) landmarks of `portrait` in its pixels; inter-ocular distance about 104 pixels."""

SHAPE = (270, 260)


def portrait(seed: int = 0) -> npt.NDArray[np.uint8]:
    """Texture with detail at all sizes above 2 pixels (270, 260, 3), with dark eyes, brows and lips."""
    rng = np.random.default_rng(seed)
    texture = np.zeros(SHAPE, np.float32)
    for sigma, amplitude in ((1.2, 12.0), (3.0, 14.0), (8.0, 18.0)):
        noise = cv2.GaussianBlur(rng.standard_normal(SHAPE).astype(np.float32), (0, 0), sigma)
        texture += amplitude * noise / noise.std()
    skin = 150 + texture
    for part in (slice(17, 22), slice(22, 27), slice(36, 42), slice(42, 48), slice(48, 60)):
        hull = cv2.convexHull(POINTS[part].astype(np.float32)).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros(SHAPE, np.float32), hull, 1.0)
        skin -= 60 * cv2.GaussianBlur(mask, (0, 0), 1.5)
    rgb = skin[..., None] * np.array([1.0, 0.85, 0.75], np.float32)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
