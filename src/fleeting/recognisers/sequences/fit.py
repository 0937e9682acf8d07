"""Training a network of sequences.

What a network is taught is its `Task`; its trainer deals the rows to batches, changes them at random, watches the
validation subjects and keeps the best epoch by them (the last one where there are none).
Everything random in an epoch hangs on the seed and the number of the epoch alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.datasets.samples import Samples
from fleeting.recognisers.sequences.clip_rows import ClipRows, changed, class_weights, clip_rows
from fleeting.training.loop import Device, Loop, Plan, choose_device
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Range, check
from fleeting.weights import checksum

Precision = Literal["float32", "tf32", "bfloat16"]


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


class SequenceTrainer(Loop):
    """State of one training of a task, whose network has its first weights already.

    The best epoch by the validation clips is kept where there are any, else the last one.
    """

    def __init__(self, task: Task, settings: FitSettings, *, classes: int, seed: int) -> None:
        task.network.to(choose_device(settings.device))
        learned = [p for p in task.network.parameters() if p.requires_grad]
        rate, decay = settings.learning_rate, settings.weight_decay
        optimiser: torch.optim.Optimizer = (
            torch.optim.SGD(learned, lr=rate, momentum=0.9, weight_decay=decay)
            if settings.optimiser == "sgd"
            else torch.optim.AdamW(learned, lr=rate, weight_decay=decay)
        )
        plan = Plan(epochs=settings.epochs, clip=5.0, patience=settings.patience, threads=settings.threads)
        super().__init__(task.network, optimiser, plan)
        self.task, self.settings, self.classes, self.seed = task, settings, classes, seed
        self.rows: ClipRows | None = None
        self.validation: ClipRows | None = None
        self._way = 0.0

    def fit(self, train: ClipRows, validation: ClipRows | None, *, out: Path | None = None, recipe: Any = None) -> None:
        """Train to the end, or until the patience is used up, and leave the kept weights in the network.

        Parameters
        ----------
        train, validation
            Clips of different subjects.
        out
            As in `Loop.run`.
        recipe
            Dataclass that a checkpoint must have been made with, needed with `out`.
        """
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.settings.precision == "tf32"
        self.load_rows(train)
        self.recipe, self.validation = recipe, None if validation is None else validation.to(self.device)
        self.run(out)
        if self.best is not None:
            self.network.load_state_dict(self.best["weights"])
        self.network.eval()

    def load_rows(self, train: ClipRows) -> None:
        """Take the clips to learn from."""
        self.rows = train.to(self.device)
        self._weight = class_weights(self.rows.label, self.classes)

    def batches(self) -> Iterator[tuple[Tensor, torch.Generator]]:
        """Yield the rows of a batch, and the source of its changes."""
        assert self.rows is not None
        seed = self.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)  # dropout
        draw = torch.Generator().manual_seed(seed)
        steps = list(_batches(len(self.rows), self.settings.batch, draw))
        for place, chosen in enumerate(steps):
            self._way = self.epoch + place / len(steps)
            yield chosen, draw

    def loss(self, chosen: Tensor, draw: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum of the task's terms on changed clips, and each of them."""
        assert self.rows is not None
        clips = changed(self.rows, chosen, flip=self.settings.flip, shift=self.settings.shift, draw=draw)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            terms = self.task.loss(clips, self.rows.label[chosen.to(self.device)], self._weight, draw)
        return torch.stack(list(terms.values())).sum(), {f"loss/{name}": value for name, value in terms.items()}

    def rate(self) -> float:
        """Return the rate of the cosine, after a warm-up over the first epoch."""
        way = min(self._way / self.settings.epochs, 1.0)
        cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * way)) / 2
        return self.settings.learning_rate * min(self._way + 0.1, 1.0) * cosine

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the terms of the loss, and loss and accuracy on the validation clips."""
        return terms if self.validation is None else terms | self._watch(self.validation)

    def score(self, row: Mapping[str, Any]) -> float | None:
        """Return the loss on the validation clips."""
        return row.get("validation/loss")

    def _watch(self, validation: ClipRows) -> dict[str, float]:
        found = log_probabilities(self.task, validation, batch=2 * self.settings.batch)
        weight = class_weights(validation.label, self.classes).cpu()
        first = next(iter(found.values()))
        truth = validation.label.cpu()
        loss = float(functional.nll_loss(first, truth, weight))
        return {"validation/loss": loss, "validation/accuracy": float((first.argmax(1) == truth).float().mean())}


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


@dataclass(frozen=True)
class FittedSequence:
    """A trained network of sequences; it always answers, and its probabilities are not calibrated."""

    task: Task
    kind: str
    length: int
    side: int
    threshold: float = 0.0

    def rows(self, samples: Samples) -> ClipRows:
        """Return samples as the network reads them."""
        return clip_rows(samples, kind=self.kind, length=self.length, side=self.side)

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1."""
        return next(iter(probabilities(self.task, self.rows(samples)).values()))

    def by_answer(self, samples: Samples) -> dict[str, npt.NDArray[np.float32]]:
        """Return what each part of the network says, the network's own answer first."""
        return probabilities(self.task, self.rows(samples))


def fit_sequence(
    fitted: FittedSequence, how: FitSettings, train: Samples, validation: Samples | None, *, seed: int
) -> FittedSequence:
    """Train around a task; the best epoch by the validation clips is kept where there are any, else the last one."""
    trainer = SequenceTrainer(fitted.task, how, classes=len(train.classes), seed=seed)
    trainer.fit(fitted.rows(train), None if validation is None else fitted.rows(validation))
    return fitted


def content(path: str) -> str:
    """Return the SHA-256 of a file that a training begins with, empty where there is none."""
    file = Path(path)
    return checksum(file) if file.is_file() else ""


def plain_settings(name: str, plan: Any) -> dict[str, Any]:
    """Return a recogniser's settings as plain values; device and threads, which change no result, are left out."""
    found: dict[str, Any] = {"name": name, **asdict(plan)}
    found["fit"] = {k: v for k, v in found["fit"].items() if k not in ("device", "threads")}
    return found
