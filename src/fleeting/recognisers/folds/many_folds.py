"""Train one network per fold, all folds at once.

The folds of a leave-one-subject-out protocol differ only in who is left out, so their networks see nearly the same rows
in nearly the same order. Here a fold is one more dimension of the weights (`recognisers.folds.folded`): every batch
is convolved once with the filters of all folds, and rows that are not a fold's own count nothing in its loss and
statistics.

What stays the same, however many folds are trained together, and what does not
-------------------------------------------------------------------------------
- All folds start from the same weights, and see the same order of rows, augmentation and dropout: these are drawn by
  row of the whole data, from the seed alone. So a fold that is trained alone ends with the same weights, but for the
  last digits of floating-point sums.
- A batch holds `batch_size` rows of the whole data, of which a fold uses its own. A loop that cuts the batches from the
  fold's own rows is the same procedure with another draw of batches.
- Pixels and labels of a row that is not a fold's own have no influence on it. (That there is such a row has: it takes a
  place in a batch.)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.errors import InputError
from fleeting.recognisers.folds.fold_adam import FoldAdam
from fleeting.recognisers.folds.folded import Folded

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Changes rows (n, c, h, w), the same for every fold, with chance from the generator; on the CPU."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EpochSettings:
    """How networks are trained.

    Attributes
    ----------
    epochs, batch_size
        Passes over the rows, and rows at a time.
    learning_rate, weight_decay
        Of Adam with decoupled weight decay.
    schedule
        ``constant``, or ``one-cycle``: up over the first 15 % of all steps, then down to nothing along a cosine.
    shuffle
        Deal the rows to batches anew in every epoch; False keeps the stored order.
    label_smoothing
        Share of the target that is spread over all classes.
    balanced
        Let the loss see logits plus the logarithm of the class's share of the fold's rows, so that the logits alone
        answer for classes of equal frequency (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021).
    extra_batch, extra_weight
        Rows of the extra set beside each batch, and the weight of their loss.
    folds_at_once
        Folds in one batch; more are trained in groups. Bounds the memory.
    device
        ``auto`` is the first GPU where there is one, else the processor.
    """

    epochs: int = 800
    batch_size: int = 256
    learning_rate: float = 5e-5
    weight_decay: float = 0.0
    schedule: Literal["constant", "one-cycle"] = "constant"
    shuffle: bool = False
    label_smoothing: float = 0.0
    balanced: bool = False
    extra_batch: int = 0
    extra_weight: float = 0.0
    folds_at_once: int = 80
    device: str = "auto"


class LabelledRows(NamedTuple):
    """Rows (n, c, h, w) float32 with their classes (n,) int64."""

    inputs: Tensor
    labels: Tensor


def device_of(name: str) -> torch.device:
    """Return the device that a setting names."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def train_folds(
    networks: Sequence[nn.Module],
    rows: LabelledRows,
    folds: Sequence[Rows],
    settings: EpochSettings,
    *,
    seed: int,
    augment: Augment | None = None,
    extra: LabelledRows | None = None,
) -> Iterator[Sequence[nn.Module]]:
    """Train one network per fold and yield all of them after each epoch.

    Parameters
    ----------
    networks
        One per fold, alike but for their weights; trained in place, left in evaluation mode.
    rows
        Rows of all folds.
    folds
        The rows of each fold that its network is trained on.
    settings
        How.
    seed
        Decides batches, augmentation and dropout.
    augment
        Changes all rows before each epoch.
    extra
        Rows that every fold is trained on beside its own, `extra_batch` at a time.

    Raises
    ------
    InputError
        Where a fold has no rows, or there are not as many networks as folds.
    """
    if len(networks) != len(folds) or not all(len(f) for f in folds):
        raise InputError(
            "one network per fold, and rows in every fold",
            f"{len(networks)} networks, folds of {[len(f) for f in folds]} rows",
            "Give every fold at least one training row.",
        )
    size = max(1, settings.folds_at_once)
    groups = [
        _Group(networks[i : i + size], rows, folds[i : i + size], settings, seed=seed, extra=extra)
        for i in range(0, len(folds), size)
    ]
    for epoch in range(settings.epochs):
        for group in groups:
            group.epoch(epoch, augment)
            group.folded.unfold(group.networks)
        yield networks


def train_all(networks: Sequence[nn.Module], *args: Any, **options: Any) -> Sequence[nn.Module]:
    """Train as `train_folds` and return the networks after the last epoch."""
    for _ in train_folds(networks, *args, **options):
        pass
    return networks


