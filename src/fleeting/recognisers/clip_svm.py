"""From a feature of single clips to a recogniser: the feature, then a support vector machine."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError
from fleeting.recognisers.kernel_svm import FittedKernelSvm, Rows, SvmSettings, fit_svm

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
