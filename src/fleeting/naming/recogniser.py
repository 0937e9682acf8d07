"""The recogniser at work: flow images to calibrated probabilities of three classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.errors import InputError
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import SIZE


class Recogniser:
    """The shipped recogniser of micro-expressions.

    Parameters
    ----------
    threads
        Of ONNX Runtime.
    name
        Of the network.
    folder
        Where it and its card are; among the shipped ones where None.

    Attributes
    ----------
    card
        Its card: training data, subjects, honest scores, limits.
    labels
        Classes, in the order of the probabilities.
    threshold
        Below this probability of the best class the answer is "unsure".

    Raises
    ------
    WeightsError
        Where the network or its card is missing or damaged.
    """

    def __init__(self, *, threads: int = 1, name: str = "fleeting", folder: Path | None = None) -> None:
        self.card: dict[str, Any] = weights.card(name, folder=folder)
        self.labels: tuple[str, ...] = tuple(self.card["labels"])
        self.threshold = float(self.card["unsure"]["threshold"])
        self._session = weights.session(name, threads=threads, folder=folder)

    def __call__(self, flow_images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities.

        Parameters
        ----------
        flow_images
            (n, 28, 28, 3) uint8 of `motion.flow_image.flow_image`; n may be 0.

        Returns
        -------
        (n, 3) float32
            Of `labels.THREE_CLASSES`, rows summing to 1.

        Raises
        ------
        InputError
            For another shape or type.
        """
        if flow_images.dtype != np.uint8 or flow_images.shape[1:] != (SIZE, SIZE, 3):
            raise InputError(
                f"flow images (n, {SIZE}, {SIZE}, 3) uint8",
                f"{flow_images.dtype} {flow_images.shape}",
                "Make them with motion.flow_image.flow_image.",
            )
        if not len(flow_images):
            return np.zeros((0, len(THREE_CLASSES)), np.float32)
        answer: npt.NDArray[np.float32] = self._session.run(None, {"flow": np.ascontiguousarray(flow_images)})[0]
        return answer

    def name(self, probabilities: npt.NDArray[np.float32]) -> tuple[str, float]:
        """Return the most probable class, or "unsure" where it is not probable enough, and its probability.

        Parameters
        ----------
        probabilities
            (3,) of one flow image.
        """
        best = int(np.argmax(probabilities))
        probability = float(probabilities[best])
        return (self.labels[best] if probability >= self.threshold else UNSURE), probability
