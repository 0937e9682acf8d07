"""The expression networks as recognisers of ``fleeting benchmark``: trained anew in every fold.

They read single faces (``fer2013=PATH``: FER-2013 or a folder of one's own pictures by class), which come as sequences
of one frame. The training is that of ``fleeting train`` without the votes of FER+, which other data does not have, and
without a teacher, which may have learned from the test's pictures; nothing is chosen on the way. Where a fold has
validation rows, the temperature of the probabilities is fitted on them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from fleeting.datasets import fer2013
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError
from fleeting.labels import SEVEN_CLASSES
from fleeting.recognisers.deep_emotion.network import DeepEmotion
from fleeting.training.calibration import fit_temperature
from fleeting.training.expression.network import ExpressionNetwork
from fleeting.training.expression.pictures import Labelled, labelled, logits_of, steps_in
from fleeting.training.expression.recipe import AugmentSettings, ExpressionRecipe, NetworkSettings
from fleeting.training.expression.train import Trainer
from fleeting.training.loop import choose_device


@dataclass(frozen=True)
class FittedExpression:
    """A trained network; it always answers."""

    network: DeepEmotion | ExpressionNetwork
    recipe: ExpressionRecipe
    temperature: float
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, 7)."""
        recipe = self.recipe
        rows = _rows(samples, recipe)
        logits = logits_of(self.network, rows, recipe.views())
        return np.asarray(torch.from_numpy(logits / self.temperature).softmax(1).numpy(), np.float32)


@dataclass(frozen=True)
class ExpressionRecogniser:
    """A kind of expression network with its training.

    Attributes
    ----------
    name
        As ``fleeting benchmark --model`` spells it.
    recipe
        Of the training; its seed is that of the benchmark.
    """

    name: str
    recipe: ExpressionRecipe
    needs: Literal["sequence"] = "sequence"

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedExpression:
        """Train all epochs of the recipe.

        Raises
        ------
        DataError
            For other samples than single faces of 48 x 48 pixels in seven classes.
        """
        recipe = replace(self.recipe, seed=seed)
        device = choose_device(recipe.device)
        rows = _rows(train, recipe)
        trainer = Trainer(recipe, device, steps_per_epoch=steps_in(len(rows), recipe.batch))
        trainer.fit(rows)
        ended, temperature = trainer.end(rows), 1.0
        if validation is not None:
            held = _rows(validation, recipe)
            logits = logits_of(ended, held, recipe.views())
            temperature = fit_temperature(logits, validation.label)
        return FittedExpression(ended, recipe, temperature)

    def settings(self) -> dict[str, Any]:
        """Return the recipe."""
        return {k: v for k, v in asdict(self.recipe).items() if k not in ("task", "data", "seed")}


def deep_emotion() -> ExpressionRecogniser:
    """Return the network of Minaee et al. with the training of ``recipes/deep_emotion.toml``."""
    recipe = ExpressionRecipe(
        network="deep_emotion",
        epochs=120,
        optimiser="adam",
        learning_rate=0.004,
        weight_decay=0.0,
        smoothing=0.0,
        penalty=1e-4,
        model=NetworkSettings(dropout=0.05),
        augment=AugmentSettings(rotation_deg=6.0, scale=0.06, shift=0.04, erase=0.0, mixup=0.0),
    )
    return ExpressionRecogniser("deep-emotion", recipe)


def expression() -> ExpressionRecogniser:
    """Return our own network with the training of ``recipes/expression.toml``, without votes and teacher."""
    recipe = ExpressionRecipe(
        weight_decay=0.05,
        small_side=32,
        small_epochs=20,
        plain_epochs=8,
        plain_rate=3e-4,
        settled=True,
        model=NetworkSettings(dropout=0.2, blocks=[3, 4, 3], stem="pooled"),
        augment=AugmentSettings(mixup=0.3, interpolation="cubic"),
    )
    return ExpressionRecogniser("expression", recipe)


def _rows(samples: Samples, recipe: ExpressionRecipe) -> Labelled:
    pictures = samples.sequence
    if pictures is None or pictures.shape[1:] != (1, fer2013.SIZE, fer2013.SIZE):
        shape = "nothing" if pictures is None else " x ".join(map(str, pictures.shape[1:]))
        raise DataError(
            "single faces of 48 x 48 pixels", shape, "Give --data fer2013=PATH; a folder by class works too."
        )
    if samples.classes != SEVEN_CLASSES:
        raise DataError("the seven classes of FER-2013", ", ".join(samples.classes), "Choose --classes 7.")
    faces = fer2013.FacePictures(pictures[:, 0], samples.label, samples.dataset, samples.clip)
    return labelled(faces, recipe, choose_device(recipe.device))
