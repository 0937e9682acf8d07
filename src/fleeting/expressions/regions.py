"""How much of a map lies in which part of the face.

The parts are areas around iBUG points; where two overlap, the earlier one in `REGIONS` has the pixel. A share alone
says little, since a large part holds much of any map: `RegionShare.density` divides it by the part's share of the
picture, so that 1 means "as much as anywhere".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.ibug import (
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    inter_ocular_distance,
)

REGIONS: dict[str, tuple[slice, ...]] = {
    "eyes": (RIGHT_EYE, LEFT_EYE),
    "mouth": (OUTER_LIPS,),
    "brows": (RIGHT_BROW, LEFT_BROW),
    "nose": (slice(NOSE_BRIDGE.start, NOSE_BASE.stop),),
}
"""Points around which each part lies; pixels in none of them are ``elsewhere``."""

MARGIN_IOD = 0.09
"""By how much a part reaches beyond its points, in inter-ocular distances."""

ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class RegionShare:
    """One part of the face.

    Attributes
    ----------
    share
        Of the map's positive values, 0..1.
    area
        Of the picture's pixels, 0..1.
    """

    share: float
    area: float

    @property
    def density(self) -> float:
        """Share over area: 1 where the part is as salient as the picture on average; NaN without any pixel."""
        return self.share / self.area if self.area else float("nan")


def region_masks(points: npt.NDArray[np.floating], shape: tuple[int, int]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return a mask (h, w) of every part, `ELSEWHERE` among them; each pixel is in exactly one.

    Parameters
    ----------
    points
        (68, 2), pixels of the picture.
    shape
        Height and width of the picture.

    Raises
    ------
    InputError
        For other points than 68.
    """
    if points.shape != (68, 2):
        raise InputError("68 points (68, 2)", f"shape {points.shape}", "Use the landmarks of a face.")
    margin = MARGIN_IOD * inter_ocular_distance(points)
    y, x = np.mgrid[: shape[0], : shape[1]]
    places = np.stack([x, y], -1).reshape(-1, 2).astype(np.float32)
    free = np.ones(shape, np.bool_)
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for name, groups in REGIONS.items():
        inside = np.zeros(shape, np.bool_)
        for group in groups:
            hull = cv2.convexHull(points[group].astype(np.float32))
            distance = [cv2.pointPolygonTest(hull, (float(px), float(py)), True) for px, py in places]
            inside |= (np.array(distance) >= -margin).reshape(shape)
        masks[name] = inside & free
        free &= ~inside
    masks[ELSEWHERE] = free
    return masks


def region_shares(values: npt.NDArray[np.floating], points: npt.NDArray[np.floating]) -> dict[str, RegionShare]:
    """Return how much of the positive values of a map (h, w) lies in every part of the face.

    Raises
    ------
    InputError
        For a map that is positive nowhere, or other points than 68.
    """
    positive = np.maximum(values, 0)
    total = float(positive.sum())
    if total <= 0:
        raise InputError("a map that is positive somewhere", "one that is not", "No part of this face matters.")
    masks = region_masks(points, (values.shape[0], values.shape[1]))
    return {
        name: RegionShare(share=float(positive[mask].sum()) / total, area=float(mask.mean()))
        for name, mask in masks.items()
    }
