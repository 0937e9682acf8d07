"""From probabilities of action units to a yes or no: thresholds that are chosen on training people alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.recognisers.unit_models import FittedUnits, UnitModel

FOLDS = 5
LEAST = 5
"""Examples of a unit below which a choice would be chance; its threshold is then a half."""


@dataclass(frozen=True, slots=True)
class FittedThresholds:
    """A trained model, and thresholds (units,) in the place of its own."""

    model: FittedUnits
    thresholds: npt.NDArray[np.float64]

    def probabilities(self, samples: Samples) -> npt.NDArray[Any]:
        """Return (n, units)."""
        return self.model.probabilities(samples)


@dataclass(frozen=True, slots=True)
class WithThresholds:
    """A model whose thresholds are those of the best F1 on training people who were held out in turn.

    Attributes
    ----------
    model
        Trained `FOLDS` times for the choice, and once on all training clips.
    """

    model: UnitModel

    @property
    def name(self) -> str:
        """As ``fleeting benchmark --model`` spells it."""
        return f"{self.model.name}-thresholds"

    @property
    def needs(self) -> Literal["flow", "sequence"]:
        """As the model's."""
        return self.model.needs

    def settings(self) -> dict[str, Any]:
        """Return those of the model, and of the choice."""
        return self.model.settings() | {"name": self.name, "folds": FOLDS, "least": LEAST}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedThresholds:
        """Fit on `train`; the thresholds are chosen on inner folds over its subjects, of whom there are at least two.

        Raises
        ------
        InputError
            For one subject alone.
        DataError
            As the model.
        """
        truth = train.coded_units()
        said = np.zeros(truth.shape, np.float64)
        for fold in subject_folds(train.subject, folds=min(FOLDS, len(np.unique(train.subject))), seed=seed):
            fitted = self.model.fit(train.select(fold.train), None, seed=seed)
            said[fold.validation] = fitted.probabilities(train.select(fold.validation))
        chosen = np.array([best_threshold(t, p) for t, p in zip(truth.T, said.T, strict=True)])
        return FittedThresholds(self.model.fit(train, validation, seed=seed), chosen)


def logistic_with_thresholds() -> WithThresholds:
    """Logistic regression with chosen thresholds."""
    from fleeting.recognisers.unit_logistic import LogisticUnits

    return WithThresholds(LogisticUnits())


def ststnet_with_thresholds() -> WithThresholds:
    """STSTNet with chosen thresholds."""
    from fleeting.recognisers.unit_networks import ststnet_units

    return WithThresholds(ststnet_units())


def off_apexnet_with_thresholds() -> WithThresholds:
    """OFF-ApexNet with chosen thresholds."""
    from fleeting.recognisers.unit_networks import off_apexnet_units

    return WithThresholds(off_apexnet_units())


def best_threshold(truth: npt.NDArray[np.int8], probabilities: npt.NDArray[Any]) -> float:
    """Return the threshold of the best F1: halfway between two probabilities, the first of equally good ones.

    Parameters
    ----------
    truth
        (n,) as a column of `Samples.action_units`.
    probabilities
        (n,).
    """
    known = truth >= 0
    shows, said = truth[known] == 1, np.asarray(probabilities, np.float64)[known]
    if shows.sum() < LEAST:
        return 0.5
    order = np.argsort(-said, kind="stable")
    hits, last = np.cumsum(shows[order]), np.append(np.diff(said[order]) != 0, True)
    f1 = np.where(last, 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1]), -1)
    place = int(np.argmax(f1))
    after = said[order][place + 1] if place + 1 < len(hits) else 0.0
    return float((said[order][place] + after) / 2)
