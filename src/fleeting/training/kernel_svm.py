"""A support vector machine on one feature vector per clip; all choices are made on inner folds of whole subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fleeting.errors import DataError
from fleeting.training.calibration import fit_temperature
from fleeting.training.inner_folds import subject_folds
from fleeting.training.linear_recogniser import softmax

Rows = npt.NDArray[np.float32]
_NEVER = -1e3


@dataclass(frozen=True, slots=True)
class SvmSettings:
    """How a machine is fitted.

    Attributes
    ----------
    kernel
        Of scikit-learn's ``SVC``: ``linear``, ``poly`` or ``rbf``.
    degrees
        Candidates of the degree of ``poly``; the others have none.
    strengths
        Candidates of ``C``.
    inner_folds
        Of the training subjects; one per subject where there are fewer.
    """

    kernel: Literal["linear", "poly", "rbf"] = "linear"
    degrees: tuple[int, ...] = (1,)
    strengths: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    inner_folds: int = 5


@dataclass(frozen=True, slots=True)
class FittedKernelSvm:
    """A machine and the scaler of its features, both fitted on training rows.

    Attributes
    ----------
    scaler, machine
        Of scikit-learn.
    classes
        Number of columns of the probabilities.
    temperature
        Divides the margins before the softmax.
    """

    scaler: StandardScaler
    machine: SVC
    classes: int
    temperature: float = 1.0

    def margins(self, features: Rows) -> npt.NDArray[np.float64]:
        """Return (n, classes) margins, one class against the others; minus 1e3 for a class without training rows."""
        found = self.machine.decision_function(self.scaler.transform(features))
        if found.ndim == 1:  # two classes: one margin, for the second
            found = np.stack([-found, found], 1) / 2
        margins = np.full((len(features), self.classes), _NEVER)
        margins[:, self.machine.classes_] = found
        return margins

    def probabilities(self, features: Rows) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1."""
        return softmax(self.margins(features) / self.temperature)


def fit_svm(
    features: Rows,
    label: npt.NDArray[np.int64],
    subject: npt.NDArray[Any],
    *,
    classes: int,
    settings: SvmSettings,
    seed: int,
) -> FittedKernelSvm:
    """Fit a machine, classes balanced; degree, strength and temperature on inner folds.

    The pair of degree and strength with the highest mean recall over the classes of all inner folds together is taken,
    the weakest of equals; the first one where there is a single subject.

    Parameters
    ----------
    features
        (n, values) float32, training rows only.
    label, subject
        (n,) class indices and names.
    classes
        Number of classes.
    settings
        Kernel and candidates.
    seed
        Deals the subjects to inner folds.

    Raises
    ------
    DataError
        Where all rows are of one class.
    """
    if len(np.unique(label)) < 2:
        raise DataError("training rows of at least 2 classes", "rows of one class", "Use more data.")
    pairs = [(d, c) for d in (settings.degrees if settings.kernel == "poly" else (1,)) for c in settings.strengths]
    folds = min(settings.inner_folds, len(np.unique(subject)))
    best, margins = pairs[0], None
    if folds >= 2:
        # A fold whose training rows hold one class teaches nothing.
        dealt = [f for f in subject_folds(subject, folds=folds, seed=seed) if len(np.unique(label[f.train])) > 1]
        held = np.concatenate([f.validation for f in dealt]) if dealt else np.array([], np.int64)
        top = -1.0
        for pair in pairs if len(held) else ():
            found = np.concatenate(
                [
                    _fit(features[f.train], label[f.train], pair, classes, settings).margins(features[f.validation])
                    for f in dealt
                ]
            )
            score = recall_score(label[held], found.argmax(1), average="macro", labels=np.unique(label[held]))
            if score > top + 1e-9:
                top, best, margins = score, pair, found
    fitted = _fit(features, label, best, classes, settings)
    if margins is None:
        return fitted
    # Temperatures are searched between 0.05 and 20, and margins of a weak machine can be of any size below.
    size = max(float(margins[margins > _NEVER].std()), 1e-12)
    return FittedKernelSvm(fitted.scaler, fitted.machine, classes, size * fit_temperature(margins / size, label[held]))


def _fit(
    features: Rows, label: npt.NDArray[np.int64], pair: tuple[int, float], classes: int, settings: SvmSettings
) -> FittedKernelSvm:
    scaler = StandardScaler()
    machine = SVC(
        kernel=settings.kernel,
        degree=pair[0],
        C=pair[1],
        gamma="scale",
        coef0=1.0,
        class_weight="balanced",
        decision_function_shape="ovr",
        break_ties=True,
    )
    machine.fit(scaler.fit_transform(features), label)
    return FittedKernelSvm(scaler, machine, classes)
