"""Placing a portrait in the frame, finer than the frame's own pixels."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.synthesis.face.frame import face_frame

OVERSAMPLING = 4
"""Pixels of the kept portrait per pixel of a frame, along each axis."""


def place(
    portrait: npt.NDArray[np.uint8], points: npt.NDArray[np.float64], *, size: tuple[int, int], iod_px: float
) -> tuple[npt.NDArray[np.uint8], int, npt.NDArray[np.float64]]:
    """Scale a portrait so that its face has the wanted size, and put the face near the middle of the frame.

    Where it can, the portrait covers the whole frame; where it cannot, its border is continued outwards.

    Parameters
    ----------
    portrait
        (h, w, 3) uint8 RGB.
    points
        (68, 2) landmarks in its pixels.
    size
        Width and height of the frame.
    iod_px
        Wanted inter-ocular distance in pixels of the frame.

    Returns
    -------
    fine
        uint8 RGB, `OVERSAMPLING` times as fine as the frame, with a margin on all sides.
    margin
        Pixels of the frame by which it reaches over each side.
    points
        (68, 2) landmarks in pixels of the frame.

    Raises
    ------
    InputError
        For a portrait that is no uint8 RGB picture.
    """
    if portrait.dtype != np.uint8 or portrait.ndim != 3 or portrait.shape[2] != 3:
        raise InputError(
            "a portrait of shape (h, w, 3), uint8 RGB", f"{portrait.dtype} {portrait.shape}", "Convert the picture."
        )
    scale = iod_px / face_frame(points).iod
    if scale < 1:
        # Too fine for the frame: average first, so that nothing aliases.
        reduced = (max(round(portrait.shape[1] * scale), 1), max(round(portrait.shape[0] * scale), 1))
        ratio = np.array(reduced) / portrait.shape[1::-1]
        portrait = np.asarray(cv2.resize(portrait, reduced, interpolation=cv2.INTER_AREA), np.uint8)
        points = (points + 0.5) * ratio - 0.5
        scale = iod_px / face_frame(points).iod  # 1 but for the rounding to whole pixels
    margin = round(0.3 * iod_px)
    shift = _shift(portrait.shape[1::-1], points, scale=scale, size=size)
    # Fine pixel f shows the frame's position (f + 0.5) / OVERSAMPLING - 0.5 - margin.
    factor = scale * OVERSAMPLING
    offset = (shift + margin + 0.5) * OVERSAMPLING - 0.5
    matrix = np.array([[factor, 0, offset[0]], [0, factor, offset[1]]])
    fine_size = ((size[0] + 2 * margin) * OVERSAMPLING, (size[1] + 2 * margin) * OVERSAMPLING)
    fine = cv2.warpAffine(portrait, matrix, fine_size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(fine, np.uint8), margin, points * scale + shift


def _shift(
    portrait: tuple[int, ...], points: npt.NDArray[np.float64], *, scale: float, size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """Shift that centres the face, or that keeps the frame inside the portrait where the two disagree."""
    frame = np.array(size, np.float64)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2 * scale
    wanted = frame / 2 - middle
    # A little above the middle: hair is taller than a neck is long.
    wanted[1] += 0.05 * frame[1]
    lowest = frame - np.array(portrait, np.float64) * scale
    return np.where(lowest <= 0, np.clip(wanted, np.minimum(lowest, 0), 0), lowest / 2)