def same_start(make: Callable[[], nn.Module], folds: int, *, seed: int) -> list[nn.Module]:
    """Return one network per fold, all with the same first weights, drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = make()
    return [first, *(copy.deepcopy(first) for _ in range(folds - 1))]


class _Group:
    """Folds whose weights are stacked, with their optimiser."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        rows: LabelledRows,
        folds: Sequence[Rows],
        settings: EpochSettings,
        *,
        seed: int,
        extra: LabelledRows | None,
    ) -> None:
        self.networks, self.settings, self.rows = networks, settings, rows
        self.device = device_of(settings.device)
        self.extra = extra if settings.extra_batch and settings.extra_weight else None
        # Every use of chance has a stream of its own, so that leaving one out does not move the others.
        self.order, self.change, self.pick = (torch.Generator().manual_seed(seed * 4 + i) for i in range(3))
        dropout = torch.Generator(self.device).manual_seed(seed * 4 + 3)
        self.folded = Folded(networks, generator=dropout).to(self.device).train()
        self.optimiser = FoldAdam(list(self.folded.parameters()), weight_decay=settings.weight_decay)
        n = len(rows.labels)
        self.own = torch.zeros(len(folds), n, dtype=torch.bool)
        for fold, chosen in zip(self.own, folds, strict=True):
            fold[torch.from_numpy(np.asarray(chosen))] = True
        self.steps = math.ceil(n / settings.batch_size)
        classes = int(rows.labels.max()) + 1
        counts = torch.stack([torch.bincount(rows.labels[f], minlength=classes) for f in self.own])
        # A class that a fold lacks gets no share, and so no pull on the logits of the others.
        self.share = (counts / counts.sum(1, keepdim=True)).clamp(min=1e-6).log().to(self.device)
        self.inputs, self.labels, self.own_there = (x.to(self.device) for x in (*rows, self.own))

    def epoch(self, number: int, augment: Augment | None) -> None:
        n = len(self.rows.labels)
        order = torch.randperm(n, generator=self.order) if self.settings.shuffle else torch.arange(n)
        inputs = self.inputs if augment is None else augment(self.rows.inputs, self.change).to(self.device)
        for step, chosen in enumerate(torch.split(order, self.settings.batch_size)):
            self._step(number * self.steps + step, inputs, chosen, augment)

    def _step(self, number: int, all_inputs: Tensor, chosen: Tensor, augment: Augment | None) -> None:
        there = chosen.to(self.device)
        inputs, labels, own = all_inputs[there], self.labels[there], self.own_there[:, there]
        if self.extra is not None:
            picked = torch.randint(len(self.extra.labels), (self.settings.extra_batch,), generator=self.pick)
            more = self.extra.inputs[picked]
            inputs = torch.cat([inputs, (more if augment is None else augment(more, self.change)).to(self.device)])
            labels = torch.cat([labels, self.extra.labels[picked].to(self.device)])
            own = torch.cat([own, own.new_ones(len(own), len(picked))], 1)
        losses = self._losses(self.folded(inputs, own), labels, n_own=len(chosen)) * own.T
        total = losses[: len(chosen)].sum(0) / own[:, : len(chosen)].sum(1).clamp(min=1)
        if self.extra is not None:
            total = total + self.settings.extra_weight * losses[len(chosen) :].mean(0)
        self.optimiser.zero_grad()
        # The folds share no weight, so the gradient of the sum is the gradient of each.
        total.sum().backward()  # type: ignore[no-untyped-call]
        active = torch.ones(len(own), dtype=torch.bool) if self.extra is not None else self.own[:, chosen].any(1)
        self.optimiser.step(self._learning_rate(number), active)

    def _losses(self, logits: Tensor, labels: Tensor, *, n_own: int) -> Tensor:
        """(n, folds) cross-entropy; extra rows have classes of equal frequency."""
        if self.settings.balanced:
            own = logits[:n_own] + self.share[None, :, : logits.shape[2]]
            logits = torch.cat([own, logits[n_own:]])
        n, folds, classes = logits.shape
        target = labels[:, None].expand(n, folds).reshape(-1)
        smooth = self.settings.label_smoothing
        flat = functional.cross_entropy(logits.reshape(-1, classes), target, reduction="none", label_smoothing=smooth)
        return flat.view(n, folds)

    def _learning_rate(self, number: int) -> float:
        peak = self.settings.learning_rate
        if self.settings.schedule == "constant":
            return peak
        place = (number + 1) / (self.steps * self.settings.epochs)
        if place < 0.15:
            return peak * place / 0.15
        return peak * 0.5 * (1 + math.cos(math.pi * (place - 0.15) / 0.85))


@torch.no_grad()
def logits_of(network: nn.Module, inputs: Tensor, *, batch: int = 256) -> Tensor:
    """Return the logits (n, classes) of a trained network, computed on the CPU in evaluation mode."""
    network.eval()
    return torch.cat([network(part) for part in torch.split(inputs, batch)])
