"""Models of action units that `fleeting benchmark --task action-units` compares: contract, registry, and the floor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples

UNIT_MODELS: dict[str, tuple[str, str]] = {
    "all-positive": ("fleeting.recognisers.unit_models", "AllPositive"),
    "logistic-regression": ("fleeting.recognisers.unit_logistic", "LogisticUnits"),
    "fleeting": ("fleeting.recognisers.unit_fleeting", "FleetingUnits"),
    "ststnet": ("fleeting.recognisers.unit_networks", "ststnet_units"),
    "off-apexnet": ("fleeting.recognisers.unit_networks", "off_apexnet_units"),
    "logistic-regression-thresholds": ("fleeting.recognisers.unit_thresholds", "logistic_with_thresholds"),
    "ststnet-thresholds": ("fleeting.recognisers.unit_thresholds", "ststnet_with_thresholds"),
    "off-apexnet-thresholds": ("fleeting.recognisers.unit_thresholds", "off_apexnet_with_thresholds"),
}
"""Module and class (or function), as `registry.RECOGNISERS`."""


class FittedUnits(Protocol):
    """A model of action units after its training."""

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """(units,) From this probability on, a clip is said to show the unit."""
        ...

    def probabilities(self, samples: Samples) -> npt.NDArray[Any]:
        """Return (n, units), each 0..1. Must not look at ``samples.action_units``."""
        ...


class UnitModel(Protocol):
    """A kind of model of action units, with its settings, before training."""

    @property
    def name(self) -> str:
        """As ``fleeting benchmark --model`` spells it."""
        ...

    @property
    def needs(self) -> Literal["flow", "sequence"]:
        """The array of `Samples` that it reads."""
        ...

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedUnits:
        """Train on ``train.action_units``; thresholds too are chosen on `train` and `validation`.

        `validation`, whose subjects are others, is None where the model makes its own inner folds.
        """
        ...

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings, as plain values for JSON and TOML."""
        ...


@dataclass(frozen=True, slots=True)
class AllPositive:
    """Says of every clip that it shows every unit: what a score is worth without looking."""

    units: int = 0
    name: str = "all-positive"
    needs: Literal["flow", "sequence"] = "flow"

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """(units,) of a half."""
        return np.full(self.units, 0.5)

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> AllPositive:
        """Return the same for so many units."""
        return AllPositive(train.coded_units().shape[1])

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float64]:
        """Return ones."""
        return np.ones((len(samples), self.units))

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)
