"""Still faces that MaNet's spatial stream learns from, where clips are grey pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fleeting.datasets import fer2013
from fleeting.errors import DataError
from fleeting.faces.align import crop_size
from fleeting.labels import SEVEN_CLASSES, Scheme
from fleeting.motion.registration import compose
from fleeting.naming.expression_net import SIZE, expression_transform
from fleeting.recognisers.sequences.clip_rows import ClipRows


def framed(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return pictures of FER-2013 (n, 48, 48), which show more of the head, as canonical crops made square."""
    height, width = crop_size()
    whole = expression_transform(np.eye(2, 3))  # from the canonical crop to the picture
    square = np.array([[width / SIZE, 0, (width / SIZE - 1) / 2], [0, height / SIZE, (height / SIZE - 1) / 2]])
    matrix = compose(whole, square)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    made = [cv2.warpAffine(p, matrix, (SIZE, SIZE), flags=how, borderMode=cv2.BORDER_REPLICATE) for p in pictures]
    return np.stack(made).astype(np.uint8)


def still_faces(path: Path, scheme: Scheme, *, most: int, seed: int) -> tuple[ClipRows, ClipRows]:
    """Return the faces of FER-2013 whose class a scheme has, to train on and to validate on, as clips of one frame.

    They are cut to what a canonical crop shows, squeezed to a square as clips are: else the discriminator tells faces
    from crops by how much of the head there is.

    Parameters
    ----------
    path
        Of FER-2013.
    scheme
        Classes of the micro-expressions; the other faces are left out.
    most
        Faces to train on; 0 for all.
    seed
        Draws which.

    Raises
    ------
    DataError
        Where FER-2013 cannot be read, or no face has such a class.
    """
    faces = fer2013.read(path)
    split = fer2013.training_rows(faces)
    mapped = np.array([-1 if (k := scheme.label(word)) is None else k for word in SEVEN_CLASSES])
    rng = np.random.default_rng([seed, 6])
    found = []
    for rows, limit in ((split.train, most), (split.validation, most // 4)):
        chosen = rng.permutation(rows[mapped[faces.label[rows]] >= 0])
        chosen = chosen[:limit] if most else chosen
        if not len(chosen):
            raise DataError(f"faces of {', '.join(scheme.classes)}", f"none in {path}", "Use FER-2013.")
        pictures = torch.from_numpy(framed(faces.pictures[chosen]))[:, None, None]
        found.append(ClipRows(pictures, torch.from_numpy(mapped[faces.label[chosen]].astype(np.int64))))
    return found[0], found[1]
