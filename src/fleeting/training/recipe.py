"""Read a recipe: TOML to a dataclass, unknown keys refused with the nearest known one, numbers within their ranges.

A recipe is a frozen dataclass. The range of a number stands beside its type: ``epochs: Count = 40``.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Annotated, Any, get_type_hints

from fleeting.errors import SettingsError
from fleeting.settings import Range, Share, load

__all__ = ["check", "Count", "CountOrNone", "NotNegative", "Positive", "Range", "Share", "ShareBelowOne", "load"]

Count = Annotated[int, Range(1)]
CountOrNone = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
ShareBelowOne = Annotated[float, Range(0, 1, below=True)]


def check(recipe: Any) -> None:
    """Refuse numbers out of range in a recipe that a program has built, in tables of it too.

    Raises
    ------
    SettingsError
        For the first of them.
    """
    for name, hint in get_type_hints(type(recipe), include_extras=True).items():
        value = getattr(recipe, name)
        if is_dataclass(value):
            check(value)
        for limit in getattr(hint, "__metadata__", ()):
            if isinstance(limit, Range) and not limit.holds(value):
                raise SettingsError(limit.words(name), f"{value:g}", "Correct the recipe.")
