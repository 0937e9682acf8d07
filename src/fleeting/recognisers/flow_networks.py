"""Published networks of flow images as recognisers: trained for a fixed number of epochs, nothing chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.datasets.samples import Samples
from fleeting.recognisers.contract import Fitted, TrainingRows, in_order_of_clips
from fleeting.recognisers.folds.many_folds import EpochSettings, LabelledRows, logits_of, same_start, train_folds
from fleeting.recognisers.off_apexnet import off_apexnet
from fleeting.recognisers.ststnet import ststnet


def pixels(images: npt.NDArray[np.uint8], *, scale: float) -> Tensor:
    """Return (n, 3, 28, 28) float32 of flow images (n, 28, 28, 3), each pixel 0..255 times the scale."""
    return torch.from_numpy(np.moveaxis(images, 3, 1).astype(np.float32) * np.float32(scale))


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network; it always answers, and its probabilities are not calibrated."""

    network: nn.Module
    scale: float
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes)."""
        logits = logits_of(self.network, pixels(samples.flow_images(), scale=self.scale))
        return np.asarray(torch.softmax(logits, 1).numpy(), np.float32)


@dataclass(frozen=True)
class FlowNetwork:
    """A kind of network with its training.

    Attributes
    ----------
    name
        As ``fleeting benchmark --model`` spells it.
    make
        Gives an untrained network for a number of classes.
    training
        Epochs, batches, rate.
    scale
        Pixels are multiplied by it.
    """

    name: str
    make: Callable[..., nn.Module]
    training: EpochSettings
    scale: float = 1.0
    needs: Literal["flow"] = "flow"

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings."""
        return {"scale": self.scale, **asdict(self.training)}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Fitted:
        """Train on all training rows; nothing is chosen, so validation rows are not looked at."""
        everything = TrainingRows("fit", np.arange(len(train)), np.array([], np.int64))
        return self.fit_many(train, [everything], seed=seed)[0]

    def fit_many(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> list[Fitted]:
        """Train one network per fold."""
        fitted: list[Fitted] = []
        for fitted in self.fit_many_epochs(data, folds, seed=seed):  # noqa: B007
            pass
        return fitted

    def fit_epochs(self, train: Samples, validation: Samples | None, *, seed: int) -> Iterator[Fitted]:
        """Yield the network after each epoch."""
        everything = TrainingRows("fit", np.arange(len(train)), np.array([], np.int64))
        for (fitted,) in self.fit_many_epochs(train, [everything], seed=seed):
            yield fitted

    def fit_many_epochs(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> Iterator[list[Fitted]]:
        """Yield the networks of all folds after each epoch; they go on being trained when the next is asked for."""
        data, folds = in_order_of_clips(data, folds)
        rows = LabelledRows(pixels(data.flow_images(), scale=self.scale), torch.from_numpy(data.label))
        networks = same_start(lambda: self.make(classes=len(data.classes)), len(folds), seed=seed)
        for trained in train_folds(networks, rows, [f.train for f in folds], self.training, seed=seed):
            yield [FittedNetwork(network.eval(), self.scale) for network in trained]


def ststnet_recogniser() -> FlowNetwork:
    """STSTNet with its authors' training (`recognisers.ststnet`)."""
    training = EpochSettings(epochs=800, batch_size=256, learning_rate=5e-5, folds_at_once=10)
    return FlowNetwork("ststnet", ststnet, training)


def off_apexnet_recogniser() -> FlowNetwork:
    """OFF-ApexNet (`recognisers.off_apexnet`); the rate of 1e-4 is the paper's; batches, epochs and scale are ours."""
    training = EpochSettings(epochs=100, batch_size=64, learning_rate=1e-4, shuffle=True, folds_at_once=20)
    return FlowNetwork("off-apexnet", off_apexnet, training, scale=1 / 255)
