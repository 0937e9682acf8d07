"""Flow images with their labels: the MEGC 2019 composite set in one file.

The layout, as ``numpy.savez``: ``flow`` uint8 (n, 28, 28, 3) with channels strain, v, u; ``label`` 0 negative,
1 positive, 2 surprise; ``subject``, ``clip`` and ``dataset`` as text, one entry per image.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.people import spelled_alike
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES

FIELDS: tuple[str, ...] = ("flow", "label", "subject", "clip", "dataset")


@dataclass(frozen=True, slots=True)
class FlowImages:
    """Labelled flow images, one row per clip.

    Attributes
    ----------
    flow
        (n, 28, 28, 3) uint8, channels as `motion.flow_image.CHANNELS`.
    label
        (n,) int64, index into `labels.THREE_CLASSES`.
    subject
        (n,) text ``dataset/subject``: unique over data sets, the unit by which folds are cut.
    clip
        (n,) text ``dataset/clip``: unique, the key by which predictions are joined.
    """

    flow: npt.NDArray[np.uint8]
    label: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]
    clip: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.label)

    def select(self, rows: npt.NDArray[Any]) -> FlowImages:
        """Return the given rows (indices or a bool mask)."""
        return FlowImages(self.flow[rows], self.label[rows], self.subject[rows], self.clip[rows])


def read(path: str | Path) -> FlowImages:
    """Read labelled flow images.

    Raises
    ------
    DataError
        Where the file cannot be read, an array is missing or of the wrong shape, a label is unknown, or a clip occurs
        twice.
    """
    hint = f"Write them with numpy.savez: {', '.join(FIELDS)}."
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [name for name in FIELDS if name not in stored.files]
            if missing:
                raise DataError(f"arrays {', '.join(FIELDS)}", f"{path} without {', '.join(missing)}", hint)
            arrays = {name: stored[name] for name in FIELDS}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("a readable .npz file of flow images", f"{path} ({error})", "Check the path.") from error
    flow, label = arrays["flow"], arrays["label"]
    n = len(label)
    if flow.dtype != np.uint8 or flow.shape != (n, 28, 28, 3):
        raise DataError(f"flow of shape ({n}, 28, 28, 3), uint8", f"{flow.dtype} {flow.shape} in {path}", hint)
    if n == 0 or any(arrays[name].shape != (n,) for name in FIELDS[1:]):
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in FIELDS[1:])
        raise DataError("at least one clip, and one entry per clip in every array", f"{shapes} in {path}", hint)
    if not np.isin(label, range(len(THREE_CLASSES))).all():
        codes = ", ".join(f"{i} {name}" for i, name in enumerate(THREE_CLASSES))
        raise DataError(f"labels {codes}", f"{sorted({int(c) for c in label})} in {path}", "Drop the other classes.")
    names = np.char.add(spelled_alike(arrays["dataset"], what="data set"), "/")
    clip = np.char.add(names, arrays["clip"].astype(str))
    unique, counts = np.unique(clip, return_counts=True)
    if len(unique) != n:
        raise DataError("every clip once", f"'{unique[counts > 1][0]}' twice in {path}", "Remove the duplicate.")
    subject = spelled_alike(np.char.add(names, arrays["subject"].astype(str)))
    return FlowImages(flow, label.astype(np.int64), subject, clip)
