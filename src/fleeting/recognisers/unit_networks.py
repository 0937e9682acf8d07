"""Published networks of flow images that name action units: one logit for each, trained with binary cross-entropy.

The networks, rates, batches and epochs are those of `recognisers.flow_networks`. As in CD6ME (Varanka et al., 2023) the
loss is the mean binary cross-entropy of all units, without weights, and a unit is named from a half on: nothing is
chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from fleeting.datasets.samples import Samples
from fleeting.recognisers.flow_networks import FlowNetwork, off_apexnet_recogniser, pixels, ststnet_recogniser
from fleeting.recognisers.folds.many_folds import EpochSettings, device_of, logits_of


@dataclass(frozen=True)
class FittedUnitNetwork:
    """A trained network; its probabilities are not calibrated."""

    network: nn.Module
    scale: float
    thresholds: npt.NDArray[np.float64]

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, units)."""
        logits = logits_of(self.network, pixels(samples.flow_images(), scale=self.scale))
        return np.asarray(torch.sigmoid(logits).numpy(), np.float32)


@dataclass(frozen=True)
class UnitNetwork:
    """A kind of network with its training.

    Attributes
    ----------
    name, make, training, scale
        As `flow_networks.FlowNetwork`.
    """

    name: str
    make: Callable[..., nn.Module]
    training: EpochSettings
    scale: float = 1.0
    needs: Literal["flow"] = "flow"

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings."""
        return {"scale": self.scale, "loss": "binary cross-entropy", **asdict(self.training)}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedUnitNetwork:
        """Train on all training rows; nothing is chosen, so validation rows are not looked at."""
        rows = train.select(np.argsort(train.clip, kind="stable"))
        truth = torch.from_numpy(rows.coded_units())
        device = device_of(self.training.device)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self.make(classes=truth.shape[1]).to(device).train()
            self._train(network, pixels(rows.flow_images(), scale=self.scale).to(device), truth.to(device))
        return FittedUnitNetwork(network.cpu().eval(), self.scale, np.full(truth.shape[1], 0.5))

    def _train(self, network: nn.Module, inputs: Tensor, truth: Tensor) -> None:
        settings, known = self.training, (truth >= 0).float()
        optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        for _ in range(settings.epochs):
            order = torch.randperm(len(truth)) if settings.shuffle else torch.arange(len(truth))
            for chosen in torch.split(order, settings.batch_size):
                if len(chosen) < 2:  # batch norm needs two rows
                    continue
                target, counts = truth[chosen].clamp(min=0).float(), known[chosen]
                losses = binary_cross_entropy_with_logits(network(inputs[chosen]), target, reduction="none")
                optimiser.zero_grad()
                ((losses * counts).sum() / counts.sum().clamp(min=1)).backward()  # type: ignore[no-untyped-call]
                optimiser.step()


def ststnet_units() -> UnitNetwork:
    """STSTNet (`recognisers.ststnet`) with one logit for each unit."""
    return _of(ststnet_recogniser())


def off_apexnet_units() -> UnitNetwork:
    """OFF-ApexNet (`recognisers.off_apexnet`) with one logit for each unit."""
    return _of(off_apexnet_recogniser())


def _of(kind: FlowNetwork) -> UnitNetwork:
    return UnitNetwork(kind.name, kind.make, kind.training, kind.scale)
