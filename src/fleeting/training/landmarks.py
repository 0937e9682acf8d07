"""Train the landmark network: ``fleeting train recipes/landmarks.toml --data ../shared/data --out runs/landmarks``.

One trunk learns five tasks at once (`models.landmark_net`); auxiliary tasks stop teaching it one by one
(`task_stopping`). Training people alone are trained on; the average weights of the epoch with the smallest error on
validation people are kept; test people are measured once, after training. Stopped trainings go on from
``checkpoint.pt``.
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fleeting.errors import DataError
from fleeting.training import recipe as recipes
from fleeting.training.checkpoints import follow, read_checkpoint, write_checkpoint
from fleeting.training.landmark_check import check_sets, measure
from fleeting.training.landmark_crops import CropDataset, CropSource, batches, epoch_keys
from fleeting.training.landmark_export import ship
from fleeting.training.landmark_labels import (
    WRONG_LABEL,
    FaceSample,
    fit_point_map,
    load_landmarks68,
    load_teacher_set,
)
from fleeting.training.landmark_losses import AUXILIARY, TASKS, task_losses
from fleeting.training.landmark_recipe import LandmarkRecipe
from fleeting.training.not_faces import face_free_pictures, load_hard
from fleeting.training.people import part_of
from fleeting.training.task_stopping import TaskStopping

log = logging.getLogger(__name__)


def load_source(recipe: LandmarkRecipe, data: Path) -> CropSource:
    """Read all training pictures of a recipe.

    Raises
    ------
    DataError
        Where a file is missing, or the recipe's test people are not those of the split.
    """
    teacher = Path(recipe.teacher) if recipe.teacher else None
    labelled = load_landmarks68(data, teacher=teacher, parts=("train",))
    taught: dict[str, list[FaceSample]] = {}
    if teacher is not None:
        point_map, error = fit_point_map(data, teacher)
        labelled = _without_wrong(labelled, data, error)
        taught = {name: load_teacher_set(name, data, teacher, point_map) for name in recipe.counts}
    rng = np.random.default_rng([recipe.seed, 1])
    everyone = [*labelled, *(s for samples in taught.values() for s in samples)]
    pictures = face_free_pictures(data, everyone, rng, patterns=recipe.patterns)
    hard = load_hard(Path(recipe.hard)) if recipe.hard else []
    log.info("%d labelled faces, %s taught", len(labelled), {k: len(v) for k, v in taught.items()})
    return CropSource(labelled, taught, pictures, hard)  # type: ignore[arg-type]


def _without_wrong(labelled: list[FaceSample], data: Path, error: Any) -> list[FaceSample]:
    with np.load(data / "landmarks68.npz", allow_pickle=False) as stored:
        train = np.array([part_of(str(p)) == "train" for p in stored["person"]])
    kept = [s for s, e in zip(labelled, error[train], strict=True) if not e > WRONG_LABEL]
    log.info("%d faces left out, whose labels and teacher disagree", len(labelled) - len(kept))
    return kept


def _check_people(recipe: LandmarkRecipe, data: Path) -> None:
    with np.load(data / "landmarks68.npz", allow_pickle=False) as stored:
        test = sorted({str(p) for p in stored["person"] if part_of(str(p)) == "test"})
    if recipe.test_people and sorted(recipe.test_people) != test:
        raise DataError(
            "the recipe's test people to be those of the split",
            f"{len(set(recipe.test_people) ^ set(test))} names that differ",
            "Correct test_people in the recipe.",
        )


class Trainer:
    """State of one training: network, average, optimiser, stopping, and what is written of them."""

    def __init__(self, recipe: LandmarkRecipe, *, steps_per_epoch: int) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.net = recipe.network.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = recipe.network.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.stopping = TaskStopping(AUXILIARY, window=recipe.stop_window, threshold=recipe.stop_threshold)
        self.steps_per_epoch, self.step, self.epoch = steps_per_epoch, 0, 0
        self.best: dict[str, float] = {}
        self.best_weights = {k: v.clone() for k, v in self.average.state_dict().items()}

    def learning_rate(self) -> float:
        """Cosine from the recipe's rate to a hundredth of it, after a linear warm-up."""
        warm = self.recipe.warm_epochs * self.steps_per_epoch
        total = self.recipe.epochs * self.steps_per_epoch
        if self.step < warm:
            return self.recipe.learning_rate * (self.step + 1) / warm
        way = min((self.step - warm) / max(total - warm, 1), 1.0)
        return self.recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * way)) / 2)

    def learn(self, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> dict[str, float]:
        """Take one optimiser step and return the loss of every task."""
        crops, truth, known, weight = batch
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        detached = tuple(t in AUXILIARY and (not self.recipe.auxiliary or t in self.stopping.stopped_at) for t in TASKS)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            points, states, heat = self.net.answer(crops.contiguous(memory_format=torch.channels_last), detached)
        losses = task_losses(points, states, truth, known, weight, heat)
        weights = asdict(self.recipe.loss)
        total = losses["points"] + sum(weights[t] * losses[t] for t in ("heat", *TASKS))
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 20.0)
        self.optimiser.step()
        self.step += 1
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        follow(self.average, self.net, keep=keep)
        return {task: float(loss.detach()) for task, loss in losses.items()}

    def save(self, path: Path) -> None:
        """Write all that `load` needs, whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stopping": self.stopping.state(),
            "step": self.step,
            "epoch": self.epoch,
            "best": self.best,
            "best_weights": self.best_weights,
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
        state = read_checkpoint(path, self.recipe, free=("workers", "threads"))
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.stopping.load(state["stopping"])
        self.step, self.epoch, self.best = state["step"], state["epoch"], state["best"]
        self.best_weights = state["best_weights"]


def fit(
    trainer: Trainer, dataset: CropDataset, checks: Any, *, out: Path, epochs: int | None = None
) -> dict[str, float]:
    """Train up to `epochs` (by default the recipe's), write a checkpoint after each, and return the best check."""
    recipe = trainer.recipe
    while trainer.epoch < (recipe.epochs if epochs is None else epochs):
        started = time.perf_counter()
        rng = np.random.default_rng([recipe.seed, 2, trainer.epoch])
        keys = epoch_keys(dataset.source, counts=recipe.counts, not_face_share=recipe.not_face_share, rng=rng)
        rows = [trainer.learn(b) for b in batches(dataset, keys, size=recipe.batch, workers=recipe.workers)]
        training = {task: float(np.mean([row[task] for row in rows])) for task in rows[0]}
        trainer.epoch += 1
        found, validation = measure(trainer.average, checks)
        for task in trainer.stopping.update(training, validation):
            log.info("epoch %d: %s stops teaching the trunk", trainer.epoch, task)
        if not trainer.best or found["nme68"] < trainer.best["nme68"]:
            trainer.best = {**found, "epoch": float(trainer.epoch)}
            trainer.best_weights = {k: v.clone() for k, v in trainer.average.state_dict().items()}
        seconds = time.perf_counter() - started
        row = {"epoch": trainer.epoch, "seconds": round(seconds, 1), "training": training, "validation": validation}
        with (out / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps({**row, **found, "stopped": trainer.stopping.stopped_at}) + "\n")
        log.info("epoch %d (%.0f s): points %.3f px; %s", trainer.epoch, seconds, training["points"], found)
        trainer.save(out / "checkpoint.pt")
    return trainer.best


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train after a recipe, going on where a stopped training of the same recipe ended, and ship the best network.

    Raises
    ------
    DataError
        Where pictures or teacher labels are missing.
    SettingsError
        For a recipe that is wrong, or another one than the checkpoint's.
    """
    chosen = recipes.load(LandmarkRecipe, recipe)
    torch.set_num_threads(chosen.threads)
    _check_people(chosen, data)
    source = load_source(chosen, data)
    dataset = CropDataset(source, weights=chosen.point_weights)
    counted = epoch_keys(
        source, counts=chosen.counts, not_face_share=chosen.not_face_share, rng=np.random.default_rng(0)
    )
    trainer = Trainer(chosen, steps_per_epoch=math.ceil(len(counted) / chosen.batch))
    out.mkdir(parents=True, exist_ok=True)
    if (out / "checkpoint.pt").exists():
        trainer.load(out / "checkpoint.pt")
        log.info("going on after epoch %d", trainer.epoch)
    teacher = Path(chosen.teacher) if chosen.teacher else None
    fit(trainer, dataset, check_sets(chosen, source, data, teacher=teacher, part="validation"), out=out)
    network = chosen.network.build()
    network.load_state_dict(trainer.best_weights)
    test, _ = measure(network, check_sets(chosen, source, data, teacher=teacher, part="test"))
    ship(network, chosen, out=out, validation=trainer.best, test=test, source=source)
