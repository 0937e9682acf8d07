"""DSTICNN where people are few, for `benchmarks/sequences.py`: a share of the training people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from fleeting.datasets.samples import Samples
from fleeting.recognisers.contract import Fitted
from fleeting.recognisers.dsticnn.recogniser import DsticnnRecogniser


@dataclass(frozen=True)
class Fewer:
    """DSTICNN that is given a share of the training people only."""

    of: DsticnnRecogniser
    share: float
    needs: Literal["flow", "sequence"] = "sequence"

    @property
    def name(self) -> str:
        """Name of the recogniser."""
        return self.of.name

    def settings(self) -> dict[str, Any]:
        """Return those of the recogniser, and the share."""
        return self.of.settings() | {"share": self.share}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Fitted:
        """Train on people whom the seed draws, the same ones with and without interaction."""
        people = np.random.default_rng([seed, 9]).permutation(np.unique(train.subject))
        kept = people[: max(1, round(self.share * len(people)))]
        return self.of.fit(train.select(np.isin(train.subject, kept)), validation, seed=seed)
