"""Train the landmark network: ``fleeting train recipes/landmarks.toml --data ../shared/data --out runs/landmarks``.

One trunk learns five tasks at once (`training.landmarks.network`); auxiliary tasks stop teaching it one by one
(`task_stopping`). Training people alone are trained on; the average weights of the epoch with the smallest error on
validation people are kept; test people are measured once, after training. Stopped trainings go on from
``checkpoint.pt``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fleeting.errors import DataError
from fleeting.training import recipe as recipes
from fleeting.training.landmarks.check import CheckSets, check_sets, measure
from fleeting.training.landmarks.crops import Batch, CropDataset, CropSource, batches, epoch_keys
from fleeting.training.landmarks.export import ship
from fleeting.training.landmarks.labels import (
    WRONG_LABEL,
    FaceSample,
    fit_point_map,
    load_landmarks68,
    load_teacher_set,
)
from fleeting.training.landmarks.losses import AUXILIARY, TASKS, TaskStopping, task_losses
from fleeting.training.landmarks.recipe import LandmarkRecipe
from fleeting.training.loop import Loop, Plan, cosine
from fleeting.training.not_faces import face_free_pictures
from fleeting.training.people import part_of

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
    log.info("%d labelled faces, %s taught", len(labelled), {k: len(v) for k, v in taught.items()})
    return CropSource(labelled, taught, pictures)  # type: ignore[arg-type]


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


class Trainer(Loop):
    """Teaches the landmark network; the average of the epoch with the smallest validation error is kept."""

    free = ("workers", "threads")

    def __init__(self, recipe: LandmarkRecipe, dataset: CropDataset, checks: CheckSets) -> None:
        torch.manual_seed(recipe.seed)
        net = recipe.network.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        plan = Plan(epochs=recipe.epochs, clip=20.0, threads=recipe.threads)
        super().__init__(net, optimiser, plan, recipe=recipe, averaged=True)
        self.dataset, self.checks = dataset, checks
        self.stopping = TaskStopping(AUXILIARY, window=recipe.stop_window, threshold=recipe.stop_threshold)
        self.steps_per_epoch = math.ceil(len(self._keys(np.random.default_rng(0))) / recipe.batch)

    def _keys(self, rng: np.random.Generator) -> list[tuple[int, str, int]]:
        recipe = self.recipe
        return epoch_keys(self.dataset.source, counts=recipe.counts, not_face_share=recipe.not_face_share, rng=rng)

    def batches(self) -> Iterator[Batch]:
        """Yield crops with their labels."""
        keys = self._keys(np.random.default_rng([self.recipe.seed, 2, self.epoch]))
        return batches(self.dataset, keys, size=self.recipe.batch, workers=self.recipe.workers)

    def rate(self) -> float:
        """Cosine from the recipe's rate to a hundredth of it, after a linear warm-up."""
        recipe, each = self.recipe, self.steps_per_epoch
        return cosine(self.step, rate=recipe.learning_rate, warm=recipe.warm_epochs * each, total=recipe.epochs * each)

    def loss(self, crops: Tensor, truth: Tensor, known: Tensor, weight: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the tasks' losses, and each of them."""
        detached = tuple(t in AUXILIARY and (not self.recipe.auxiliary or t in self.stopping.stopped_at) for t in TASKS)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            crops = crops.contiguous(memory_format=torch.channels_last)
            points, states, heat = self.network.answer(crops, detached)
        losses = task_losses(points, states, truth, known, weight, heat)
        weights = asdict(self.recipe.loss)
        return losses["points"] + sum(weights[t] * losses[t] for t in ("heat", *TASKS)), losses

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return errors on training crops and on validation people, and which tasks have stopped since when."""
        found, validation = measure(self.average, self.checks)
        for task in self.stopping.update(terms, validation):
            log.info("epoch %d: %s stops teaching the trunk", self.epoch, task)
        return {"training": terms, "validation": validation, **found, "stopped": dict(self.stopping.stopped_at)}

    def score(self, row: Mapping[str, Any]) -> float:
        """Return the mean error of all points."""
        return float(row["nme68"])

    def extra(self) -> dict[str, Any]:
        """Return the state of the task-wise stopping."""
        return self.stopping.state()

    def take(self, extra: dict[str, Any]) -> None:
        """Go on with it."""
        self.stopping.load(extra)


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
    _check_people(chosen, data)
    source = load_source(chosen, data)
    dataset = CropDataset(source, weights=chosen.point_weights)
    teacher = Path(chosen.teacher) if chosen.teacher else None
    trainer = Trainer(chosen, dataset, check_sets(chosen, source, data, teacher=teacher, part="validation"))
    trainer.run(out)
    assert trainer.best is not None
    network = chosen.network.build()
    network.load_state_dict(trainer.best["weights"])
    test, _ = measure(network, check_sets(chosen, source, data, teacher=teacher, part="test"))
    validation = {name: trainer.best["row"][name] for name in test} | {"epoch": float(trainer.best_epoch)}
    ship(network, chosen, out=out, validation=validation, test=test, source=source)
