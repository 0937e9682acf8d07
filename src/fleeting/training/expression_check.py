"""Refuses settings of an expression network's training that it cannot be trained with."""

from __future__ import annotations

from fleeting.errors import SettingsError
from fleeting.training.expression_recipe import ExpressionRecipe


def check(recipe: ExpressionRecipe) -> None:
    """Refuse settings that cannot be trained with.

    Raises
    ------
    SettingsError
        For a size or share out of range, or a setting of the other network.
    """
    if len(recipe.model.widths) != 3 or len(recipe.model.blocks) != 3:
        raise SettingsError(
            "three widths and three numbers of blocks",
            f"{recipe.model.widths}, {recipe.model.blocks}",
            "One per scale.",
        )
    if recipe.last_epochs < 0 or (recipe.rounds < 2 and (recipe.last_epochs or recipe.last_blocks)):
        raise SettingsError(
            "last_epochs and last_blocks only where there are several rounds",
            f"{recipe.rounds} round, {recipe.last_epochs} and {recipe.last_blocks}",
            "Give rounds = 2 or more, or leave them out.",
        )
    blocks = recipe.model.blocks
    if recipe.last_blocks and (
        recipe.network == "deep_emotion"
        or len(recipe.last_blocks) != len(blocks)
        or any(new < old for new, old in zip(recipe.last_blocks, blocks, strict=True))
    ):
        raise SettingsError(
            f"last_blocks for expression, one per scale and none below {blocks}",
            f"{recipe.last_blocks} for {recipe.network}",
            "A network can only be made deeper.",
        )
    if recipe.small_side % 8 or not 24 <= recipe.small_side <= 48:
        raise SettingsError("a small_side of 24, 32, 40 or 48", str(recipe.small_side), "8 must divide it.")
    if recipe.epochs < 1 or recipe.batch < 2 or recipe.plain_epochs < 0:
        raise SettingsError(
            "at least 1 epoch, 0 plain_epochs and batches of 2",
            f"{recipe.epochs}, {recipe.plain_epochs} and {recipe.batch}",
            "Correct the recipe.",
        )
    if recipe.rounds < 1 or not 0 <= recipe.taught <= 1 or (recipe.rounds > 1 and recipe.again_epochs < 1):
        raise SettingsError(
            "at least 1 round, 1 of again_epochs where there are more, and taught from 0 to 1",
            f"{recipe.rounds}, {recipe.again_epochs} and {recipe.taught}",
            "Correct the recipe.",
        )
    _check_others(recipe)
    if recipe.network == "deep_emotion" and (recipe.vote_weight or recipe.small_epochs):
        raise SettingsError(
            "no vote_weight and no small_epochs for deep_emotion",
            f"{recipe.vote_weight} and {recipe.small_epochs}",
            "The paper's network has one head and one size of input; use vote_share.",
        )
    if recipe.network == "expression" and recipe.penalty:
        raise SettingsError("no penalty for expression", str(recipe.penalty), "Use weight_decay.")


def _check_others(recipe: ExpressionRecipe) -> None:
    """Refuse settings of what is begun with and who teaches that contradict each other."""
    if recipe.pretrained and recipe.begins_as:
        raise SettingsError(
            "pretrained or begins_as", f"both, {recipe.pretrained} and {recipe.begins_as}", "Leave one of them out."
        )
    if recipe.taught_by and not recipe.taught:
        raise SettingsError("taught above 0 where there is taught_by", "0", "Give it, or leave out taught_by.")
    if bool(recipe.matched_by) != (0 < recipe.matched <= 1):
        raise SettingsError(
            "matched above 0 and at most 1 where there is matched_by, 0 elsewhere",
            f"{recipe.matched} and {recipe.matched_by}",
            "Give both, or leave out both.",
        )
    if recipe.matched_drawn and not recipe.matched_by:
        raise SettingsError(
            "matched_drawn only where there is matched_by", "it alone", "Give matched_by, or leave it out."
        )
    if recipe.matched_tilts and (not recipe.matched_drawn or len(recipe.matched_tilts) != len(recipe.matched_by)):
        raise SettingsError(
            "matched_tilts only with matched_drawn, and one for each of matched_by",
            f"{recipe.matched_tilts} for {recipe.matched_by}, matched_drawn = {str(recipe.matched_drawn).lower()}",
            "Give one per network, or leave them out.",
        )
