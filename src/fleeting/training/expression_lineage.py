"""Where an expression network comes from: what was trained before it, and with whose weights all began."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting.training.expression_recipe import ExpressionRecipe
from fleeting.training.pretrained_faces import INSTALL, ORIGIN


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a network comes from, for its card.

    Attributes
    ----------
    before
        Commands that must be run before its training.
    begins_with
        Weights of others that it or a network before it began with; empty for none.
    """

    before: tuple[str, ...] = ()
    begins_with: str = ""


def lineage(recipe: ExpressionRecipe, *, beside: Path) -> Lineage:
    """Return where the network of a recipe comes from, by the cards that the trainings `beside` it ended with."""
    commands = [INSTALL] if recipe.pretrained else []
    begins_with = ORIGIN if recipe.pretrained else ""
    for name in dict.fromkeys(name for name in (*recipe.taught_by, *recipe.matched_by, recipe.begins_as) if name):
        card = next((card_of(path) for path in (beside / name).glob("*.json")), {})
        commands += card.get("before", [])
        commands.append(f"fleeting train recipes/{name}.toml --data ../shared/data --out runs/{name}")
        if name == recipe.begins_as:
            begins_with = card.get("begins_with", "")
    return Lineage(tuple(dict.fromkeys(commands)), begins_with)


def card_of(path: Path) -> dict[str, Any]:
    """Return the card that an ended training wrote beside its network."""
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
