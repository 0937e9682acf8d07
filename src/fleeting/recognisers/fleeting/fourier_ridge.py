"""Kernel ridge regression by random Fourier features, the same for a face and its mirror image.

Rahimi and Recht, "Random features for large-scale kernel machines", NIPS 2007, algorithm 1: the mean of cosines and
sines of random projections approaches a Gaussian kernel. The features of an input and of its mirror image are averaged.
No training image is part of the fitted model, as it would be with the kernel itself.

The regression is pulled not to zero but to weights that were fitted to moved portraits (`fit_prior`): where clips of
people say nothing, the answer is what is known of faces (a ridge with a prior mean).
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
        The kernel falls with exp(-width |x - y|^2 / (2 m)), m the mean squared length of the scaled moved portraits.
    penalty
        Of the ridge, divided by a row's weight; rows weigh so that every class counts the same.
    sharpness
        Regression targets are +1 and -1; answers times this are logits.
    floor
        Added to the standard deviation by which each value of an input is divided, so that what hardly ever moves in
        moved portraits is not blown up.
    moved_rows
        So many clips the moved portraits count for, however many they are, where they alone are fitted.
    """

    features: int = 2000
    width: float = 1.2
    penalty: float = 0.7
    sharpness: float = 3.0
    floor: float = 0.3
    moved_rows: float = 1000.0


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


def fourier_features(moved: Tensor, settings: FourierSettings, *, seed: int) -> FourierFeatures:
    """Draw projections for inputs that vary as moved portraits do.

    Parameters
    ----------
    moved
        (n, 3, 14, 14) inputs of moved portraits, from which each value's scale is taken.
    settings
        Number and width.
    seed
        Of the draw.
    """
    values = moved.flatten(1).numpy().astype(np.float64)
    spread = values.std(0).reshape(moved.shape[1:])
    spread = np.sqrt(spread * spread[:, :, ::-1]).reshape(-1) + settings.floor
    width = settings.width / (2 * np.mean(((values / spread) ** 2).sum(1)))
    drawn = np.random.default_rng(seed).normal(size=(values.shape[1], settings.features))
    projections = drawn * np.sqrt(2 * width) / spread[:, None]
    return FourierFeatures(projections.astype(np.float16).astype(np.float32))


def fit_ridge(
    features: npt.NDArray[np.float64],
    label: npt.NDArray[np.int64],
    settings: FourierSettings,
    *,
    classes: int,
    prior: Array | None = None,
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
    prior
        (2 * features, classes) weights of `fit_prior`, to which the penalty pulls; zero where None.
    """
    before = np.zeros((features.shape[1], classes)) if prior is None else prior / settings.sharpness
    missing = np.eye(classes)[label] * 2 - 1 - features @ before
    matrix = features @ features.T + np.diag(settings.penalty / balanced(label))
    return np.asarray(settings.sharpness * (before + features.T @ np.linalg.solve(matrix, missing)), np.float32)


def fit_prior(
    features: npt.NDArray[np.float64], label: npt.NDArray[np.int64], settings: FourierSettings, *, classes: int
) -> Array:
    """Return weights as `fit_ridge`, of many rows that count as `FourierSettings.moved_rows`."""
    weighted = features * (settings.moved_rows / len(label) * balanced(label))[:, None]
    matrix = weighted.T @ features + settings.penalty * np.eye(features.shape[1])
    answers = np.linalg.solve(matrix, weighted.T @ (np.eye(classes)[label] * 2 - 1))
    return np.asarray(settings.sharpness * answers, np.float32)


def balanced(label: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return weights (n,) of mean 1 by which every class that occurs counts the same."""
    counts = np.bincount(label)
    return np.asarray(len(label) / (np.count_nonzero(counts) * counts[label]))
