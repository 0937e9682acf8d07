"""What a training of an expression network depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from fleeting.models.deep_emotion import DeepEmotion
from fleeting.models.expression_net import ExpressionNetwork, Stem
from fleeting.models.shipped_expression import Views
from fleeting.training.devices import Device

Network = Literal["deep_emotion", "expression"]
Optimiser = Literal["adam", "adamw", "sgd"]
Pretrained = Literal["", "dlib"]
Interpolation = Literal["linear", "cubic"]


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Size of `models.expression_net.ExpressionNetwork`; lists by scale, from fine to coarse.

    `dropout` applies to both networks, all else to our own alone.
    """

    dropout: float = 0.1
    widths: list[int] = field(default_factory=lambda: [32, 64, 128])
    blocks: list[int] = field(default_factory=lambda: [1, 2, 2])
    drop_block: float = 0.1
    stem: Stem = "unshuffled"


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """Largest random changes of a training picture.

    Attributes
    ----------
    rotation_deg
        Turn to either side.
    scale
        Enlargement or reduction, as a share of the size; each axis differs by up to a third of it.
    shift
        Movement along each axis, as a share of the picture's side.
    erase
        Side of the erased rectangle as a share of the picture's; a picture is erased with a probability of one half.
    mixup
        Parameter of the beta distribution by which two pictures and their labels are mixed (Zhang et al., "mixup", ICLR
        2018); 0 for never.
    interpolation
        Between the pixels of a picture that is turned, scaled or shifted. ``linear`` blurs, which is much at 48 pixels;
        ``cubic`` keeps fine lines.
    """

    rotation_deg: float = 12.0
    scale: float = 0.12
    shift: float = 0.08
    erase: float = 0.3
    mixup: float = 0.2
    interpolation: Interpolation = "linear"


@dataclass(frozen=True, slots=True)
class Phase:
    """Epochs in which the learning rate falls once, from `rate` to a hundredth of it by a cosine.

    Attributes
    ----------
    first, epochs
        Number of its first epoch, from 0, and how many there are.
    rate
        Learning rate after `warm_epochs`.
    warm_epochs
        Epochs in which the rate first rises in a line.
    plain
        Nothing is mixed or erased.
    round
        Which round it belongs to, from 0.
    """

    first: int
    epochs: int
    rate: float
    warm_epochs: float
    plain: bool
    round: int

    def learning_rate(self, step: int, *, steps_per_epoch: int) -> float:
        """Return the rate of a step of the whole training, counted from 0."""
        warm, total = self.warm_epochs * steps_per_epoch, self.epochs * steps_per_epoch
        step -= self.first * steps_per_epoch
        if step < warm:
            return self.rate * (step + 1) / warm
        way = (step - warm) / max(total - warm, 1)
        return self.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(way, 1.0))) / 2)


