"""What is compared: the spotter as it ships, with its judge trained anew, and a classical one.

A spotter is given the films of training people alone. It first makes, of each person by himself, what training needs
(`Spotter.prepare`), once and not again in every fold; `Spotter.fit` is then given that of the training people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from fleeting import weights
from fleeting.errors import MissingExtraError, SettingsError
from fleeting.evaluation.benchmark.spotting.films import LongFilm
from fleeting.records import Event
from fleeting.scale.job import Result
from fleeting.settings import nearest
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.spot import spot

Spot = Callable[[Measurements], Sequence[Event]]
"""Finds the events of one film."""


@dataclass(frozen=True, slots=True)
class TrainingFilm:
    """A film of a training person with what was measured of it."""

    film: LongFilm
    measured: Measurements


class Spotter(Protocol):
    """A kind of spotter before training; `name` and `learns` may be plain attributes."""

    @property
    def name(self) -> str:
        """As ``--model`` spells it."""
        ...

    @property
    def learns(self) -> bool:
        """Whether it is fitted inside each fold."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings, as plain values."""
        ...

    def prepare(self, films: Sequence[TrainingFilm]) -> Result:
        """Return what training needs of one person."""
        ...

    def fit(
        self, train: Mapping[str, Result], validation: Mapping[str, Result], *, seed: int
    ) -> tuple[Spot, dict[str, Any]]:
        """Fit on the prepared people of a fold; returns the spotter, and what was chosen, as plain values.

        Where `validation` is empty, people of `train` are held out to choose on.
        """
        ...


class Shipped:
    """The spotter of ``fleeting analyse``, not trained again."""

    name = "shipped"
    learns = False

    @property
    def subjects_seen(self) -> tuple[str, ...]:
        """People that the judge was trained on, as its card names them."""
        return tuple(weights.card("spotter").get("subjects_seen", ()))

    def settings(self) -> dict[str, Any]:
        """Return which network it is."""
        return {"spotter_sha256": weights.card("spotter")["sha256"]}

    def prepare(self, films: Sequence[TrainingFilm]) -> Result:
        """Return nothing: it does not learn."""
        return {}

    def fit(
        self, train: Mapping[str, Result], validation: Mapping[str, Result], *, seed: int
    ) -> tuple[Spot, dict[str, Any]]:
        """Return the spotter as it is."""
        return lambda measured: spot(measured)[0], {}


SPOTTERS: dict[str, tuple[str, str]] = {
    "shipped": ("fleeting.evaluation.benchmark.spotting.spotters", "Shipped"),
    "retrained": ("fleeting.evaluation.benchmark.spotting.retrained", "Retrained"),
    "feature-difference": ("fleeting.evaluation.benchmark.spotting.feature_difference", "FeatureDifference"),
}
"""By the name that ``--model`` uses: module and class."""


def spotter(name: str) -> Spotter:
    """Return a spotter with its default settings.

    Raises
    ------
    SettingsError
        For an unknown name.
    MissingExtraError
        Where it needs the research extra and that is not installed.
    """
    if name not in SPOTTERS:
        raise SettingsError("a known spotter as --model", repr(name), nearest(name, SPOTTERS))
    module, kind = SPOTTERS[name]
    try:
        found: Spotter = getattr(import_module(module), kind)()
    except ModuleNotFoundError as error:
        raise MissingExtraError("research", f"the spotter '{name}' ({error.name})") from error
    return found
