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
from fleeting.recognisers.clip_svm import FittedClipSvm, FittedKernelSvm


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

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedClipSvm:
        """Fit on `train`; there is nothing to choose on `validation`.

        Raises
        ------
        DataError
            Where the rows carry no flow images.
        """
        scaler = StandardScaler()
        machine = LinearSVC(C=self.strength, class_weight="balanced", random_state=seed)
        machine.fit(scaler.fit_transform(features(train)), train.label)
        # Margins are no probabilities: the machine cannot say when it is unsure.
        return FittedClipSvm(features, FittedKernelSvm(scaler, machine, len(train.classes)))

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)


def features(samples: Samples) -> npt.NDArray[np.float32]:
    """Return flow images centred and scaled each by itself, (n, 28 * 28 * 3) float32."""
    return standardised(samples.flow_images(), limit=np.inf).reshape(len(samples), -1)
