"""Logistic regression of each action unit on the flow image: the floor that a network has to beat."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from fleeting.datasets.samples import Samples
from fleeting.recognisers.linear_svm import features


@dataclass(frozen=True, slots=True)
class FittedLogistic:
    """One regression for each unit, and the scaler that was fitted on the training rows.

    Attributes
    ----------
    scaler, machines
        Of scikit-learn; None for a unit that the training clips never or always show.
    thresholds
        (units,).
    """

    scaler: StandardScaler
    machines: tuple[LogisticRegression | None, ...]
    thresholds: npt.NDArray[np.float64]

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float64]:
        """Return (n, units); 0 for a unit that was not learned."""
        values = self.scaler.transform(features(samples))
        nothing = np.zeros(len(samples))
        return np.stack([nothing if m is None else m.predict_proba(values)[:, 1] for m in self.machines], 1)


@dataclass(frozen=True, slots=True)
class LogisticUnits:
    """Logistic regression on the flow image minus its median over its standard deviation, scaled on the training rows.

    Attributes
    ----------
    strength
        ``C`` of scikit-learn's ``LogisticRegression``; classes are balanced.
    """

    strength: float = 1e-3
    name: str = "logistic-regression"
    needs: Literal["flow", "sequence"] = "flow"

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedLogistic:
        """Fit on `train`; nothing is chosen, so `validation` is not looked at.

        Raises
        ------
        DataError
            Where the rows carry no flow images or no units.
        """
        scaler = StandardScaler()
        values = scaler.fit_transform(features(train))
        machines: list[LogisticRegression | None] = []
        for truth in train.coded_units().T:
            known = truth >= 0
            if len(np.unique(truth[known])) < 2:
                machines.append(None)
                continue
            machine = LogisticRegression(C=self.strength, class_weight="balanced", max_iter=2000)
            machines.append(machine.fit(values[known], truth[known]))
        return FittedLogistic(scaler, tuple(machines), np.full(len(machines), 0.5))

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)
