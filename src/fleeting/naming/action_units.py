"""Action units of an event: which muscles moved, and on which side, from the flow image of onset to apex.

The network says of every unit how probable it is that it moved, and, if it did, that it moved on the person's left and
on the right. A face and its mirror image get the same answers with the sides swapped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.errors import InputError
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.records import UnitAnswer, UnitSide

NAME = "action_units"

UNITS: tuple[str, ...] = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10",
    "AU12", "AU14", "AU15", "AU17", "AU20", "AU25", "AU26",
)  # fmt: skip
"""Units that the network knows, in the order of its answers."""

MIDLINE: frozenset[str] = frozenset({"AU17", "AU25", "AU26"})
"""Units of the chin and the jaw, which have no side."""

MOVED, LEFT, RIGHT = range(3)
"""What the network says of a unit: that it moved; if it did, that it moved on the left, and on the right."""

LEAST_SIDE = 0.5
"""A unit that moved on one side is named by that side where the other side is less probable than this."""


def available(folder: Path | None = None) -> bool:
    """Whether the network is part of this installation, or lies in a folder."""
    return weights.has(NAME, folder=folder)


class ActionUnitNet:
    """The shipped network of action units.

    Parameters
    ----------
    threads
        Of ONNX Runtime.
    folder
        Where it and its card are; among the shipped ones where None.

    Attributes
    ----------
    card
        Its card: training data, subjects, honest scores, limits.
    labels
        Units, in the order of the answers.
    thresholds
        (units,) from this probability on a unit is reported.

    Raises
    ------
    WeightsError
        Where the network or its card is missing or damaged.
    """

    def __init__(self, *, threads: int = 1, folder: Path | None = None) -> None:
        self.card: dict[str, Any] = weights.card(NAME, folder=folder)
        self.labels: tuple[str, ...] = tuple(self.card["labels"])
        least = self.card["reported_from"]
        self.thresholds = np.array([least[name] for name in self.labels])
        self._session = weights.session(NAME, threads=threads, folder=folder)

    def __call__(self, flow_images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities.

        Parameters
        ----------
        flow_images
            (n, 28, 28, 3) uint8 of `motion.flow_image.flow_image`; n may be 0.

        Returns
        -------
        (n, units, 3) float32
            In the order of `labels`, then `MOVED`, `LEFT` and `RIGHT`.

        Raises
        ------
        InputError
            For another shape or type.
        """
        shape = (SIZE, SIZE, len(CHANNELS))
        if flow_images.dtype != np.uint8 or flow_images.shape[1:] != shape:
            raise InputError(
                f"flow images (n, {SIZE}, {SIZE}, {len(CHANNELS)}) uint8",
                f"{flow_images.dtype} {flow_images.shape}",
                "Make them with motion.flow_image.flow_image.",
            )
        if not len(flow_images):
            return np.zeros((0, len(self.labels), 3), np.float32)
        answer: npt.NDArray[np.float32] = self._session.run(None, {"flow": np.ascontiguousarray(flow_images)})[0]
        return answer

    def name(self, answers: npt.NDArray[np.float32]) -> tuple[UnitAnswer, ...]:
        """Return the units that are probable enough to be reported, the most probable first.

        Parameters
        ----------
        answers
            (units, 3) of one flow image.
        """
        found = np.flatnonzero(answers[:, MOVED] >= self.thresholds)
        ordered = sorted(found, key=lambda k: -float(answers[k, MOVED]))
        return tuple(
            UnitAnswer(self.labels[k], side_of(self.labels[k], answers[k]), float(answers[k, MOVED])) for k in ordered
        )

    def of_flow_image(self, flow_image: npt.NDArray[np.uint8]) -> tuple[UnitAnswer, ...]:
        """Return the units of one flow image (28, 28, 3) uint8, as `name`."""
        return self.name(self(flow_image[None])[0])


def side_of(unit: str, answer: npt.NDArray[np.float32]) -> UnitSide:
    """Return the side on which a unit moved: ``both``, unless one side is improbable and the other one less so.

    Parameters
    ----------
    unit
        Such as ``AU12``.
    answer
        (3,) of the unit.
    """
    left, right = float(answer[LEFT]), float(answer[RIGHT])
    if unit in MIDLINE or left == right or min(left, right) >= LEAST_SIDE:
        return "both"
    return "left" if left > right else "right"
