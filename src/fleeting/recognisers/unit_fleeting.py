"""Our own model of action units (`training.action_units.model`) as a model of the benchmark.

It starts from what the shipped network learned of moved portraits, into which no coded clip went, and is fitted anew on
the training clips of every fold. A unit that the shipped network does not know is never named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.datasets.samples import Samples
from fleeting.naming.action_units import UNITS
from fleeting.recognisers.fleeting.network import flow_inputs
from fleeting.recognisers.fleeting.recogniser import stored_start
from fleeting.training.action_units.model import Fitted, UnitSettings, fit_moved


@dataclass(frozen=True, slots=True)
class FittedFleetingUnits:
    """The fitted machine of the units that it knows.

    Attributes
    ----------
    fitted
        Of these units.
    columns
        (known,) place of each among all units that are asked for.
    thresholds
        (units,).
    """

    fitted: Fitted
    columns: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float64]:
        """Return (n, units); 0 for a unit that the shipped network does not know."""
        features, prior = stored_start("action_units")
        found = np.zeros((len(samples), len(self.thresholds)))
        known = [UNITS.index(samples.units[k]) for k in self.columns]
        found[:, self.columns] = self.fitted.moved(features(flow_inputs(samples.flow_images())), prior[:, known])
        return found


@dataclass(frozen=True, slots=True)
class FleetingUnits:
    """The kernel machine of the shipped network, fitted anew on the training clips.

    Attributes
    ----------
    plan
        Its settings; what they say of portraits and of the network of sides is not used.
    """

    plan: UnitSettings = field(default_factory=UnitSettings)
    name: str = "fleeting"
    needs: Literal["flow", "sequence"] = "flow"

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedFleetingUnits:
        """Fit on `train`; probabilities come from inner folds over its people, so `validation` is not looked at.

        Raises
        ------
        DataError
            Where the rows carry no flow images or no units, or are of one person.
        """
        truth = train.coded_units().astype(np.int64)
        columns = np.array([k for k, name in enumerate(train.units) if name in UNITS], np.int64)
        features, prior = stored_start("action_units")
        prior = prior[:, [UNITS.index(train.units[k]) for k in columns]]
        both_sides = np.repeat(truth[:, columns, None], 2, 2)
        values = features(flow_inputs(train.flow_images()))
        fitted = fit_moved(values, both_sides, train.subject, prior, self.plan, seed=seed)
        thresholds = np.full(truth.shape[1], 0.5)
        thresholds[columns] = fitted.thresholds
        return FittedFleetingUnits(fitted, columns, thresholds)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values, and the network whose start is taken."""
        return asdict(self.plan) | {"start": weights.card("action_units")["sha256"]}
