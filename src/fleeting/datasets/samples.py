"""Labelled clips as arrays: what recognisers learn from and are measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.composite import FlowImages
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES
from fleeting.records.action_units import ActionUnit, hedged, moved

Text = npt.NDArray[np.str_]

HEDGED = -1
"""Of an action unit: neither a yes nor a no; it is neither learned from nor scored."""


@dataclass(frozen=True, slots=True)
class Samples:
    """One row per clip; all arrays have length n.

    Attributes
    ----------
    clip
        Text ``dataset/subject/clip`` or ``dataset/clip``: unique, the key by which predictions are joined.
    subject
        Text ``dataset/subject``: unique over data sets, the unit by which folds are cut.
    dataset
        Name of the data set.
    source_video
        Text, the recording that the clip was cut from; the id of the clip if that is not known.
    label
        int64, index into `classes`.
    classes
        Names of the classes.
    flow
        (n, 28, 28, 3) uint8 flow images, channels as `motion.flow_image.CHANNELS`, or None.
    sequence
        (n, frames, height, width) uint8 grey canonical crops from onset to offset at one number of frames (temporal
        interpolation), or None.
    action_units
        (n, units) int8: 1 if the unit moved, 0 if not, `HEDGED` if the coders were not sure; or None.
    units
        Names of its columns, such as ``AU04``.
    """

    clip: Text
    subject: Text
    dataset: Text
    source_video: Text
    label: npt.NDArray[np.int64]
    classes: tuple[str, ...] = THREE_CLASSES
    flow: npt.NDArray[np.uint8] | None = None
    sequence: npt.NDArray[np.uint8] | None = None
    action_units: npt.NDArray[np.int8] | None = None
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.label)
        for name in ("clip", "subject", "dataset", "source_video", "flow", "sequence", "action_units"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise DataError(f"{n} rows in every array", f"{len(value)} in {name}", "Give one row per clip.")
        if len(np.unique(self.clip)) != n:
            names, counts = np.unique(self.clip, return_counts=True)
            raise DataError("every clip once", f"'{names[counts > 1][0]}' twice", "Rename or remove one of them.")
        if n and not (self.label.min() >= 0 and self.label.max() < len(self.classes)):
            raise DataError(
                f"labels 0..{len(self.classes) - 1}",
                f"{self.label.min()}..{self.label.max()}",
                "Check the class order.",
            )

    def __len__(self) -> int:
        return len(self.label)

    def flow_images(self) -> npt.NDArray[np.uint8]:
        """Return the flow images.

        Raises
        ------
        DataError
            Where there are none.
        """
        if self.flow is None:
            raise DataError("clips with flow images", "clips without", "Make them with `fleeting prepare`.")
        return self.flow

    def coded_units(self) -> npt.NDArray[np.int8]:
        """Return the action units (n, units).

        Raises
        ------
        DataError
            Where there are none.
        """
        if self.action_units is None:
            raise DataError("clips with action units", "clips without", "Use them with --task action-units.")
        return self.action_units

    def select(self, rows: npt.NDArray[Any]) -> Samples:
        """Return the given rows (indices or a bool mask)."""
        return Samples(
            clip=self.clip[rows],
            subject=self.subject[rows],
            dataset=self.dataset[rows],
            source_video=self.source_video[rows],
            label=self.label[rows],
            classes=self.classes,
            flow=None if self.flow is None else self.flow[rows],
            sequence=None if self.sequence is None else self.sequence[rows],
            action_units=None if self.action_units is None else self.action_units[rows],
            units=self.units,
        )


def truth_of(cells: Sequence[Iterable[ActionUnit]], units: Sequence[str]) -> npt.NDArray[np.int8]:
    """Return which units moved in each clip, (n, units) as `Samples.action_units`."""
    truth = np.zeros((len(cells), len(units)), np.int8)
    for row, cell in zip(truth, map(tuple, cells), strict=True):
        certain, unsure = moved(cell), hedged(cell)
        row[:] = [1 if name in certain else HEDGED if name in unsure else 0 for name in units]
    return truth


def from_flow_images(images: FlowImages) -> Samples:
    """Return flow images as samples; each clip counts as a recording of its own."""
    dataset = np.array([name.split("/", 1)[0] for name in images.subject], np.str_)
    return Samples(images.clip, images.subject, dataset, images.clip, images.label, flow=images.flow)


def joined(parts: Sequence[Samples]) -> Samples:
    """Return the rows of several samples with the same classes, one after the other; what one of them lacks is None."""

    def of_all(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(value is None for value in values) else np.concatenate(values)

    arrays = {f.name: of_all(f.name) for f in fields(Samples) if f.name not in ("classes", "units")}
    return Samples(**arrays, classes=parts[0].classes, units=parts[0].units)
