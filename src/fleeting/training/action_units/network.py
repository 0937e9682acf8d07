"""The small network of action units, and how it is trained.

It is the network of the recogniser (`recognisers.fleeting.network`) with two outputs for each unit: that it moved, and
that it moved on the person's left. It looks at a flow image and at its mirror image: the first output is averaged over
both, the second of the mirror image is that of the right. So mirrored faces get the same units on the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.naming.action_units import LEFT, MOVED, UNITS
from fleeting.recognisers.fleeting.network import Variation, flow_net, mirrored_inputs
from fleeting.training.action_units.movements import UNKNOWN


class UnitRows(NamedTuple):
    """Inputs (n, 3, 14, 14) float32 with their units (n, units, 2) int64, left and right, as `Movement.truth`."""

    inputs: Tensor
    truth: Tensor


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the network is trained.

    Attributes
    ----------
    epochs, batch_size
        Passes over the rows, and rows at a time.
    learning_rate, weight_decay
        Of Adam with decoupled weight decay; the rate goes up and down once.
    sides
        Weight of the loss of the sides beside that of the units.
    """

    epochs: int
    batch_size: int
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    sides: float = 0.5


def unit_net(filters: tuple[int, int], dropout: tuple[float, float], *, seed: int) -> nn.Sequential:
    """Return an untrained network from (n, 3, 14, 14) to (n, 2 * units)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return flow_net(classes=2 * len(UNITS), filters=filters, dropout=dropout)


def unit_logits(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return logits (n, units, 3): moved, and if so on the left and on the right."""
    there, mirrored = network(inputs), network(mirrored_inputs(inputs))
    count = there.shape[1] // 2
    moved = (there[:, :count] + mirrored[:, :count]) / 2
    return torch.stack([moved, there[:, count:], mirrored[:, count:]], 2)


@torch.no_grad()
def answers_of(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return `unit_logits` of a trained network."""
    network.eval()
    return torch.cat([unit_logits(network, part) for part in torch.split(inputs, 256)])


def loss_of(logits: Tensor, truth: Tensor, *, sides: float) -> Tensor:
    """Cross-entropy of the units that are known, and of the sides of those that moved.

    Parameters
    ----------
    logits
        (n, units, 3).
    truth
        (n, units, 2).
    sides
        Weight of the second part.
    """
    shows = (truth == 1).any(2)
    known = (truth != UNKNOWN).all(2)
    loss = functional.binary_cross_entropy_with_logits(logits[..., MOVED][known], shows[known].float())
    if sides and bool(shows.any()):
        loss = loss + sides * functional.binary_cross_entropy_with_logits(
            logits[..., LEFT:][shows], (truth[shows] == 1).float()
        )
    return loss


def train_network(
    network: nn.Module,
    rows: UnitRows,
    settings: TrainingSettings,
    variation: Variation,
    *,
    seed: int,
) -> nn.Module:
    """Train in place, and return the network in evaluation mode.

    Parameters
    ----------
    network
        Of `unit_net`.
    rows
        Labelled inputs.
    settings, variation
        How.
    seed
        Decides batches, variation and dropout.
    """
    chance = torch.Generator().manual_seed(seed)
    count = len(rows.inputs)
    steps = settings.epochs * -(-count // settings.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, total_steps=steps, pct_start=0.15)
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(settings.epochs):
            for chosen in torch.split(torch.randperm(count, generator=chance), settings.batch_size):
                logits = unit_logits(network, variation.of_side(rows.inputs[chosen], chance))
                loss = loss_of(logits, rows.truth[chosen], sides=settings.sides)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
    return network.eval()
