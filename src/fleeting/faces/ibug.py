"""The 68 points of iBUG: what is where, and which becomes which in a mirrored picture.

Points are numbered from 0. The picture is unmirrored, so that points on the picture's left lie on the person's right.
Source: Sagonas et al., "300 faces in-the-wild challenge", ICCV workshops 2013, figure 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
INNER_FACE = slice(17, 68)
RIGHT_OUTER_CORNER = 36
LEFT_OUTER_CORNER = 45

MIRROR: npt.NDArray[np.intp] = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *range(27, 31),
        *range(35, 30, -1),
        *(45, 44, 43, 42, 47, 46),
        *(39, 38, 37, 36, 41, 40),
        *range(54, 47, -1),
        *range(59, 54, -1),
        *range(64, 59, -1),
        *range(67, 64, -1),
    ],
    dtype=np.intp,
)
"""``points[MIRROR]`` of a mirrored face are in iBUG order again."""


def inter_ocular_distance(points: npt.NDArray[np.floating]) -> float:
    """Distance of the outer eye corners of (68, 2) points, in their unit."""
    across = points[LEFT_OUTER_CORNER] - points[RIGHT_OUTER_CORNER]
    return float(np.sqrt(across @ across))


def eye_line_angle(points: npt.NDArray[np.floating]) -> float:
    """Degrees, clockwise in the picture, by which the line from the right to the left eye's centre is turned."""
    across = points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)
    return float(np.degrees(np.arctan2(across[1], across[0])))


def eye_openings(points: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Lid distance over eye width of the left and the right eye, (2,) float32 (mean of both lid pairs)."""
    openings = []
    for first in (LEFT_EYE.start, RIGHT_EYE.start):
        p = points[first : first + 6]
        lids = np.linalg.norm(p[1] - p[5]) + np.linalg.norm(p[2] - p[4])
        openings.append(lids / 2 / max(float(np.linalg.norm(p[0] - p[3])), 1e-6))
    return np.array(openings, np.float32)


def mouth_opening(points: npt.NDArray[np.floating]) -> float:
    """Inner lip distance over mouth width."""
    lips = np.linalg.norm(points[62] - points[66])
    return float(lips / max(float(np.linalg.norm(points[48] - points[54])), 1e-6))
