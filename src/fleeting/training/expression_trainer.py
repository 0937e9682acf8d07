"""The state of an expression network's training, and its single step."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from fleeting.datasets import fer2013
from fleeting.models.deep_emotion import DeepEmotion, standardise
from fleeting.models.expression_net import ExpressionNetwork
from fleeting.models.shipped_expression import ExpressionAnswer
from fleeting.training.checkpoints import follow, read_checkpoint, write_checkpoint
from fleeting.training.expression_augment import affine_maps, erase, mixing, warp
from fleeting.training.expression_pictures import Labelled, cross_entropy, logits_of, settle
from fleeting.training.expression_recipe import ExpressionRecipe, Phase

MACHINE = ("threads", "device", "settled", "tilt_deg", "zoom")
"""Settings that may change between a stopped training and its resumption: networks settle and see tilted and zoomed
copies when all has been learned."""

Network = DeepEmotion | ExpressionNetwork


class Trainer:
    """State of one training: network, average, optimiser, place, and what is written of them."""

    def __init__(
        self,
        recipe: ExpressionRecipe,
        device: torch.device,
        *,
        steps_per_epoch: int,
        teacher: ExpressionAnswer | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.teacher = recipe, device, teacher
        # Three times as fast on the CPU as the default layout.
        self.net, self.average = (
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in (recipe.build(), recipe.build())
        )
        self.average.eval().load_state_dict(self.net.state_dict())
        self.optimiser = self._optimiser()
        self.steps_per_epoch, self.step, self.epoch = steps_per_epoch, 0, 0
        self.phases = recipe.phases()
        self.answers: Tensor | None = None

    def _optimiser(self) -> torch.optim.Optimizer:
        recipe = self.recipe
        matrices = [p for p in self.net.parameters() if p.ndim > 1]
        vectors = [p for p in self.net.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        if recipe.optimiser == "sgd":
            return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
        kind = torch.optim.Adam if recipe.optimiser == "adam" else torch.optim.AdamW
        return kind(groups, lr=recipe.learning_rate)

    @property
    def phase(self) -> Phase:
        """The phase of the present epoch."""
        return next(p for p in reversed(self.phases) if p.first <= self.epoch)

    @property
    def ends_at(self) -> int:
        """Number of epochs of the whole training."""
        return self.recipe.ends_at

    def ask(self, data: Labelled) -> None:
        """Keep what the teacher says of unchanged pictures."""
        if self.teacher is not None and self.answers is None:
            network = self.teacher.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.answers = torch.from_numpy(logits_of(network, data, self.teacher.views)).softmax(1).to(self.device)

    def learn(self, data: Labelled, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Take one optimiser step on changed copies of the given rows, and return the loss, on the device."""
        recipe, phase = self.recipe, self.phase
        for group in self.optimiser.param_groups:
            group["lr"] = phase.learning_rate(self.step, steps_per_epoch=self.steps_per_epoch)
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
        self.net.train()
        faces = faces.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            loss = self._loss(faces, targets, votes)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        return loss.detach()  # not as a number: reading it would make a GPU wait after every step

    def _loss(self, faces: Tensor, targets: Tensor, votes: Tensor) -> Tensor:
        if isinstance(self.net, DeepEmotion):
            loss = cross_entropy(self.net(faces), targets)
            if self.recipe.penalty:
                loss = loss + self.recipe.penalty * sum(w.square().sum() for w in self.net.penalised())
            return loss
        answer = self.net.answer(faces)
        return cross_entropy(answer.logits, targets) + self.recipe.vote_weight * cross_entropy(answer.votes, votes)

    def _average(self) -> None:
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        follow(self.average, self.net, keep=keep)

    def end(self, data: Labelled) -> Network:
        """Return the network that the training ends with; the average itself stays as it is."""
        ended: Network = copy.deepcopy(self.average)
        if self.recipe.settled:
            settle(ended, data, size=self.recipe.batch, seed=self.recipe.seed)
        return ended

    def save(self, path: Path) -> None:
        """Write all that `load` needs, whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "epoch": self.epoch,
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
        state = read_checkpoint(path, self.recipe, free=MACHINE, device=self.device)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.epoch = state["step"], state["epoch"]
