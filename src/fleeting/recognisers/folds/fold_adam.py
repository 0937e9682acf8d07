"""Adam for weights that are stacked by fold."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class FoldAdam:
    """Adam (Kingma and Ba, ICLR 2015, algorithm 1) with decoupled weight decay (Loshchilov and Hutter, ICLR 2019).

    The same as `torch.optim.AdamW` (without decay `torch.optim.Adam`) for every fold by itself: a fold that has no rows
    in a batch takes no step, and its moments and its count of steps stay.

    Parameters
    ----------
    weights
        Each (folds, ...).
    weight_decay
        Share of a weight that is taken away per step and unit of learning rate.
    betas, eps
        As in the paper.
    """

    def __init__(
        self,
        weights: Sequence[Tensor],
        *,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.weights = list(weights)
        self.decay, self.betas, self.eps = weight_decay, betas, eps
        self.first = [torch.zeros_like(w) for w in self.weights]
        self.second = [torch.zeros_like(w) for w in self.weights]
        self.steps = torch.zeros(len(self.weights[0]), dtype=torch.float64)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float, active: Tensor) -> None:
        """Move the weights of the active folds.

        Parameters
        ----------
        learning_rate
            Of this step.
        active
            (folds,) bool on the CPU.
        """
        self.steps += active
        low, high = self.betas
        done = self.steps.clamp(min=1)
        like = self.weights[0]
        size = (learning_rate / (1 - low**done) * active).to(like.device, like.dtype)
        root = (1 - high**done).sqrt().to(like.device, like.dtype)
        everyone = bool(active.all())
        for weight, first, second in zip(self.weights, self.first, self.second, strict=True):
            if weight.grad is None:
                continue
            shape = (-1,) + (1,) * (weight.ndim - 1)
            a, b = (1 - low, 1 - high)
            if everyone:
                first.lerp_(weight.grad, a)
                second.mul_(high).addcmul_(weight.grad, weight.grad, value=b)
            else:
                on = active.to(weight.device, weight.dtype).view(shape)
                first.add_(on * a * (weight.grad - first))
                second.add_(on * b * (weight.grad * weight.grad - second))
            if self.decay:
                kept = 1 - learning_rate * self.decay * active.to(weight.device, weight.dtype)
                weight.mul_(kept.view(shape))
            spread = second.sqrt().div_(root.view(shape)).add_(self.eps)
            weight.sub_(first.div(spread).mul_(size.view(shape)))
