"""A linear recogniser of flow images that treats both halves of the face alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.composite import FlowImages
from fleeting.labels import THREE_CLASSES
from fleeting.motion.flow_image import SIZE, mirrored, standardised


@dataclass(frozen=True, slots=True)
class LinearSettings:
    """What can be chosen about the model; always by inner folds.

    Attributes
    ----------
    blur
        Standard deviation, in pixels of the flow image, of the smoothing before the linear map: faces of different
        people do not lie on each other to the pixel.
    strength
        Inverse of the L2 penalty, as ``C`` of scikit-learn's ``LogisticRegression``.
    limit
        As for `motion.flow_image.standardised`.
    """

    blur: float = 1.5
    strength: float = 1e-3
    limit: float = 3.0


@dataclass(frozen=True, slots=True)
class LinearRecogniser:
    """Softmax of a linear map of the standardised flow image.

    Attributes
    ----------
    weights
        (28, 28, 3, classes) float32, smoothing and mirroring folded in.
    bias
        (classes,) float32.
    limit
        As in `LinearSettings`.
    temperature
        Logits are divided by it before the softmax (Guo et al., ICML 2017).
    """

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    limit: float
    temperature: float = 1.0

    def logits(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return (n, classes) for flow images (n, 28, 28, 3) uint8, before the temperature."""
        features = standardised(images, limit=self.limit).reshape(len(images), -1)
        return np.asarray(features @ self.weights.reshape(features.shape[1], -1) + self.bias, np.float32)

    def probabilities(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes) for flow images (n, 28, 28, 3) uint8."""
        return softmax(self.logits(images) / self.temperature)

    def with_temperature(self, temperature: float) -> LinearRecogniser:
        """Return the same model with another temperature."""
        return replace(self, temperature=temperature)


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def blur_matrix(sigma: float, size: int = SIZE) -> npt.NDArray[np.float64]:
    """Return the (size, size) matrix of Gaussian smoothing along one side, the border repeated."""
    if sigma <= 0:
        return np.eye(size)
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    matrix = np.zeros((size, size))
    for offset, weight in zip(range(-reach, reach + 1), kernel / kernel.sum(), strict=True):
        np.add.at(matrix, (np.arange(size), np.clip(np.arange(size) + offset, 0, size - 1)), weight)
    return matrix


def _mirror_features(features: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # Of standardised images, where no motion is 0: mirroring turns u into -u.
    return np.asarray(features[:, :, ::-1] * np.array([1, 1, -1]))


def half_features(images: npt.NDArray[np.uint8], settings: LinearSettings) -> npt.NDArray[np.float64]:
    """Return smoothed features of the half face that stands for both: the average of an image and its mirror image.

    Parameters
    ----------
    images
        (n, 28, 28, 3) uint8 flow images.
    settings
        Smoothing and cut-off. Nothing is learned here: each row depends on its own image alone.

    Returns
    -------
    (n, 28 * 14 * 3) float64
    """
    smooth = blur_matrix(settings.blur)
    both = [standardised(i, limit=settings.limit) for i in (images, mirrored(images))]
    mean = (both[0] + both[1]).astype(np.float64) / 2
    smoothed = np.einsum("ir,nrsc,js->nijc", smooth, mean, smooth, optimize=True)
    return np.asarray(smoothed[:, :, : SIZE // 2].reshape(len(images), -1), np.float64)


def fit(train: FlowImages, settings: LinearSettings) -> LinearRecogniser:
    """Fit on training rows: `half_features`, then `fit_features`."""
    return fit_features(half_features(train.flow, settings), train.label, settings)


def fit_features(
    features: npt.NDArray[np.float64], label: npt.NDArray[np.int64], settings: LinearSettings
) -> LinearRecogniser:
    """Fit multinomial logistic regression with classes balanced, and unfold it to whole images.

    Every feature is divided by its standard deviation over the training rows.

    Parameters
    ----------
    features
        (n, 28 * 14 * 3) of `half_features`, training rows only.
    label
        (n,) class indices.
    settings
        The same as for `half_features`.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = features.mean(0), features.std(0) + 1e-6
    model = LogisticRegression(C=settings.strength, class_weight="balanced", max_iter=1000, tol=1e-5)
    model.fit((features - mean) / spread, label)

    # Unfold: logits = W (S (x + M x) S' / 2 - mean) / spread + b, so x meets the smoothed W / spread and its mirror
    # image, each by a half.
    small = (model.coef_ / spread).astype(np.float64)
    smooth = blur_matrix(settings.blur)
    weights = np.zeros((len(THREE_CLASSES), SIZE, SIZE, 3))
    weights[model.classes_, :, : SIZE // 2] = small.reshape(len(small), SIZE, SIZE // 2, 3)
    weights = np.einsum("ir,kijc,js->krsc", smooth, weights, smooth, optimize=True)
    weights = (weights + _mirror_features(weights)) / 2
    bias = np.full(len(THREE_CLASSES), -1e3)  # a class that the training rows lack is never the answer
    bias[model.classes_] = model.intercept_ - small @ mean
    return LinearRecogniser(
        np.ascontiguousarray(np.moveaxis(weights, 0, -1), np.float32), bias.astype(np.float32), settings.limit
    )
