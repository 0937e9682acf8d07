"""Grey face pictures with 68 points and the person's part of the split: what the finder's scenes are composed of."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.ibug import MIRROR
from fleeting.training.face_data import FILES, read_pictures
from fleeting.training.landmark_labels import fit_point_map, person_of
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


def _grey(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def labelled_faces(data: Path) -> list[FacePicture]:
    """Read ``landmarks68.npz``: every picture with its own points.

    Raises
    ------
    DataError
        Where the file is missing.
    """
    pictures = [(name, _grey(rgb)) for name, rgb in read_pictures("landmarks68", data)]
    with np.load(data / FILES["landmarks68"], allow_pickle=False) as stored:
        points = stored["landmarks"].astype(np.float32)
    return [FacePicture(grey, p, "landmarks68", name) for (name, grey), p in zip(pictures, points, strict=True)]


def portraits(data: Path, teacher: Path) -> list[FacePicture]:
    """Read the two portrait archives with the points that the teacher gave (``training/teacher.py``).

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
    faces: list[FacePicture] = []
    for source in ("congress", "interfaces"):
        with np.load(teacher / f"{source}.npz", allow_pickle=False) as stored:
            names, found, mesh = stored["name"], stored["found"], stored["points"]
        known = {str(n): i for i, n in enumerate(names) if found[i]}
        for name, rgb in read_pictures(source, data):
            if name not in known:
                continue
            points = to_ours(mesh[known[name]][None])[0]
            faces.append(FacePicture(_grey(rgb), points, source, person_of(source, name)))
    log.info("%d portraits with the teacher's points", len(faces))
    return faces


def of_part(faces: list[FacePicture], part: Part) -> list[FacePicture]:
    """Faces of the people of one part of the split."""
    return [f for f in faces if part_of(f.person) == part]
