"""Train an expression network: ``fleeting train recipes/expression.toml --data ../shared/data --out runs/expression``.

Trains on the Training part of FER-2013 without the pictures that its test parts hold too, watches a validation part
that is cut from it by a hash of the pixels, and measures PublicTest once, after training. What is kept is the moving
average of the weights after the last epoch: no epoch is chosen. Stopped trainings go on from ``checkpoint.pt`` and end
with the same weights.
"""

from __future__ import annotations

import logging
from pathlib import Path

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.errors import SettingsError
from fleeting.training import recipe as recipes
from fleeting.training.calibration import fit_temperature
from fleeting.training.devices import choose_device
from fleeting.training.expression.export import Measured, ship
from fleeting.training.expression.pictures import labelled, logits_of, steps_in
from fleeting.training.expression.recipe import ExpressionRecipe, check
from fleeting.training.expression.shipped import ExpressionAnswer, shipped_network
from fleeting.training.expression.trainer import Trainer

log = logging.getLogger(__name__)


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
