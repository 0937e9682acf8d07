"""The floor: a linear support vector machine on the flow image, nothing chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from fleeting.datasets.samples import Samples
from fleeting.motion.flow_image import standardised
from fleeting.training.calibration import softmax


@dataclass(frozen=True, slots=True)
class FittedSvm:
    """The machine, and the scaler that was fitted on its training rows.

    Attributes
    ----------
    scaler, machine
        Of scikit-learn.
    classes
        Number of columns of the probabilities.
    threshold
        Always 0: margins are no probabilities, so the machine cannot say when it is unsure.
    """

    scaler: StandardScaler
    machine: LinearSVC
    classes: int
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return the softmax of the margins, (n, classes); a class without training rows gets 0."""
        margins = self.machine.decision_function(self.scaler.transform(features(samples)))
        if margins.ndim == 1:  # two classes: one margin, for the second
            margins = np.stack([-margins, margins], 1) / 2
        probabilities = np.zeros((len(samples), self.classes), np.float32)
        probabilities[:, self.machine.classes_] = softmax(margins)
        return probabilities


@dataclass(frozen=True, slots=True)
class LinearSvm:
    """Linear machine on the flow image minus its median over its standard deviation, scaled on the training rows.

    Attributes
    ----------
    strength
        ``C`` of scikit-learn's ``LinearSVC``; classes are balanced.
    """

    strength: float = 1e-3
    name: str = "linear-svm"
    needs: Literal["flow", "sequence"] = "flow"

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedSvm:
        """Fit on `train`; there is nothing to choose on `validation`.

        Raises
        ------
        DataError
            Where the rows carry no flow images.
        """
        scaler = StandardScaler()
        machine = LinearSVC(C=self.strength, class_weight="balanced", random_state=seed)
        machine.fit(scaler.fit_transform(features(train)), train.label)
        return FittedSvm(scaler, machine, len(train.classes))

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)


def features(samples: Samples) -> npt.NDArray[np.float32]:
    """Return flow images centred and scaled each by itself, (n, 28 * 28 * 3) float32."""
    return standardised(samples.flow_images(), limit=np.inf).reshape(len(samples), -1)
