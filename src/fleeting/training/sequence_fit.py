"""Training a network of sequences: one loop for all of them, that can be stopped and goes on as if it had not been.

What a network is taught is its `Task`; this loop deals the rows to batches, changes them at random, steps the
optimiser, watches the validation subjects and keeps the best epoch by them (the last one where there are none).
Everything random in an epoch hangs on the seed and the number of the epoch alone.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.errors import MissingExtraError
from fleeting.training.checkpoints import read_checkpoint, write_checkpoint
from fleeting.training.clip_rows import ClipRows, changed, class_weights
from fleeting.training.devices import Device, choose_device
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Range, check

log = logging.getLogger(__name__)

Precision = Literal["float32", "tf32", "bfloat16"]
CHECKPOINT, HISTORY, BOARD = "checkpoint.pt", "history.jsonl", "tensorboard"


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network of sequences is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the training clips, and clips at a time.
    optimiser
        ``sgd`` (momentum 0.9) or ``adamw``.
    learning_rate, weight_decay
        The rate falls along a cosine to a hundredth, after a linear warm-up over the first epoch.
    patience
        Epochs without a better validation loss after which training stops; 0 for never. Where there are validation
        clips, the best epoch by their loss is kept.
    flip
        Mirror every second clip at random.
    shift
        Largest shift of a clip along each axis, as a share of its side.
    precision
        ``float32``; ``tf32`` (CUDA's shorter products); ``bfloat16`` (mixed).
    device
        ``auto`` takes CUDA where there is one; ``cuda`` never falls back.
    threads
        On the CPU.
    """

    epochs: Count = 40
    batch: Count = 16
    optimiser: Literal["sgd", "adamw"] = "sgd"
    learning_rate: Positive = 0.01
    weight_decay: NotNegative = 5e-4
    patience: CountOrNone = 0
    flip: bool = True
    shift: Annotated[float, Range(0, 0.5, below=True)] = 0.04
    precision: Precision = "float32"
    device: Device = "auto"
    threads: Count = 1

    def __post_init__(self) -> None:
        check(self)


class Task(Protocol):
    """What a network is taught."""

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        ...

    def loss(self, clips: Tensor, label: Tensor, weight: Tensor, draw: torch.Generator) -> dict[str, Tensor]:
        """Return the terms of the loss of a batch, weighted; their sum is made smaller.

        `weight` (classes,) is that of each class in the cross-entropy, `draw` the source of chance (on the CPU).
        """
        ...

    def answers(self, clips: Tensor) -> dict[str, Tensor]:
        """Return logits or logarithms of probabilities (n, classes) by name; the first one is the network's answer."""
        ...

    def start_epoch(self, epoch: int) -> None:
        """Hear of a new epoch, counted from 0."""
        ...


