"""Grey face pictures with 68 points and the person's part of the split: what the finder's scenes are composed of."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.faces.ibug import MIRROR
from fleeting.training.landmarks.labels import FaceSample, fit_point_map, load_landmarks68, taught_faces
from fleeting.training.people import Part, part_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FacePicture:
    """One picture with one labelled face.

    Attributes
    ----------
    grey
        (h, w) uint8.
    points
        (68, 2) float32, iBUG order, pixels of `grey`.
    source, person
        Picture set and id of the person, as `people.part_of` takes it.
    """

    grey: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float32]
    source: str
    person: str

    def mirrored(self) -> FacePicture:
        """Return the mirror image, its points in iBUG order again."""
        points = self.points[MIRROR].copy()
        points[:, 0] = self.grey.shape[1] - 1 - points[:, 0]
        return FacePicture(np.ascontiguousarray(self.grey[:, ::-1]), points, self.source, self.person)


def labelled_faces(data: Path) -> list[FacePicture]:
    """Read ``landmarks68.npz``: every picture with its own points.

    Raises
    ------
    DataError
        Where the file is missing.
    """
    return [_plain(face) for face in load_landmarks68(data, parts=("train", "validation", "test"))]


def portraits(data: Path, teacher: Path) -> list[FacePicture]:
    """Read the two portrait archives with the points that the teacher gave (``training/landmarks/teacher.py``).

    The teacher's 478 points become the 68 by a linear map, fitted on the people of ``landmarks68`` who are trained on.

    Parameters
    ----------
    data
        The data folder.
    teacher
        Folder with ``congress.npz``, ``interfaces.npz`` and ``landmarks68.npz`` of the teacher.

    Raises
    ------
    DataError
        Where an archive is missing.
    """
    to_ours, _ = fit_point_map(data, teacher)
    faces = [
        _plain(face) for source in ("congress", "interfaces") for face in taught_faces(source, data, teacher, to_ours)
    ]
    log.info("%d portraits with the teacher's points", len(faces))
    return faces


def _plain(face: FaceSample) -> FacePicture:
    return FacePicture(face.grey, face.points, face.source, face.person)


def of_part(faces: list[FacePicture], part: Part) -> list[FacePicture]:
    """Faces of the people of one part of the split."""
    return [f for f in faces if part_of(f.person) == part]
