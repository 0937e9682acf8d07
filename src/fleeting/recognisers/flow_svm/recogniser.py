"""Revised flow and a support vector machine: stages 3 and 4 of the system of Li et al. 2019 (`motion.revised_flow`).

A ``Pipeline`` of scikit-learn: the steps of `recognisers.flow_svm.transformers`, then standardisation, principal
components and one machine with an RBF kernel per class against the others. Share of variance, strength and width of
the kernel are chosen on inner folds of whole subjects; scaler and components are fitted inside each of them.

Deviations and readings
- The paper names a support vector machine; kernel and choice of its parameters are ours.
- One against the rest, so that what is shipped is one kernel matrix and one map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError
from fleeting.motion.revised_flow import FRAMES, Layout
from fleeting.recognisers.clip_svm import Rows, choose, of_each, placed, sequences, teaching_folds
from fleeting.recognisers.flow_svm.transformers import (
    ApexFlow,
    ClipFlow,
    Flat,
    ImageFlow,
    RegionVectors,
    TowardsApex,
    WithoutHead,
)
from fleeting.recognisers.folds.inner_folds import InnerFold
from fleeting.settings import FlowMethod
from fleeting.training.calibration import softmax


@dataclass(frozen=True, slots=True)
class FlowSvmSettings:
    """How the feature is made and the machine is chosen.

    Attributes
    ----------
    method
        Of `motion.flow.dense_flow`, for clips.
    layout
        ``regions`` for the 36 of MDMO, ``grid`` for as many equal cells.
    revised
        False keeps the whole flow of the frame that moved furthest instead.
    frames
        Of a clip that are looked at.
    variances
        Candidates of the share of variance that the principal components keep.
    strengths
        Candidates of C.
    widths
        Candidates of the kernel's gamma, times one over the number of components.
    inner_folds
        Of the training subjects; one per subject where there are fewer.
    """

    method: FlowMethod = "learned"
    layout: Layout = "regions"
    revised: bool = True
    frames: int = FRAMES
    variances: tuple[float, ...] = (0.9, 0.99)
    strengths: tuple[float, ...] = (0.1, 1.0, 10.0)
    widths: tuple[float, ...] = (0.1, 0.3, 1.0)
    inner_folds: int = 5


@dataclass(frozen=True, slots=True)
class FittedFlowSvm:
    """A fitted machine with its feature.

    Attributes
    ----------
    feature
        Samples to rows (n, values).
    tail
        Scaler, components and machine, fitted.
    known
        Classes that training rows had.
    classes
        Number of columns of the probabilities.
    temperature
        Divides the margins before the softmax.
    chosen
        Share of variance, strength and width.
    threshold
        Always 0: it answers always.
    """

    feature: Callable[[Samples], Rows]
    tail: Pipeline
    known: npt.NDArray[np.int64]
    classes: int
    temperature: float
    chosen: dict[str, float]
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1."""
        return self.of_rows(self.feature(samples))

    def of_rows(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Return (n, classes) of features."""
        return softmax(_margins(self.tail, rows, self.known, self.classes) / self.temperature)


@dataclass(frozen=True, slots=True)
class FlowSvm:
    """The system on clips (``flow-svm``) or on flow images (``flow-svm-image``)."""

    how: FlowSvmSettings = field(default_factory=FlowSvmSettings)
    name: str = "flow-svm"
    needs: Literal["flow", "sequence"] = "sequence"

    def features(self, samples: Samples) -> Rows:
        """Return the feature of every clip, (n, 72), or the whole flow.

        Raises
        ------
        DataError
            Where the samples lack the clips or flow images that it reads.
        InputError
            Where clips are no canonical crops.
        """
        rows = sequences(samples) if self.needs == "sequence" else samples.flow_images()
        key = f"{self.needs} {self.how.method} {self.how.layout} {self.how.revised} {self.how.frames}"
        return of_each(rows, partial(_one, Pipeline(self.steps())), key=key)

    def steps(self) -> list[tuple[str, Any]]:
        """Return the steps of the pipeline before anything is learnt."""
        how = self.how
        first: list[tuple[str, Any]]
        if self.needs == "sequence":
            first = [("flow", ClipFlow(how.method, how.frames)), ("head", WithoutHead())]
        else:
            first = [("flow", ImageFlow())]
        if not how.revised:
            return [*first, ("apex", ApexFlow()), ("flat", Flat())]
        return [*first, ("regions", RegionVectors(how.layout)), ("apex", TowardsApex()), ("flat", Flat())]

    def pipeline(self, *, variance: float, strength: float, width: float) -> Pipeline:
        """Return the whole system with given choices, not yet fitted, from clips or flow images to classes."""
        return Pipeline([*self.steps(), *_tail(variance, strength, width).steps])

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedFlowSvm:
        """Fit on all rows given; variance, strength, width and temperature are chosen on inner folds of subjects.

        Raises
        ------
        DataError
            Where all rows are of one class.
        """
        given = train if validation is None else joined([train, validation])
        rows, label = self.features(given), given.label
        known = np.unique(label)
        if len(known) < 2:
            raise DataError("training rows of at least 2 classes", "rows of one class", "Use more data.")
        chosen, temperature = _choose(rows, label, given.subject, len(train.classes), self.how, seed)
        tail = _tail(**chosen).fit(rows, label)
        return FittedFlowSvm(self.features, tail, known, len(train.classes), temperature, chosen)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return {"name": self.name} | asdict(self.how)


def flow_svm_of_images() -> FlowSvm:
    """Return the system that reads flow images."""
    return FlowSvm(name="flow-svm-image", needs="flow")


def flow_svm_of(name: str, **changed: Any) -> FlowSvm:
    """Return the system on clips with other settings."""
    return FlowSvm(replace(FlowSvmSettings(), **changed), name=name)


def _one(steps: Pipeline, row: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(steps.transform(row[None])[0], np.float32)


class _Machine(SVC):  # type: ignore[misc]
    """An RBF machine whose gamma is `width` over the number of values of a row."""

    def __init__(self, width: float = 1.0, C: float = 1.0) -> None:
        super().__init__(kernel="rbf", C=C, gamma="auto", class_weight="balanced", cache_size=50)
        self.width = width

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _Machine:
        self.gamma = self.width / X.shape[1]
        super().fit(X, y, sample_weight)
        return self


def _tail(variance: float, strength: float, width: float) -> Pipeline:
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("components", PCA(n_components=variance, svd_solver="full", random_state=0)),
            ("machine", OneVsRestClassifier(_Machine(width=width, C=strength))),
        ]
    )


def _margins(tail: Pipeline, rows: Rows, known: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float64]:
    found = np.asarray(tail.decision_function(rows), np.float64)
    if found.ndim == 1:  # of two classes the machine gives one margin, for the second
        found = np.stack([-found, found], 1)
    return placed(found, known, classes=classes)


def _choose(
    rows: Rows,
    label: npt.NDArray[np.int64],
    subject: npt.NDArray[Any],
    classes: int,
    how: FlowSvmSettings,
    seed: int,
) -> tuple[dict[str, float], float]:
    """Choices with the highest mean recall over all inner folds together, and the temperature."""
    grid = [
        {"variance": v, "strength": c, "width": w} for v in how.variances for c in how.strengths for w in how.widths
    ]

    def margins(choice: dict[str, float], fold: InnerFold) -> npt.NDArray[np.float64]:
        tail = _tail(**choice).fit(rows[fold.train], label[fold.train])
        return _margins(tail, rows[fold.validation], np.unique(label[fold.train]), classes)

    return choose(grid, margins, label, teaching_folds(label, subject, folds=how.inner_folds, seed=seed))
