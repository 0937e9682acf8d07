"""The shipped recogniser as a model of the benchmark: it learns nothing more, and says whom it has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Shipped:
    """A network of the package with its card; for a hold-out on people whom it was not trained on.

    Attributes
    ----------
    weights_name
        Of the network and the card.
    """

    weights_name: str = "fleeting"
    name: str = "shipped"
    needs: Literal["flow", "sequence"] = "flow"

    @property
    def subjects_seen(self) -> tuple[str, ...]:
        """Subjects that the card says the network was trained on; the benchmark refuses to test on them."""
        return tuple(map(str, weights.card(self.weights_name)["subjects"]))

    @property
    def threshold(self) -> float:
        """Below this probability of the best class the answer is "unsure", as the card says."""
        return float(weights.card(self.weights_name)["unsure"]["threshold"])

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Shipped:
        """Return the network as it is.

        Raises
        ------
        DataError
            Where the classes are not those of the network.
        """
        if train.classes != THREE_CLASSES:
            raise DataError(f"the classes {', '.join(THREE_CLASSES)}", ", ".join(train.classes), "Use --classes 3.")
        return self

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return calibrated (n, 3)."""
        images = samples.flow_images()
        network = weights.session(self.weights_name)
        parts = [images[i : i + _BATCH] for i in range(0, len(samples), _BATCH)]
        return np.concatenate([np.asarray(network.run(None, {"flow": part})[0], np.float32) for part in parts])

    def settings(self) -> dict[str, Any]:
        """Return which network it is."""
        return {"name": self.name, "weights": self.weights_name, "sha256": weights.card(self.weights_name)["sha256"]}
