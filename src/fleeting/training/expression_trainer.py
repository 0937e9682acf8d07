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
from fleeting.models.shipped_expression import Views
from fleeting.training.checkpoints import follow, read_checkpoint, write_checkpoint
from fleeting.training.expression_answers import Network, mean_answers, said_of
from fleeting.training.expression_augment import affine_maps, erase, mixing, warp
from fleeting.training.expression_lineage import Lineage
from fleeting.training.expression_pictures import Labelled, cross_entropy, logits_of, settle
from fleeting.training.expression_recipe import ExpressionRecipe, Phase
from fleeting.training.expression_teachers import Sources, begin_as

MACHINE = ("threads", "device", "rounds", "settled", "tilt_deg", "zoom")
"""Settings that may change between a stopped training and its resumption: more rounds only follow those before, and
networks settle and see tilted and zoomed copies when all has been learned."""

LATER = ("again_epochs", "again_rate", "taught")
"""Settings of later rounds, which may change as long as none has begun."""

LAST = ("last_epochs", "last_blocks")
"""Settings of the last round, which may change as long as it has not begun."""


class Trainer:
    """State of one training: network, average, optimiser, place, and what is written of them."""

    def __init__(
        self,
        recipe: ExpressionRecipe,
        device: torch.device,
        *,
        steps_per_epoch: int,
        others: Sources | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        others = others or Sources()
        self.recipe, self.device, self.teachers, self.lineage = recipe, device, others.teachers, others.lineage
        self.matched = [t.on(device) for t in others.matched]
        self._place(recipe.build(), recipe.build())
        if others.begins_as is not None:
            begin_as(self.net, others.begins_as, where=recipe.begins_as)
        self.average.load_state_dict(self.net.state_dict())
        self.steps_per_epoch, self.step, self.epoch = steps_per_epoch, 0, 0
        self.phases = recipe.phases()
        self.answers: Tensor | None = None

    def _place(self, net: Network, average: Network) -> None:
        # Three times as fast on the CPU as the default layout.
        self.net, self.average = (
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in (net, average)
        )
        self.average.eval()
        self.optimiser = self._optimiser()

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
        """Keep what the teachers, or else the former round's averaged network, say of unchanged pictures."""
        if self.teachers:
            if self.answers is None:
                self.answers = mean_answers(self.teachers, data)
        elif self.recipe.taught and self._begins and self.phase.round:
            self.answers = torch.from_numpy(logits_of(self.average, data, Views())).softmax(1).to(self.device)

    def deepen(self) -> None:
        """Go on with a deeper network that answers the same, where a last round of such a network begins."""
        if self._begins and self._deep(self.epoch):
            assert isinstance(self.net, ExpressionNetwork)
            assert isinstance(self.average, ExpressionNetwork)
            a, b, c = self.recipe.last_blocks
            random = torch.get_rng_state()
            net = self.net.deepened((a, b, c))
            torch.set_rng_state(random)  # the average begins with the same new blocks
            self._place(net, self.average.deepened((a, b, c)))

    def _deep(self, epoch: int) -> bool:
        return bool(self.recipe.last_blocks) and epoch >= self._last

    @property
    def _begins(self) -> bool:
        """Whether a round begins with the present epoch."""
        return self.phase.first == self.epoch and not self.phase.plain

    @property
    def _last(self) -> int:
        """Number of the first epoch of the last round."""
        return next(p.first for p in self.phases if p.round == self.phases[-1].round)

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
            if self.matched:
                drawn_by = generator if recipe.matched_drawn else None
                targets = targets.lerp(said_of(self.matched, faces, drawn_by=drawn_by), recipe.matched)
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

    def end(self, data: Labelled, path: Path) -> Network:
        """Return the network that the training ends with; one that settled is in the checkpoint too, for others.

        The average itself stays as it is, so that more rounds go on from the same.
        """
        ended: Network = copy.deepcopy(self.average)
        if self.recipe.settled:
            settle(ended, data, size=self.recipe.batch, seed=self.recipe.seed)
        self.save(path, ended=ended if self.recipe.settled else None)
        return ended

    def save(self, path: Path, *, ended: Network | None = None) -> None:
        """Write all that `load` needs, whole or not at all."""
        state = {
            **({} if ended is None else {"ended": ended.state_dict()}),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "epoch": self.epoch,
            "answers": self.answers,
            "lineage": asdict(self.lineage),
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
        state = read_checkpoint(path, self.recipe, free=(*MACHINE, *LATER, *LAST), device=self.device)
        begun, later = state["epoch"], self.phases[-1].round > 0
        free = {*MACHINE, *LATER, *LAST}
        if self.recipe.taught_by:
            free -= {"taught"}
        if begun > self.recipe.epochs + self.recipe.plain_epochs:
            free -= {*LATER}
        if later and begun > self._last:
            free -= {*LAST}
        if state["recipe"].get("last_blocks"):
            free -= {"rounds"}
        read_checkpoint(path, self.recipe, free=free, device=self.device)
        if self._deep(begun - 1):
            self._place(self.recipe.build(deep=True), self.recipe.build(deep=True))
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.epoch = state["step"], state["epoch"]
        self.answers = state.get("answers")
        self.lineage = Lineage(**state.get("lineage", {}))
