"""One training loop for every network: steps, averages, checkpoints, history, curves, early stopping.

A training is a `Loop` that says what is learned: its `batches`, their `loss`, the learning `rate` of a step, and what
to `measure` after an epoch. A training that was stopped goes on from ``checkpoint.pt`` and, on the CPU, ends with the
same weights to the last bit; ``history.jsonl`` then holds every epoch once.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from fleeting.errors import SettingsError
from fleeting.training.history import Journal, read_checkpoint, write_checkpoint

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Plan:
    """When a training ends, and how its steps are taken.

    Attributes
    ----------
    epochs, steps
        Of the whole training; one of them, the other is 0.
    clip
        Largest norm of the gradient; 0 for any.
    patience
        Epochs without a better score after which training stops; 0 for never.
    threads
        On the CPU.
    """

    epochs: int = 0
    steps: int = 0
    clip: float = 0.0
    patience: int = 0
    threads: int = 1


class Loop:
    """State of one training.

    Parameters
    ----------
    network
        Trained in place, on its device.
    optimiser
        Of its weights.
    plan
        When it ends.
    recipe
        Dataclass that a checkpoint must have been made with; needed where one is written.
    averaged
        Whether a running average of the weights is kept, which is then what is measured (`keep`).
    """

    free: Collection[str] = ()
    """Settings of the recipe that may differ between a stopped training and its resumption."""

    latest_of_equals = False
    """Whether the last one of equally good epochs is kept, not the first."""

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        plan: Plan,
        *,
        recipe: Any = None,
        averaged: bool = False,
    ) -> None:
        self.network: Any = network
        self.optimiser, self.plan, self.recipe = optimiser, plan, recipe
        torch.set_num_threads(plan.threads)
        self.device: torch.device = next(network.parameters()).device
        self.average: Any = copy.deepcopy(network).eval() if averaged else None
        self.epoch = self.step = 0
        self.best: dict[str, Any] | None = None
        """The row, score, epoch and weights of the best epoch; None where `score` judges none."""

    # ------------------------------------------------------------ what differs

    def batches(self) -> Iterable[tuple[Any, ...]]:
        """Yield the batches of the coming epoch; all that is random in them hangs on its number."""
        raise NotImplementedError

    def loss(self, *batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a batch, and its terms for the history."""
        raise NotImplementedError

    def rate(self) -> float:
        """Return the learning rate of the coming step."""
        raise NotImplementedError

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the row of the history of the epoch that has ended, given the means of the terms of its loss."""
        return dict(terms)

    def score(self, row: Mapping[str, Any]) -> float | None:
        """Return what the best epoch has least of; None to choose no epoch."""
        return None

    def keep(self) -> float:
        """Return the share of the running average that stays after a step: the recipe's, less in the beginning."""
        return float(min(self.recipe.average, (1 + self.step) / (10 + self.step)))

    def extra(self) -> dict[str, Any]:
        """Return what else a checkpoint must hold: tensors and plain values."""
        return {}

    def take(self, extra: dict[str, Any]) -> None:
        """Go on from what `extra` returned."""

    # ------------------------------------------------------------ what is the same

    @property
    def best_epoch(self) -> int:
        """Number of the best epoch; 0 before the first."""
        return int(self.best["epoch"]) if self.best else 0

    def ended(self) -> bool:
        """Whether the plan is fulfilled or the patience used up."""
        if 0 < self.plan.patience <= self.epoch - self.best_epoch:
            return True
        return self.step >= self.plan.steps if self.plan.steps else self.epoch >= self.plan.epochs

    def run(self, out: Path | None = None) -> None:
        """Train to the end.

        Parameters
        ----------
        out
            Folder of checkpoint, history and curves, from which a stopped training goes on; nothing is written where
            None.

        Raises
        ------
        SettingsError
            Where the folder has a checkpoint of another recipe.
        """
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
        if out is not None and not self.step and (out / CHECKPOINT).exists():
            self.load(out / CHECKPOINT)
        with Journal(out, self.step) as journal:
            while not self.ended():
                started = time.perf_counter()
                terms = self.one_epoch()
                row = {"epoch": self.epoch, "step": self.step, **self.measure(terms)}
                row["seconds"] = round(time.perf_counter() - started, 1)
                self._keep_best(row)
                journal.write(row)
                if out is not None:
                    self.save(out / CHECKPOINT)

    def one_epoch(self) -> dict[str, float]:
        """One epoch; returns the mean of each term of the loss."""
        found: dict[str, list[Tensor]] = {}
        for batch in self.batches():
            for name, value in self.learn(*batch).items():
                found.setdefault(name, []).append(value)
        self.epoch += 1
        # Read only now: reading a number makes a GPU wait.
        return {k: float(np.mean(torch.stack(v).cpu().double().numpy())) for k, v in found.items()}

    def learn(self, *batch: Any) -> dict[str, Tensor]:
        """Take one step and return the terms of the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.network.train()
        total, terms = self.loss(*batch)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if self.plan.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
        self.optimiser.step()
        self.step += 1
        if self.average is not None:
            follow(self.average, self.network, keep=self.keep())
        return {name: value.detach().float() for name, value in terms.items()}

    def _keep_best(self, row: dict[str, Any]) -> None:
        score = self.score(row)
        if score is None:
            return
        if self.best is None or score < self.best["score"] + (score == self.best["score"] and self.latest_of_equals):
            state = (self.network if self.average is None else self.average).state_dict()
            weights = {name: value.detach().clone() for name, value in state.items()}
            self.best = {"score": score, "epoch": self.epoch, "row": copy.deepcopy(row), "weights": weights}

    def save(self, path: Path) -> None:
        """Write all that `load` needs, whole or not at all."""
        state = {
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "random": torch.get_rng_state(),
            "extra": self.extra(),
            "recipe": asdict(self.recipe),
        }
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        SettingsError
            Where it was made with another recipe.
        """
        state = read_checkpoint(path, self.recipe, free=self.free, device=self.device)
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.step, self.best = state["epoch"], state["step"], state["best"]
        torch.set_rng_state(state["random"].cpu())
        self.take(state["extra"])
        log.info("going on after epoch %d", self.epoch)


def cosine(step: int, *, rate: float, warm: float, total: float, floor: float = 0.01) -> float:
    """Return the learning rate of a step: up in a line over `warm` steps, then along a cosine to a share `floor`."""
    if step < warm:
        return rate * (step + 1) / warm
    way = min((step - warm) / max(total - warm, 1), 1.0)
    return rate * (floor + (1 - floor) * (1 + math.cos(math.pi * way)) / 2)


def choose_device(name: Device) -> torch.device:
    """Return the device to train on; ``auto`` takes CUDA where there is one.

    Raises
    ------
    SettingsError
        Where CUDA was asked for and there is none: a training does not fall back on its own.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise SettingsError(
            "a CUDA device, as the settings ask", "none that torch can use", "Set device = 'auto' to train on the CPU."
        )
    return torch.device("cuda" if name != "cpu" and there else "cpu")


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, *, keep: float) -> None:
    """Move the running average of a network's weights towards it.

    Parameters
    ----------
    average
        Changed in place; what is no weight (counters of batch norm) is copied.
    network
        Of the same kind.
    keep
        Share of the average that stays, 0..1.
    """
    for mine, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(new, 1 - keep)
        else:
            mine.copy_(new)
