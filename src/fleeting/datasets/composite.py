"""Flow images with their labels: the MEGC 2019 composite set in one file.

The layout, as ``numpy.savez``: ``flow`` uint8 (n, 28, 28, 3) with channels strain, v, u; ``label`` 0 negative,
1 positive, 2 surprise; ``subject``, ``clip`` and ``dataset`` as text, one entry per image. ``action_units``, which may
be missing, is text as `records.action_units` reads it; an empty entry says that nobody coded the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.people import spelled_alike
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES
from fleeting.reading import Arrays, reading
from fleeting.records.action_units import ActionUnit, parse_strictly

FIELDS: tuple[str, ...] = ("flow", "label", "subject", "clip", "dataset")
UNITS = "action_units"
"""Field that may be missing."""


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
    action_units
        As coded, one tuple per clip; empty where nobody coded the clip. None where the file has no such field.
    """

    flow: npt.NDArray[np.uint8]
    label: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]
    clip: npt.NDArray[np.str_]
    action_units: tuple[tuple[ActionUnit, ...], ...] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def select(self, rows: npt.NDArray[Any]) -> FlowImages:
        """Return the given rows (indices or a bool mask)."""
        units = self.action_units
        chosen = None if units is None else tuple(units[i] for i in np.arange(len(self))[rows])
        return FlowImages(self.flow[rows], self.label[rows], self.subject[rows], self.clip[rows], chosen)


def read(path: str | Path) -> FlowImages:
    """Read labelled flow images.

    Raises
    ------
    DataError
        Where the file cannot be read, an array is missing or of the wrong shape, a label is unknown, a clip occurs
        twice, or a unit is none.
    """
    hint = f"Write them with numpy.savez: {', '.join(FIELDS)}."
    with reading(path, "a readable .npz file of flow images", hint), Arrays(path) as stored:
        missing = [name for name in FIELDS if name not in stored]
        if missing:
            raise DataError(f"arrays {', '.join(FIELDS)}", f"{path} without {', '.join(missing)}", hint)
        return _checked({name: stored[name] for name in (*FIELDS, UNITS) if name in stored}, path, hint)


def _checked(arrays: dict[str, npt.NDArray[Any]], path: str | Path, hint: str) -> FlowImages:
    flow, label = arrays["flow"], arrays["label"]
    n = len(label)
    if flow.dtype != np.uint8 or flow.shape != (n, 28, 28, 3):
        raise DataError(f"flow of shape ({n}, 28, 28, 3), uint8", f"{flow.dtype} {flow.shape} in {path}", hint)
    if n == 0 or any(arrays[name].shape != (n,) for name in arrays if name != "flow"):
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in arrays if name != "flow")
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
    units = _units(arrays[UNITS], clip, Path(path)) if UNITS in arrays else None
    return FlowImages(flow, label.astype(np.int64), subject, clip, units)


def _units(texts: npt.NDArray[Any], clip: npt.NDArray[np.str_], path: Path) -> tuple[tuple[ActionUnit, ...], ...]:
    found = []
    for name, text in zip(clip, texts.astype(str), strict=True):
        try:
            found.append(parse_strictly(str(text)))
        except ValueError as error:
            raise DataError(
                f"action units such as 4+L12B for the clip '{name}' in {path}", str(error), "Correct the text."
            ) from error
    return tuple(found)