class SequenceTrainer:
    """State of one training.

    Parameters
    ----------
    task
        What is taught; its network is trained in place.
    settings
        How.
    classes
        Number of classes.
    seed
        Of all that is drawn while training (the network's first weights are the caller's).
    """

    def __init__(self, task: Task, settings: FitSettings, *, classes: int, seed: int) -> None:
        self.task, self.settings, self.classes, self.seed = task, settings, classes, seed
        self.device = choose_device(settings.device)
        task.network.to(self.device)
        learned = [p for p in task.network.parameters() if p.requires_grad]
        rate, decay = settings.learning_rate, settings.weight_decay
        self.optimiser: torch.optim.Optimizer = (
            torch.optim.SGD(learned, lr=rate, momentum=0.9, weight_decay=decay)
            if settings.optimiser == "sgd"
            else torch.optim.AdamW(learned, lr=rate, weight_decay=decay)
        )
        self.epoch = 0
        self.best: dict[str, Tensor] | None = None
        self.best_loss, self.best_epoch = math.inf, 0

    def fit(self, train: ClipRows, validation: ClipRows | None, *, out: Path | None = None, recipe: Any = None) -> None:
        """Train to the end, or until the patience is used up, and leave the kept weights in the network.

        Parameters
        ----------
        train, validation
            Clips of different subjects.
        out
            Folder of the checkpoint, ``history.jsonl`` and TensorBoard files; a stopped training goes on from it.
            Nothing is written where None.
        recipe
            Dataclass that a checkpoint must have been made with, needed with `out`.
        """
        torch.set_num_threads(self.settings.threads)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.settings.precision == "tf32"
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        if out is not None and (out / CHECKPOINT).exists():
            self.load(out / CHECKPOINT, recipe)
        train = train.to(self.device)
        validation = None if validation is None else validation.to(self.device)
        weight = class_weights(train.label, self.classes)
        with _Journal(out, self.epoch) as journal:
            while self.epoch < self.settings.epochs and not self._stopped():
                started = time.perf_counter()
                terms = self._pass(train, weight)
                self.epoch += 1
                row = {"epoch": self.epoch, **{f"loss/{k}": v for k, v in terms.items()}}
                if validation is not None:
                    row |= self._watch(validation)
                row["seconds"] = time.perf_counter() - started
                journal.write(row)
                if out is not None:
                    self.save(out / CHECKPOINT, recipe)
        if self.best is not None:
            self.task.network.load_state_dict(self.best)
        self.task.network.eval()

    def _stopped(self) -> bool:
        return 0 < self.settings.patience <= self.epoch - self.best_epoch

    def _pass(self, train: ClipRows, weight: Tensor) -> dict[str, float]:
        """One epoch; returns the mean of each term of the loss."""
        seed = self.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)  # dropout
        draw = torch.Generator().manual_seed(seed)
        self.task.start_epoch(self.epoch)
        self.task.network.train()
        sums: dict[str, Tensor] = {}
        steps = list(_batches(len(train), self.settings.batch, draw))
        for place, chosen in enumerate(steps):
            for group in self.optimiser.param_groups:
                group["lr"] = self._rate(self.epoch + place / len(steps))
            clips = changed(train, chosen, flip=self.settings.flip, shift=self.settings.shift, draw=draw)
            with self._autocast():
                terms = self.task.loss(clips, train.label[chosen.to(self.device)], weight, draw)
            total = torch.stack(list(terms.values())).sum()
            self.optimiser.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([p for p in self.task.network.parameters() if p.grad is not None], 5.0)
            self.optimiser.step()
            for name, value in terms.items():  # not as numbers: reading them would make a GPU wait at every step
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach().float()
        return {name: float(value) / len(steps) for name, value in sums.items()}

    def _rate(self, epoch: float) -> float:
        way = min(epoch / self.settings.epochs, 1.0)
        return self.settings.learning_rate * min(epoch + 0.1, 1.0) * (0.01 + 0.99 * (1 + math.cos(math.pi * way)) / 2)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def _watch(self, validation: ClipRows) -> dict[str, float]:
        found = log_probabilities(self.task, validation, batch=2 * self.settings.batch)
        weight = class_weights(validation.label, self.classes).cpu()
        first = next(iter(found.values()))
        truth = validation.label.cpu()
        loss = float(functional.nll_loss(first, truth, weight))
        if loss < self.best_loss:
            state = self.task.network.state_dict()
            self.best = {name: value.detach().clone() for name, value in state.items()}
            self.best_loss, self.best_epoch = loss, self.epoch
        return {"validation/loss": loss, "validation/accuracy": float((first.argmax(1) == truth).float().mean())}

    def save(self, path: Path, recipe: Any) -> None:
        """Write all that `load` needs, whole or not at all."""
        state = {
            "network": self.task.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "recipe": asdict(recipe),
        }
        write_checkpoint(path, state)

    def load(self, path: Path, recipe: Any) -> None:
        """Go on from a checkpoint.

        Raises
        ------
        SettingsError
            Where it was made with another recipe.
        """
        state = read_checkpoint(path, recipe, free=(), device=self.device)
        self.task.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_loss, self.best_epoch = state["best_loss"], state["best_epoch"]
        log.info("going on after epoch %d", self.epoch)


class _Journal:
    """``history.jsonl`` and the curves of TensorBoard, where a folder is given."""

    def __init__(self, out: Path | None, epoch: int) -> None:
        self._out, self._board = out, None
        if out is not None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingExtraError("research", "loss curves (tensorboard)") from error

            out.mkdir(parents=True, exist_ok=True)
            # What a killed training wrote after its last checkpoint is passed over.
            self._board = SummaryWriter(str(out / BOARD), purge_step=epoch + 1)

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()

    def write(self, row: Mapping[str, float]) -> None:
        log.info("%s", ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
        if self._out is None or self._board is None:
            return
        with (self._out / HISTORY).open("a", encoding="utf-8") as history:
            history.write(json.dumps(row) + "\n")
        for name, value in row.items():
            if "/" in name:
                self._board.add_scalar(name, value, int(row["epoch"]))
        self._board.flush()


def _batches(count: int, size: int, draw: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows 0..count-1 in a drawn order; the last batch may be smaller, but has more than one row."""
    order = torch.randperm(count, generator=draw)
    for begin in range(0, count, size):
        chosen = order[begin : begin + size]
        if len(chosen) > 1 or count == 1:
            yield chosen


@torch.no_grad()
def log_probabilities(task: Task, rows: ClipRows, *, batch: int = 32) -> dict[str, Tensor]:
    """Return the logarithms of the probabilities of unchanged clips by answer, (n, classes) float32 on the CPU."""
    task.network.eval()
    device = next(task.network.parameters()).device
    found: dict[str, list[Tensor]] = {}
    for begin in range(0, len(rows), batch):
        for name, logits in task.answers(rows.clips[begin : begin + batch].to(device)).items():
            found.setdefault(name, []).append(logits.float().log_softmax(1).cpu())
    return {name: torch.cat(parts) for name, parts in found.items()}


def probabilities(task: Task, rows: ClipRows) -> dict[str, npt.NDArray[np.float32]]:
    """Return probabilities by answer, (n, classes), rows summing to 1."""
    return {name: np.asarray(p.exp().numpy(), np.float32) for name, p in log_probabilities(task, rows).items()}