@dataclass(frozen=True, slots=True)
class ExpressionRecipe:
    """What a training of an expression network depends on.

    Attributes
    ----------
    task
        Always ``expression``.
    network
        ``deep_emotion`` for the paper's, ``expression`` for our own.
    data
        File or folder of the labelled faces, relative to the data folder; empty for the data folder itself.
    device
        ``auto`` takes CUDA where there is one; ``cuda`` never falls back.
    validation_percent
        Share of the Training part to choose on; by a hash of the pixels.
    average
        Decay per step of the moving average of the weights, which is what is kept.
    smoothing
        Label smoothing.
    vote_share
        Share of the FER+ votes in the labels of the main head.
    vote_weight
        Weight of the loss of the second head, which predicts the votes; our own network alone.
    penalty
        Weight of the squared norm of the linear layers (the paper's lambda); Deep-Emotion alone.
    small_side, small_epochs
        The first epochs see pictures of this side in pixels, which takes less time; 48 for none.
    plain_epochs, plain_rate
        Epochs after the others, in which nothing is mixed or erased, and the learning rate from which they fall.
    rounds
        How often all is gone through; the first round as said above, later ones go on with the weights of the former.
        A training that has ended goes on where a recipe asks for more.
    again_epochs, again_rate
        Epochs of a later round before its plain ones, and their learning rate.
    last_epochs, last_blocks
        Epochs of the last of several rounds before its plain ones, where these are not `again_epochs`; and the blocks
        of the network in it, where it shall be deeper (`models.expression_net.ExpressionNetwork.deepened`).
    taught
        Share of the former round's answers in the labels of a later round: what the averaged network said of the
        unchanged training pictures. They disagree with the set's labels where those are doubtful (Furlanello et al.,
        "Born-again neural networks", ICML 2018).
    pretrained
        ``dlib`` to begin with the first layers of dlib's face recogniser (`training.pretrained_faces`; needs the
        package ``face_recognition_models``); empty for random weights.
    begins_as
        Folder of an ended training beside this one's, whose averaged network this one begins as; empty for random
        weights. Where a folder has no checkpoint, this one begins as the exported network in it.
    taught_by
        Folders of ended trainings beside this one's. The mean of what their averaged networks answer is taught, by the
        share `taught`, from the first epoch and in every round, in place of the former round's answers. One that is
        named twice counts twice. Where a folder has no checkpoint, the exported network in it teaches.
    matched_by, matched
        Folders of ended trainings beside this one's, whose averaged networks answer for the very pictures that this
        network is shown, changed and mixed; and the share of the mean of their answers in what is taught, all else
        being the labels as said above. What is learned is then the teachers' function, not their answers for the
        training pictures, which they know by heart (Beyer et al., "Knowledge distillation: a good teacher is patient
        and consistent", CVPR 2022).
    matched_drawn
        Each picture is answered by one of `matched_by` alone, for one of its views; the next time by another. On the
        average the same is taught, in a fraction of the time (`training.expression_answers.said_of`).
    matched_tilts
        By how many degrees the copies are tilted that each of `matched_by` is shown, as `tilt_deg`; empty for what
        its own views show. For `matched_drawn` alone.
    settled
        The averaged network that a training ends with has the statistics of its batch normalisations measured anew, on
        unchanged training pictures (`training.expression_pictures.settle`).
    flip, tilt_deg, zoom
        What the exported network sees of a picture (`models.shipped_expression.Views`).
    bfloat16, threads
        Arithmetic and threads on the CPU.
    """

    task: str = "expression"
    network: Network = "expression"
    data: str = "fer2013_training_publictest.npz"
    device: Device = "auto"
    seed: int = 0
    validation_percent: int = 6
    epochs: int = 60
    batch: int = 128
    optimiser: Optimiser = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_epochs: float = 1.0
    average: float = 0.999
    smoothing: float = 0.05
    vote_share: float = 0.0
    vote_weight: float = 0.0
    penalty: float = 0.0
    small_side: int = 48
    small_epochs: int = 0
    plain_epochs: int = 0
    plain_rate: float = 2e-4
    rounds: int = 1
    again_epochs: int = 0
    again_rate: float = 1e-3
    last_epochs: int = 0
    last_blocks: list[int] = field(default_factory=list)
    taught: float = 0.0
    pretrained: Pretrained = ""
    begins_as: str = ""
    taught_by: list[str] = field(default_factory=list)
    matched: float = 0.0
    matched_by: list[str] = field(default_factory=list)
    matched_drawn: bool = False
    matched_tilts: list[float] = field(default_factory=list)
    settled: bool = False
    flip: bool = True
    tilt_deg: float = 0.0
    zoom: float = 1.0
    bfloat16: bool = True
    threads: int = 1
    model: NetworkSettings = field(default_factory=NetworkSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    def phases(self) -> list[Phase]:
        """Return the phases in their order."""
        found, first = [], 0
        for number in range(self.rounds):
            mixed = (self.again_epochs, self.again_rate) if number else (self.epochs, self.learning_rate)
            if number and number == self.rounds - 1 and self.last_epochs:
                mixed = (self.last_epochs, self.again_rate)
            for (epochs, rate), plain in ((mixed, False), ((self.plain_epochs, self.plain_rate), True)):
                warm = 0.0 if plain else self.warm_epochs
                if epochs:
                    found.append(Phase(first, epochs, rate, warm, plain, number))
                first += epochs
        return found

    @property
    def ends_at(self) -> int:
        """Number of epochs of the whole training."""
        return sum(phase.epochs for phase in self.phases())

    def views(self) -> Views:
        """Return what the exported network sees of a picture."""
        return Views(self.flip, self.tilt_deg, self.zoom)

    def build(self, *, deep: bool = False) -> DeepEmotion | ExpressionNetwork:
        """Make the network with random weights; `deep` for that of a last round with blocks of its own."""
        if self.network == "deep_emotion":
            return DeepEmotion(dropout=self.model.dropout)
        (a, b, c), (d, e, f) = self.model.widths, self.last_blocks if deep else self.model.blocks
        return ExpressionNetwork(
            widths=(a, b, c),
            blocks=(d, e, f),
            dropout=self.model.dropout,
            drop_block=self.model.drop_block,
            stem=self.model.stem,
        )
