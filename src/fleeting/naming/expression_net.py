"""The expression of a face: the crop that the expression networks see, and the networks at work.

Source of the crop: 1,032 Training pictures of FER-2013 whose 68 points the landmark network finds nearly frontal. A
similarity from the canonical crop (`faces.align`) to each has a median scale of .237 at 48 pixels, and puts the middle
of the canonical crop (69.5, 85) at (24.3, 27.8). FER-2013's faces lie at all angles up to some 15 degrees; here they
are level, and centred from left to right, since the networks answer for a face and its mirror image. A little more
around the face than the median leaves room for open mouths; between .205 and .235 our own network names validation
pictures equally well (``benchmarks/studies/expression_crop.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.errors import InputError
from fleeting.faces.align import crop_transform
from fleeting.faces.crop import Transform, cut
from fleeting.labels import SEVEN_CLASSES

SIZE = 48
"""Side of the crop in pixels."""

SCALE = 0.22
"""Pixels of the crop per pixel of a canonical crop of width 140."""

MIDDLE, CENTRE = (69.5, 85.0), (23.5, 27.7)
"""A place of the canonical crop of width 140, and where it lies in the crop."""

MOST_YAW_DEG = 45.0
"""Faces that are turned further to a side are not read: the networks learned from faces seen from the front."""

DEFAULT = "expression"


def expression_transform(canonical: npt.NDArray[Any], *, size: int = SIZE) -> Transform:
    """Transform from a picture to the crop of the expression networks.

    Parameters
    ----------
    canonical
        (2, 3) from the picture to the canonical crop of width 140 (`align.crop_transform`).
    size
        Side of the crop in pixels; other than 48 for people to look at.

    Returns
    -------
    (2, 3) float64
    """
    scale = SCALE * size / SIZE
    # Pixel centres lie at whole numbers, so that a larger crop begins half a pixel of its own before the first centre.
    centre = (np.array(CENTRE) + 0.5) * size / SIZE - 0.5
    matrix = np.asarray(canonical, np.float64) * scale
    matrix[:, 2] += centre - scale * np.array(MIDDLE)
    return matrix


def expression_crop(
    grey: npt.NDArray[np.uint8], points: npt.NDArray[Any], *, size: int = SIZE
) -> npt.NDArray[np.uint8]:
    """Cut a face as FER-2013 frames them.

    Parameters
    ----------
    grey
        (h, w) uint8.
    points
        (68, 2) landmarks in pixels of the picture.
    size
        Side of the crop in pixels.

    Returns
    -------
    (size, size) uint8
    """
    return cut(grey, expression_transform(crop_transform(points), size=size), size=size)


def available(name: str = DEFAULT) -> bool:
    """Whether the network is part of this installation."""
    return name in weights.names()


class ExpressionNet:
    """A shipped expression network: pictures to calibrated probabilities of `labels.SEVEN_CLASSES`.

    Parameters
    ----------
    name
        ``expression`` or ``deep_emotion``.
    threads
        Of ONNX Runtime.

    Raises
    ------
    WeightsError
        Where the network is missing or damaged.
    """

    def __init__(self, name: str = DEFAULT, *, threads: int = 1) -> None:
        self.name = name
        self.card: dict[str, Any] = weights.card(name)
        self._session = weights.session(name, threads=threads)

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (n, 7), rows summing to 1, of crops (n, 48, 48); n may be 0.

        Raises
        ------
        InputError
            For another shape or type.
        """
        if faces.dtype != np.uint8 or faces.shape[1:] != (SIZE, SIZE):
            raise InputError(
                f"faces (n, {SIZE}, {SIZE}) uint8",
                f"{faces.dtype} {faces.shape}",
                "Cut them with faces.expression.expression_crop.",
            )
        if not len(faces):
            return np.zeros((0, len(SEVEN_CLASSES)), np.float32)
        found: npt.NDArray[np.float32] = self._session.run(None, {"faces": np.ascontiguousarray(faces)})[0]
        return found
