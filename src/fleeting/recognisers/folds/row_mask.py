"""Which rows of a batch are a fold's own: shared by the layers of a folded network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class RowMask:
    """The rows of the batch at hand, and the source of chance that all folds share.

    Parameters
    ----------
    generator
        Source of dropout.

    Attributes
    ----------
    rows
        (folds, n) bool.
    count
        (folds, 1) float32, how many rows are a fold's own, at least 1 so that a fold without any divides by 1.
    """

    rows: Tensor
    count: Tensor

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def set(self, rows: Tensor | None) -> None:
        """Take the rows of the next batch; None where nothing will ask for them."""
        if rows is not None:
            self.rows, self.count = rows, rows.sum(1, keepdim=True).clamp(min=1).to(torch.float32)

    def update(self, layer: Any, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move a layer's running statistics as `torch.nn.BatchNorm2d` does; a fold without rows keeps its own.

        Parameters
        ----------
        layer
            Has ``running_mean``, ``running_var`` (folds, c) and ``momentum``.
        mean, variance
            (folds, c) of the batch; the variance divided by n.
        count
            (folds, 1) values that were averaged.
        """
        with torch.no_grad():
            step = layer.momentum * self.rows.any(1)[:, None].to(mean.dtype)
            unbiased = variance * (count / (count - 1).clamp(min=1))
            layer.running_mean.add_(step * (mean - layer.running_mean))
            layer.running_var.add_(step * (unbiased - layer.running_var))
