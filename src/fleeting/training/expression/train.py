"""Train an expression network: ``fleeting train recipes/expression.toml --data ../shared/data --out runs/expression``.

Trains on the Training part of FER-2013 without the pictures that its test parts hold too, watches a validation part
that is cut from it by a hash of the pixels, and measures PublicTest once, after training. What is kept is the moving
average of the weights after the last epoch: no epoch is chosen. Stopped trainings go on from ``checkpoint.pt`` and end
with the same weights.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.errors import SettingsError
from fleeting.recognisers.deep_emotion.network import DeepEmotion, standardise
from fleeting.training import recipe as recipes
from fleeting.training.calibration import fit_temperature
from fleeting.training.expression.export import Measured, ship
from fleeting.training.expression.network import ExpressionNetwork
from fleeting.training.expression.pictures import (
    Labelled,
    affine_maps,
    batches,
    cross_entropy,
    cross_entropy_of,
    erase,
    labelled,
    logits_of,
    mixing,
    settle,
    steps_in,
    warp,
)
from fleeting.training.expression.recipe import ExpressionRecipe, Phase, check
from fleeting.training.expression.shipped import ExpressionAnswer, Views, shipped_network
from fleeting.training.loop import Loop, Plan, choose_device

log = logging.getLogger(__name__)

Network = DeepEmotion | ExpressionNetwork


class Trainer(Loop):
    """Teaches an expression network; what is kept is the average of its weights after the last epoch."""

    # Networks settle and see tilted and zoomed copies when all has been learned.
    free = ("threads", "device", "settled", "tilt_deg", "zoom")

    def __init__(
        self,
        recipe: ExpressionRecipe,
        device: torch.device,
        *,
        steps_per_epoch: int,
        teacher: ExpressionAnswer | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        # Three times as fast on the CPU as the default layout.
        net = recipe.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        plan = Plan(epochs=recipe.ends_at, clip=5.0, threads=recipe.threads)
        super().__init__(net, _optimiser(net, recipe), plan, recipe=recipe, averaged=True)
        self.steps_per_epoch, self.teacher, self.phases = steps_per_epoch, teacher, recipe.phases()
        self.answers: Tensor | None = None
        self.train_set: Labelled | None = None
        self.validation: Labelled | None = None

    @property
    def phase(self) -> Phase:
        """The phase of the present epoch."""
        return next(p for p in reversed(self.phases) if p.first <= self.epoch)

    def fit(self, train_set: Labelled, validation: Labelled | None = None, *, out: Path | None = None) -> None:
        """Train to the end, watching `validation` where it is given; nothing is written without `out`."""
        self.train_set, self.validation = train_set, validation
        self.ask(train_set)
        self.run(out)

    def ask(self, data: Labelled) -> None:
        """Keep what the teacher says of unchanged pictures."""
        if self.teacher is not None:
            network = self.teacher.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.answers = torch.from_numpy(logits_of(network, data, self.teacher.views)).softmax(1).to(self.device)

    def batches(self) -> Iterator[tuple[Labelled, Tensor, torch.Generator]]:
        """Yield the pictures, the rows of a batch, and the source of its changes."""
        assert self.train_set is not None
        seed = self.recipe.seed * 1_000_003 + self.epoch
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        for rows in batches(len(self.train_set), self.recipe.batch, generator):
            yield self.train_set, rows, generator

    def rate(self) -> float:
        """Return the rate of the present phase."""
        return self.phase.learning_rate(self.step, steps_per_epoch=self.steps_per_epoch)

    def loss(self, data: Labelled, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of changed copies of the given rows."""
        recipe, phase = self.recipe, self.phase
        side = recipe.small_side if self.epoch < recipe.small_epochs else fer2013.SIZE
        augment = replace(recipe.augment, erase=0.0, mixup=0.0) if phase.plain else recipe.augment
        rows = rows.to(self.device)
        maps = affine_maps(len(rows), augment, generator).to(self.device)
        faces = standardise(warp(data.pictures[rows].float(), maps, side=side, interpolation=augment.interpolation))
        if augment.erase > 0:
            faces = erase(faces, augment.erase, generator)
        targets, votes = data.targets[rows], data.votes[rows]
        if self.answers is not None:
            targets = targets.lerp(self.answers[rows], recipe.taught)
        share = mixing(augment, generator)
        if share < 1:
            faces, targets, votes = (share * t + (1 - share) * t.flip(0) for t in (faces, targets, votes))
        faces = faces.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            if isinstance(self.network, DeepEmotion):
                loss = cross_entropy(self.network(faces), targets)
                if recipe.penalty:
                    loss = loss + recipe.penalty * sum(w.square().sum() for w in self.network.penalised())
            else:
                answer = self.network.answer(faces)
                loss = cross_entropy(answer.logits, targets) + recipe.vote_weight * cross_entropy(answer.votes, votes)
        return loss, {"loss": loss}

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the loss, and how the average does on the validation pictures."""
        row: dict[str, Any] = {"loss": round(terms["loss"], 4)}
        if self.validation is not None:
            logits = logits_of(self.average, self.validation, Views(flip=self.recipe.flip))
            truth = self.validation.label.cpu().numpy()
            row["validation_accuracy"] = round(float((logits.argmax(1) == truth).mean()), 4)
            row["validation_log_loss"] = round(cross_entropy_of(logits, truth), 4)
        return row

    def end(self, data: Labelled) -> Network:
        """Return the network that the training ends with; the average itself stays as it is."""
        ended: Network = copy.deepcopy(self.average)
        if self.recipe.settled:
            settle(ended, data, size=self.recipe.batch, seed=self.recipe.seed)
        return ended


def _optimiser(net: torch.nn.Module, recipe: ExpressionRecipe) -> torch.optim.Optimizer:
    matrices = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
    kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.learning_rate)


def teacher_of(recipe: ExpressionRecipe) -> ExpressionAnswer | None:
    """Return the shipped network that a recipe is taught by, None where it names none.

    Raises
    ------
    SettingsError
        Where the teacher has learned from pictures that the recipe validates on.
    """
    if not recipe.taught_by:
        return None
    its = weights.card(recipe.taught_by)["pictures"]["validation_percent"]
    if its != recipe.validation_percent:
        raise SettingsError(
            f"validation_percent = {its}, that of the shipped {recipe.taught_by}",
            f"{recipe.validation_percent}",
            "It has learned from the other pictures.",
        )
    return shipped_network(recipe.taught_by)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train after a recipe, going on where a stopped training of the same recipe ended, and write network and card.

    Raises
    ------
    DataError
        Where pictures are missing.
    SettingsError
        For a recipe that is wrong, another one than the checkpoint's, or a device that is not there.
    """
    chosen = recipes.load(ExpressionRecipe, recipe)
    check(chosen)
    device = choose_device(chosen.device)
    faces = fer2013.read(data / chosen.data if chosen.data else data)
    split = fer2013.training_rows(faces, validation_percent=chosen.validation_percent)
    log.info("%s on %s: %d to train, %d to validate", chosen.network, device, len(split.train), len(split.validation))
    sets = {k: labelled(faces.select(getattr(split, k)), chosen, device) for k in ("train", "validation")}
    steps = steps_in(len(split.train), chosen.batch)
    trainer = Trainer(chosen, device, steps_per_epoch=steps, teacher=teacher_of(chosen))
    trainer.fit(sets["train"], sets["validation"], out=out)
    ended = trainer.end(sets["train"])
    logits = logits_of(ended, sets["validation"], chosen.views())
    temperature = fit_temperature(logits, sets["validation"].label.cpu().numpy())
    measured = Measured(faces, split, logits, temperature)
    ship(ended.cpu(), chosen, measured, out=out, trained_from=recipe)
