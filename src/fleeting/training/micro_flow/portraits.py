"""Portraits and real movements of skin, from which pairs of pictures with exact flow are drawn.

Portraits are those of the picture sets (`training.face_data`). Real movements are those of the public composite set: u
and v of its flow images, without a person's face.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.errors import DataError
from fleeting.motion.flow_image import CHANNELS
from fleeting.recognisers.sequences.portraits import found_faces
from fleeting.synthesis.face.frame import face_frame
from fleeting.synthesis.flow.portrait import FlowPortrait, Grey, flow_portrait
from fleeting.training.landmarks.labels import labelled_faces
from fleeting.training.people import Part, part_of

log = logging.getLogger(__name__)


def read_portraits(
    data: Path, part: Part, *, seed: int, per_person: int = 3, congress: int = 0, fields: int = 6
) -> list[FlowPortrait]:
    """Portraits of one part of the people.

    Parameters
    ----------
    data
        Folder of the picture sets.
    part
        Of `people.part_of`.
    seed
        Of the drawn action units and blinks.
    per_person
        Largest number of frames of one person of ``landmarks68``.
    congress
        Largest number of portraits of the US congress.
    fields
        Sets of action units per portrait.

    Raises
    ------
    DataError
        Where a file is missing, or there is nobody.
    """
    pictures = _labelled(data, part, per_person)
    for source, most in (("interfaces", 200), ("congress", congress)):
        if most:
            pictures += [(grey, marks, person) for person, grey, marks in found_faces(source, data, (part,), most=most)]
    if not pictures:
        raise DataError(f"portraits of {part} people", "none", "Check the data folder.")
    log.info("%d portraits of %d %s people", len(pictures), len({p[2] for p in pictures}), part)
    return [
        flow_portrait(grey, points, person, fields=fields, seed=(seed, i))
        for i, (grey, points, person) in enumerate(pictures)
    ]


def _labelled(data: Path, part: Part, per_person: int) -> list[tuple[Grey, npt.NDArray[np.floating], str]]:
    """Of each person the frames with the largest faces."""
    of_person: dict[str, list[tuple[float, int]]] = {}
    faces = labelled_faces(data)
    for i, face in enumerate(faces):
        if part_of(face.person) == part:
            of_person.setdefault(face.person, []).append((-face_frame(face.points).iod, i))
    chosen = [i for found in of_person.values() for _, i in sorted(found)[:: max(len(found) // per_person, 1)]]
    return [(faces[i].grey, faces[i].points, faces[i].person) for i in sorted(chosen)]


def real_movements(data: Path, part: Part) -> npt.NDArray[np.float32]:
    """Flow (n, 28, 28, 2) of the composite set's people of one part: u and v, no motion at 0, of any length.

    Raises
    ------
    DataError
        Where the file cannot be read.
    """
    images = composite.read(data / "composite_flow_casme2_smic.npz")
    mine = np.array([part_of(str(s)) == part for s in images.subject])
    flow = images.flow[mine][..., [CHANNELS.index("u"), CHANNELS.index("v")]].astype(np.float32)
    return np.asarray(flow - np.median(flow, axis=(1, 2), keepdims=True), np.float32)
