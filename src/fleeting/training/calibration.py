"""From scores to probabilities, and from probabilities to "unsure"."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_TEMPERATURES = np.geomspace(0.05, 20, 241)


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def log_loss(
    logits: npt.NDArray[Any], truth: npt.NDArray[Any], temperature: float = 1.0, *, balanced: bool = False
) -> float:
    """Return the mean negative log likelihood of logits divided by the temperature.

    Parameters
    ----------
    logits, truth
        (n, classes) and (n,) class indices.
    temperature
        Divides the logits.
    balanced
        Let every class that occurs count the same, however many rows it has.

    Returns
    -------
    float
        In nats.
    """
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
    losses = total - scaled[np.arange(len(truth)), truth]
    if balanced:
        return float(np.mean([losses[truth == k].mean() for k in np.unique(truth)]))
    return float(losses.mean())


def fit_temperature(logits: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Return the temperature with the smallest log loss.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2. Searched on a grid of 2.5 % steps
    between 0.05 and 20: the loss is smooth, and the estimate's own error is larger than a step.

    Parameters
    ----------
    logits
        (n, classes) of rows that the model was not fitted on.
    truth
        (n,) class indices.
    """
    losses = [log_loss(logits, truth, t) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def fit_threshold(probabilities: npt.NDArray[Any], truth: npt.NDArray[Any], *, target: float) -> float:
    """Return the smallest threshold above which answers are right often enough.

    Parameters
    ----------
    probabilities
        (n, classes) of rows that the model was not fitted on.
    truth
        (n,) class indices.
    target
        Accuracy wanted among the answered rows, 0..1.

    Returns
    -------
    float
        In 1 / classes .. 1, in steps of 0.01: the smallest at which the accuracy reaches the target. Where none that
        still answers a tenth of the rows does so, the highest that answers a tenth.
    """
    best, right = probabilities.max(1), probabilities.argmax(1) == truth
    steps = np.arange(np.ceil(100 / probabilities.shape[1]) / 100, 1.0, 0.01)
    steps = steps[[(best >= t).mean() >= 0.1 for t in steps]]
    if not len(steps):
        return float(np.quantile(best, 0.9))
    reached = np.array([right[best >= t].mean() >= target for t in steps])
    return float(round(steps[int(np.argmax(reached))] if reached.any() else steps[-1], 2))
