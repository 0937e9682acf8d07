"""Kernel ridge regression by random Fourier features, the same for a face and its mirror image.

Rahimi and Recht, "Random features for large-scale kernel machines", NIPS 2007, algorithm 1: the mean of cosines and
sines of random projections approaches a Gaussian kernel. The features of an input and of its mirror image are averaged.
No training image is part of the fitted model, as it would be with the kernel itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from fleeting.recognisers.fleeting.network import mirrored_inputs

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FourierSettings:
    """The kernel and its penalty.

    Attributes
    ----------
    features
        Number of random projections; each gives a cosine and a sine.
    width
        The kernel falls with exp(-width |x - y|^2 / (2 m)), m the mean squared length of the scaled synthetic inputs.
    penalty
        Of the ridge, divided by a row's weight; rows weigh so that every class counts the same.
    sharpness
        Regression targets are +1 and -1; answers times this are logits.
    floor
        Added to the standard deviation by which each value of an input is divided, so that what hardly ever moves in
        synthetic images is not blown up.
    """

    features: int = 2000
    width: float = 1.2
    penalty: float = 0.7
    sharpness: float = 3.0
    floor: float = 0.3


@dataclass(frozen=True, slots=True)
class FourierFeatures:
    """Random projections that do not depend on any training row.

    Attributes
    ----------
    projections
        (3 * 14 * 14, features) float32, exact in 16 bits so that they can be stored so.
    """

    projections: Array

    def __call__(self, inputs: Tensor) -> npt.NDArray[np.float64]:
        """Return (n, 2 * features) of inputs (n, 3, 14, 14)."""
        both = []
        for x in (inputs, mirrored_inputs(inputs)):
            angle = x.flatten(1).numpy().astype(np.float64) @ self.projections
            both.append(np.concatenate([np.cos(angle), np.sin(angle)], 1))
        return np.asarray((both[0] + both[1]) / (2 * np.sqrt(self.projections.shape[1])))


def fourier_features(synthetic: Tensor, settings: FourierSettings, *, seed: int) -> FourierFeatures:
    """Draw projections for inputs that vary as synthetic ones do.

    Parameters
    ----------
    synthetic
        (n, 3, 14, 14) inputs of synthetic movements, from which each value's scale is taken.
    settings
        Number and width.
    seed
        Of the draw.
    """
    values = synthetic.flatten(1).numpy().astype(np.float64)
    spread = values.std(0).reshape(synthetic.shape[1:])
    spread = np.sqrt(spread * spread[:, :, ::-1]).reshape(-1) + settings.floor
    width = settings.width / (2 * np.mean(((values / spread) ** 2).sum(1)))
    drawn = np.random.default_rng(seed).normal(size=(values.shape[1], settings.features))
    projections = drawn * np.sqrt(2 * width) / spread[:, None]
    return FourierFeatures(projections.astype(np.float16).astype(np.float32))


def fit_ridge(
    features: npt.NDArray[np.float64], label: npt.NDArray[np.int64], settings: FourierSettings, *, classes: int
) -> Array:
    """Return weights (2 * features, classes), so that features @ weights are logits.

    Parameters
    ----------
    features
        (n, 2 * features) of the training rows.
    label
        (n,) class indices.
    settings
        Penalty and sharpness.
    classes
        Number of classes.
    """
    counts = np.bincount(label, minlength=classes)
    present = np.flatnonzero(counts)
    weight = len(label) / (len(present) * counts[label])
    target = np.eye(classes)[label] * 2 - 1
    dual = np.linalg.solve(features @ features.T + np.diag(settings.penalty / weight), target)
    return np.asarray(settings.sharpness * (features.T @ dual), np.float32)
