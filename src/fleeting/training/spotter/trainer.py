"""Teaches one judge of candidates, and measures what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.spotting.candidates import CHANNELS, mirrored
from fleeting.training.loop import Loop, Plan
from fleeting.training.spotter.examples import Examples
from fleeting.training.spotter.network import TIME_SCALE, SpottingNetwork
from fleeting.training.spotter.recipe import SpotterRecipe

TIMES_WEIGHT = 0.5


class Trainer(Loop):
    """Teaches one network; `held_out` is only reported on, and the weights after the last epoch are kept."""

    def __init__(
        self, how: SpotterRecipe, examples: Examples, held_out: Examples, *, network: SpottingNetwork | None = None
    ) -> None:
        torch.manual_seed(how.seed)
        network = network or SpottingNetwork(width=how.width, dropout=how.dropout)
        optimiser = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
        super().__init__(network, optimiser, Plan(epochs=how.epochs), recipe=how)
        self.examples, self.held_out = examples, held_out
        self.rates = cosine_rates(how.learning_rate, how.epochs * (len(examples.label) // how.batch))
        self.rng = np.random.default_rng(how.seed)

    def batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield windows, scalars, classes and times."""
        return batches(self.examples, self.recipe, self.rng)

    def rate(self) -> float:
        """Return the rate of the cosine."""
        return self.rates[self.step]

    def loss(self, window: Tensor, scalars: Tensor, label: Tensor, times: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the cross-entropy, and the error of the times of micro-expressions."""
        answer = self.network(window, scalars)
        loss = nn.functional.cross_entropy(answer[:, :3], label, label_smoothing=0.02)
        known = ~torch.isnan(times[:, 0])
        if known.any():
            loss = loss + TIMES_WEIGHT * nn.functional.smooth_l1_loss(
                answer[known, 3:], times[known] / TIME_SCALE, beta=0.2
            )
        return loss, {"loss": loss}

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the loss, and scores on those held out."""
        return {**terms, "held_out": scores_of(answers(self.network, self.held_out), self.held_out)}

    def extra(self) -> dict[str, Any]:
        """Return the state of the source of chance, which one epoch after the other draws from."""
        return dict(self.rng.bit_generator.state)

    def take(self, extra: dict[str, Any]) -> None:
        """Go on drawing from there."""
        self.rng.bit_generator.state = extra


def cosine_rates(rate: float, steps: int) -> list[float]:
    """Return the rate of every step on a cosine down to zero, as torch's scheduler sets them."""
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    rates = []
    for _ in range(steps):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        schedule.step()
    return rates


def batches(
    examples: Examples, how: SpotterRecipe, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """One epoch in random order; half of the windows mirrored, all with a little noise."""
    order = rng.permutation(len(examples.label))
    for first in range(0, len(order) - how.batch + 1, how.batch):
        chosen = order[first : first + how.batch]
        window = examples.window[chosen].astype(np.float32)
        flip = rng.random(len(chosen)) < 0.5
        window[flip] = mirrored(window[flip])
        # Of some windows a part is hidden, so that no single curve decides.
        window *= rng.random((len(chosen), CHANNELS, 1)) >= how.hidden
        window += how.jitter * rng.standard_normal(window.shape, np.float32)
        scalars, label, times = examples.scalars[chosen], examples.label[chosen], examples.times[chosen]
        yield torch.from_numpy(window), torch.from_numpy(scalars), torch.from_numpy(label), torch.from_numpy(times)


@torch.no_grad()
def answers(network: SpottingNetwork, examples: Examples) -> npt.NDArray[np.float32]:
    """Answers (n, 6) of the network."""
    network.eval()
    # As numpy's: a tensor of one index would index one example, not a batch of one.
    parts = [part.numpy() for part in torch.split(torch.arange(len(examples.label)), 512)]
    rows = [
        network(torch.from_numpy(examples.window[p].astype(np.float32)), torch.from_numpy(examples.scalars[p]))
        for p in parts
    ]
    return np.asarray(torch.cat(rows).numpy(), np.float32)


def scores_of(answer: npt.NDArray[np.floating], examples: Examples) -> dict[str, float]:
    """Log loss in nats, best F1 of micro-expressions over thresholds (by candidate), median errors in seconds."""
    logits = answer[:, :3]
    gap = np.nanmedian(np.abs(answer[:, 3:] * TIME_SCALE - examples.times), axis=0)
    shifted = logits - logits.max(1, keepdims=True)
    share = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    truth = examples.label == 1
    order = np.argsort(-share[:, 1])
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + max(truth.sum(), 1))
    best = int(np.argmax(f1))
    loss = -np.log(np.maximum(share[np.arange(len(share)), examples.label], 1e-9)).mean()
    return {
        "log_loss": round(float(loss), 4),
        "accuracy": round(float((share.argmax(1) == examples.label).mean()), 4),
        "best_f1_of_candidates": round(float(f1[best]), 4),
        "probability_at_best_f1": round(float(share[order[best], 1]), 3),
        **{f"{name}_error_s": round(float(g), 4) for name, g in zip(("onset", "apex", "offset"), gap, strict=True)},
    }
