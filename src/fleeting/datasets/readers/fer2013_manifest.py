"""The manifest of FER-2013 and of a user's own pictures by class; `datasets.fer2013` reads the pictures themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fleeting.datasets import fer2013
from fleeting.datasets.folders import existing
from fleeting.datasets.manifest import Correction, Manifest, ManifestRow, checked
from fleeting.labels import SEVEN_CLASSES


def read(path: Path) -> Manifest:
    """Read the challenge's csv, an ``.npz`` file of sheets, or a folder by class.

    Nobody is named, so every picture counts as a person of its own; its clip is ``PART/NAME``.

    Raises
    ------
    DataError
        As `fer2013.read`.
    """
    path = existing(path)
    faces = fer2013.read(path)
    rows = []
    for name, label, part in zip(faces.name, faces.label, faces.part, strict=True):
        clip = f"{part}/{name}" if part else str(name)
        place = str(path / str(name)) if path.is_dir() else f"{path}#{name}"
        rows.append(
            ManifestRow(
                dataset="fer2013",
                subject=str(name),
                clip=clip,
                source_video=clip,
                path=place,
                fps=0.0,
                emotion=SEVEN_CLASSES[int(label)],
                type="",
            )
        )
    return checked(rows, _copies(faces), [path])


def _copies(faces: fer2013.FacePictures) -> list[Correction]:
    """Training pictures that a test part holds too: `fer2013.training_rows` leaves them out of training."""
    digest = fer2013.digests(faces.pictures)
    training = (faces.part == fer2013.TRAINING) | (faces.part == "")
    copies = training & np.isin(digest, digest[~training])
    why = "Byte-identical to a test picture."
    return [
        Correction(f"{name}/{fer2013.TRAINING}/{name}", "pixels", "in Training", "left out of training", why)
        for name in faces.name[copies]
    ]
