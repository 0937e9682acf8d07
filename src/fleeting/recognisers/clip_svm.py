"""From a feature of single clips to a recogniser: the feature, then a support vector machine.

All choices are made on inner folds of whole subjects.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError
from fleeting.recognisers.folds.inner_folds import InnerFold, subject_folds
from fleeting.training.calibration import fit_temperature, softmax

Rows = npt.NDArray[np.float32]
NEVER = -1e3
"""Margin of a class that no training row had."""

Choice = TypeVar("Choice")


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
        return placed(found, self.machine.classes_, classes=self.classes)

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

    def margins(pair: tuple[int, float], fold: InnerFold) -> npt.NDArray[np.float64]:
        machine = _fit(features[fold.train], label[fold.train], pair, classes, settings)
        return machine.margins(features[fold.validation])

    dealt = teaching_folds(label, subject, folds=settings.inner_folds, seed=seed)
    best, temperature = choose(pairs, margins, label, dealt)
    return replace(_fit(features, label, best, classes, settings), temperature=temperature)


def placed(margins: npt.NDArray[Any], known: npt.NDArray[np.int64], *, classes: int) -> npt.NDArray[np.float64]:
    """Return margins (n, known classes) as (n, classes), minus 1e3 for a class without training rows."""
    found = np.full((len(margins), classes), NEVER)
    found[:, known] = margins
    return found


def teaching_folds(
    label: npt.NDArray[np.int64], subject: npt.NDArray[Any], *, folds: int, seed: int
) -> tuple[InnerFold, ...]:
    """Deal subjects to inner folds, one per subject where there are fewer; none of which trains on a single class.

    Parameters
    ----------
    label, subject
        (n,) class indices and names.
    folds
        At most; fewer than 2 subjects give none.
    seed
        Deals the subjects.
    """
    folds = min(folds, len(np.unique(subject)))
    dealt = subject_folds(subject, folds=folds, seed=seed) if folds >= 2 else ()
    return tuple(f for f in dealt if len(np.unique(label[f.train])) > 1)


def choose(
    candidates: Sequence[Choice],
    margins: Callable[[Choice, InnerFold], npt.NDArray[np.float64]],
    label: npt.NDArray[np.int64],
    folds: Sequence[InnerFold],
) -> tuple[Choice, float]:
    """Return the candidate with the highest mean recall over all inner folds together, and its temperature.

    Parameters
    ----------
    candidates
        The first of equals is taken, and the first one where there are no folds; then the temperature is 1.
    margins
        Trains with a candidate on a fold; returns (m, classes) of its validation rows, as `placed`.
    label
        (n,) class indices.
    folds
        Of `teaching_folds`.
    """
    best, top, kept = candidates[0], -1.0, None
    if not folds:
        return best, 1.0
    held = np.concatenate([f.validation for f in folds])
    for candidate in candidates:
        found = np.concatenate([margins(candidate, fold) for fold in folds])
        score = recall_score(label[held], found.argmax(1), average="macro", labels=np.unique(label[held]))
        if score > top + 1e-9:
            best, top, kept = candidate, score, found
    assert kept is not None
    # Temperatures are searched between 0.05 and 20, and margins of a weak machine can be of any size below.
    size = max(float(kept[kept > NEVER].std()), 1e-12)
    return best, size * fit_temperature(kept / size, label[held])


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


Feature = Callable[[Samples], Rows]

_KEPT = 4096
_cache: OrderedDict[tuple[str, bytes], npt.NDArray[np.float32]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class FittedClipSvm:
    """A machine and the feature that it reads.

    Attributes
    ----------
    feature
        Makes (n, values) of samples, each row from its own clip alone.
    machine
        Fitted on training rows.
    threshold
        Always 0: it answers always.
    """

    feature: Feature
    machine: FittedKernelSvm
    threshold: float = 0.0

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return (n, classes), rows summing to 1."""
        return self.machine.probabilities(self.feature(samples))


@dataclass(frozen=True, slots=True)
class ClipSvm:
    """A feature of single clips and a machine, before its training; a system says what its `features` are."""

    svm: SvmSettings = field(default_factory=SvmSettings)
    name: str = ""
    needs: Literal["flow", "sequence"] = "sequence"

    def features(self, samples: Samples) -> Rows:
        """Return the feature of every clip, (n, values)."""
        raise NotImplementedError

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedClipSvm:
        """Fit on all rows given; what is chosen is chosen on inner folds over their subjects."""
        rows = train if validation is None else joined([train, validation])
        machine = fit_svm(
            self.features(rows), rows.label, rows.subject, classes=len(rows.classes), settings=self.svm, seed=seed
        )
        return FittedClipSvm(self.features, machine)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        return asdict(self)


def sequences(samples: Samples) -> npt.NDArray[np.uint8]:
    """Return the clips of samples.

    Raises
    ------
    DataError
        Where there are none.
    """
    if samples.sequence is None:
        raise DataError("clips (frames, h, w)", "flow images alone", "Prepare the data from videos.")
    return samples.sequence


def of_each(
    rows: npt.NDArray[np.uint8], function: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]], *, key: str
) -> Rows:
    """Return the feature of every row, (n, values).

    A leave-one-subject-out run asks for the same clip once per fold. Since a row's feature depends on its pixels alone,
    the last few thousand are kept, under their pixels and `key`, which names the function with all its settings.
    """
    return np.stack([_kept(row, function, key) for row in rows])


def _kept(row: npt.NDArray[np.uint8], function: Callable[..., Any], key: str) -> npt.NDArray[np.float32]:
    pixels = np.ascontiguousarray(row)
    place = (f"{key} {row.shape}", hashlib.blake2b(pixels.data, digest_size=16).digest())
    if place not in _cache:
        _cache[place] = function(pixels)
        if len(_cache) > _KEPT:
            _cache.popitem(last=False)
    _cache.move_to_end(place)
    return _cache[place]
