"""Displacements back out of a flow image, and its main directions in the 36 regions of the face.

A flow image has u, v and strain each stretched to 0..255 by itself. The zero of u and v is the median of the channel,
since most of a face does not move; the size of u against v is the ratio whose optical strain looks most like the
strain that was published (`axis_ratio`).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.align import crop_size
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.motion.revised_flow import region_vectors, towards_apex
from fleeting.motion.strain import optical_strain

RATIOS: npt.NDArray[np.float64] = np.geomspace(1 / 4, 4, 33)
"""Ranges of u against that of v that are tried."""


def image_directions(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the main directions of a flow image (28, 28, 3) uint8: x and y of region after region, (72,) float32.

    Raises
    ------
    InputError
        For another shape or type.
    """
    return towards_apex(region_vectors(centred_flow(image)[None])).ravel()


def centred_flow(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return u and v of a flow image about their medians, u made as large against v as the strain says.

    Parameters
    ----------
    image
        (28, 28, 3) uint8, channels strain, v, u.

    Returns
    -------
    (28, 28, 2) float32
        x then y; the range of v is 1.

    Raises
    ------
    InputError
        For another shape or type.
    """
    if image.dtype != np.uint8 or image.shape != (SIZE, SIZE, len(CHANNELS)):
        raise InputError(
            f"a flow image ({SIZE}, {SIZE}, {len(CHANNELS)}) uint8",
            f"{image.dtype} {image.shape}",
            "Make it with motion.flow_image.flow_image.",
        )
    values = image.astype(np.float32) / 255
    u, v = (values[..., CHANNELS.index(name)] - np.median(values[..., CHANNELS.index(name)]) for name in ("u", "v"))
    return np.stack([u * np.float32(axis_ratio(image)), v], axis=-1)


def axis_ratio(image: npt.NDArray[np.uint8]) -> float:
    """Return the range of u over the range of v: the one of `RATIOS` whose optical strain correlates best.

    1 where nothing can be told: the strain, or one of both axes, is the same everywhere.

    Parameters
    ----------
    image
        (28, 28, 3) uint8, channels strain, v, u.
    """
    values = image.astype(np.float32) / 255
    strain, v, u = (values[..., CHANNELS.index(name)] for name in CHANNELS)
    if min(float(np.ptp(c)) for c in (strain, v, u)) < 1e-6:
        return 1.0
    # Derivatives are those of the crop, which the image squeezes to a square.
    tall = (SIZE, crop_size(SIZE)[0])
    wide = [np.asarray(cv2.resize(c, tall, interpolation=cv2.INTER_LINEAR), np.float32) for c in (strain, v, u)]
    found = [_likeness(optical_strain(np.stack([wide[2] * np.float32(r), wide[1]], -1)), wide[0]) for r in RATIOS]
    return float(RATIOS[int(np.argmax(found))])


def _likeness(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
