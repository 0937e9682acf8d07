"""Where an expression network looks in one face: the record of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.expressions.regions import RegionShare


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Where one class comes from.

    Attributes
    ----------
    name, probability
        Of the class.
    values
        (48, 48) float32: by occlusion, how much of the probability is lost where a place is covered; by gradients, how
        much of it a pixel adds. Negative where the place speaks against the class.
    parts
        Share of the positive values in every part of the face (`regions.REGIONS`); empty where none is positive.
    """

    name: str
    probability: float
    values: npt.NDArray[np.float32]
    parts: dict[str, RegionShare]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a network says of one face, and where from.

    Attributes
    ----------
    path
        The picture.
    network, method
        Names.
    face, faces
        Number of the face, by size from 0, and how many there are.
    crop
        (288, 288, 3) uint8 RGB as the network frames it.
    probabilities
        Of every class.
    maps
        The asked class alone, or the most probable one and others worth a map.
    """

    path: Path
    network: str
    method: str
    face: int
    faces: int
    crop: npt.NDArray[np.uint8]
    probabilities: dict[str, float]
    maps: tuple[ClassMap, ...]
