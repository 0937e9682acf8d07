"""What a training of an expression network depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fleeting.errors import SettingsError
from fleeting.recognisers.deep_emotion.network import DeepEmotion
from fleeting.training.expression.network import ExpressionNetwork, Stem
from fleeting.training.expression.shipped import Views
from fleeting.training.loop import Device, cosine
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Range, Share, ShareBelowOne
from fleeting.training.recipe import check as check_ranges

Network = Literal["deep_emotion", "expression"]
Optimiser = Literal["adam", "adamw", "sgd"]
Teacher = Literal["", "expression", "deep_emotion"]
Interpolation = Literal["linear", "cubic"]


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Size of `training.expression.network.ExpressionNetwork`; lists by scale, from fine to coarse.

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
    """

    first: int
    epochs: int
    rate: float
    warm_epochs: float
    plain: bool

    def learning_rate(self, step: int, *, steps_per_epoch: int) -> float:
        """Return the rate of a step of the whole training, counted from 0."""
        warm, total = self.warm_epochs * steps_per_epoch, self.epochs * steps_per_epoch
        return cosine(step - self.first * steps_per_epoch, rate=self.rate, warm=warm, total=total)


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
    taught_by, taught
        A shipped network whose answers for the unchanged training pictures are part of their labels, and the share of
        these answers; empty and 0 for none (Hinton et al., "Distilling the knowledge in a neural network", 2015).
    settled
        The averaged network that a training ends with has the statistics of its batch normalisations measured anew, on
        unchanged training pictures (`training.expression.pictures.settle`).
    flip, tilt_deg, zoom
        What the exported network sees of a picture (`training.expression.shipped.Views`).
    bfloat16, threads
        Arithmetic and threads on the CPU.
    """

    task: str = "expression"
    network: Network = "expression"
    data: str = "fer2013_training_publictest.npz"
    device: Device = "auto"
    seed: int = 0
    validation_percent: int = 6
    epochs: Count = 60
    batch: Annotated[int, Range(2)] = 128
    optimiser: Optimiser = "adamw"
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.02
    warm_epochs: NotNegative = 1.0
    average: ShareBelowOne = 0.999
    smoothing: ShareBelowOne = 0.05
    vote_share: Share = 0.0
    vote_weight: NotNegative = 0.0
    penalty: NotNegative = 0.0
    small_side: int = 48
    small_epochs: CountOrNone = 0
    plain_epochs: CountOrNone = 0
    plain_rate: Positive = 2e-4
    taught_by: Teacher = ""
    taught: float = 0.0
    settled: bool = False
    flip: bool = True
    tilt_deg: NotNegative = 0.0
    zoom: Annotated[float, Range(0, 1, above=True)] = 1.0
    bfloat16: bool = True
    threads: Count = 1
    model: NetworkSettings = field(default_factory=NetworkSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    def phases(self) -> list[Phase]:
        """Return the phases in their order."""
        found = [Phase(0, self.epochs, self.learning_rate, self.warm_epochs, plain=False)]
        if self.plain_epochs:
            found.append(Phase(self.epochs, self.plain_epochs, self.plain_rate, 0.0, plain=True))
        return found

    @property
    def ends_at(self) -> int:
        """Number of epochs of the whole training."""
        return self.epochs + self.plain_epochs

    def views(self) -> Views:
        """Return what the exported network sees of a picture."""
        return Views(self.flip, self.tilt_deg, self.zoom)

    def build(self) -> DeepEmotion | ExpressionNetwork:
        """Make the network with random weights."""
        if self.network == "deep_emotion":
            return DeepEmotion(dropout=self.model.dropout)
        (a, b, c), (d, e, f) = self.model.widths, self.model.blocks
        return ExpressionNetwork(
            widths=(a, b, c),
            blocks=(d, e, f),
            dropout=self.model.dropout,
            drop_block=self.model.drop_block,
            stem=self.model.stem,
        )


def check(recipe: ExpressionRecipe) -> None:
    """Refuse settings that cannot be trained with.

    Raises
    ------
    SettingsError
        For a size or share out of range, or a setting of the other network.
    """
    check_ranges(recipe)
    if len(recipe.model.widths) != 3 or len(recipe.model.blocks) != 3:
        raise SettingsError(
            "three widths and three numbers of blocks",
            f"{recipe.model.widths}, {recipe.model.blocks}",
            "One per scale.",
        )
    if recipe.small_side % 8 or not 24 <= recipe.small_side <= 48:
        raise SettingsError("a small_side of 24, 32, 40 or 48", str(recipe.small_side), "8 must divide it.")
    if not 0 <= recipe.taught <= 1 or bool(recipe.taught) != bool(recipe.taught_by):
        raise SettingsError(
            "taught from 0 to 1, and above 0 exactly where there is taught_by",
            f"{recipe.taught} and {recipe.taught_by!r}",
            "Give both, or leave out both.",
        )
    if recipe.network == "deep_emotion" and (recipe.vote_weight or recipe.small_epochs):
        raise SettingsError(
            "no vote_weight and no small_epochs for deep_emotion",
            f"{recipe.vote_weight} and {recipe.small_epochs}",
            "The paper's network has one head and one size of input; use vote_share.",
        )
    if recipe.network == "expression" and recipe.penalty:
        raise SettingsError("no penalty for expression", str(recipe.penalty), "Use weight_decay.")
