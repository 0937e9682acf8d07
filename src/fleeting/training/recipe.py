"""Read a recipe: TOML to a dataclass, unknown keys refused with the nearest known one, numbers within their ranges.

A recipe is a frozen dataclass. The range of a number stands beside its type: ``epochs: Count = 40``.
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from math import inf
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from fleeting import settings
from fleeting.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest and largest value of a number.

    Attributes
    ----------
    low, high
        Both are allowed.
    above
        Whether `low` itself is not.
    below
        Whether `high` itself is not.
    """

    low: float
    high: float = inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value lies within."""
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def words(self, name: str) -> str:
        """Say what is expected of a setting of this name."""
        if self.high == inf:
            return f"{name} above {self.low:g}" if self.above else f"at least {self.low:g} {name}"
        start = f"above {self.low:g}" if self.above else f"{self.low:g}"
        return f"a {name} of {start} to {'below ' if self.below else ''}{self.high:g}"


Count = Annotated[int, Range(1)]
CountOrNone = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
ShareBelowOne = Annotated[float, Range(0, 1, below=True)]


def load(kind: type[T], path: Path) -> T:
    """Read a recipe.

    Raises
    ------
    SettingsError
        Where the file is missing or no TOML, for an unknown key, a value of the wrong type, or a number out of range.
    """
    recipe = settings.load(kind, path)
    check(recipe)
    return recipe


def check(recipe: Any) -> None:
    """Refuse numbers out of range, in tables of the recipe too.

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
