"""Does anything of the held-out clips reach a model? Alter them, train again, and compare.

A recogniser that trains one fold gets no test row (`recognisers.contract`). One that trains many folds in a batch
gets all rows, since each is a training row of some fold; and a scaler, a selection of features or a threshold may
have been fitted on everything before. No bookkeeping of who fitted what sees all of these. This does: whatever
depends on the held-out pixels or labels gives another model when they are altered.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.errors import FleetingWarning, LeakageError
from fleeting.evaluation.benchmark.splits import Fold
from fleeting.recognisers.contract import Fitted

TOLERANCE = 1e-6
"""Largest change of a probability that passes; the same training on the same data gives the same bits on a processor,
and what a graphics card adds by its order of sums is measured where it is more."""


def altered(data: Samples, fold: Fold, *, seed: int = 0) -> Samples:
    """Return the data with other pixels and other labels in the test rows of a fold; ids stay.

    Pixels become noise, labels move to the next class, units that moved did not and the other way round, so that no
    model could be the same by chance.
    """
    rng = np.random.default_rng(seed)
    label = data.label.copy()
    label[fold.test] = (label[fold.test] + 1) % len(data.classes)
    flow, sequence = (_noisy(array, fold, rng) for array in (data.flow, data.sequence))
    units = None if data.action_units is None else data.action_units.copy()
    if units is not None:
        units[fold.test] = units[fold.test] == 0
    return replace(data, label=label, flow=flow, sequence=sequence, action_units=units)


def _noisy(array: npt.NDArray[np.uint8] | None, fold: Fold, rng: np.random.Generator) -> npt.NDArray[np.uint8] | None:
    if array is None:
        return None
    changed = array.copy()
    changed[fold.test] = rng.integers(0, 256, array[fold.test].shape, np.uint8)
    return changed


def require_independent(
    train: Callable[[Samples], Fitted], data: Samples, fold: Fold, *, name: str = "the model"
) -> float:
    """Raise where a model changes when the held-out clips of its fold are altered.

    Parameters
    ----------
    train
        The whole way from all clips to the fitted model of this fold: preparation, scaling, training. Same data, same
        model.
    data
        All clips.
    fold
        Whose test rows are altered.
    name
        Of the model, for the message.

    Returns
    -------
    float
        Largest change of a probability over the clips of the fold's training and test rows, as they were before.

    Raises
    ------
    LeakageError
        Where a probability changes by more than `TOLERANCE` and by more than from training twice on the same data.

    Warns
    -----
    FleetingWarning
        Where two trainings on the same data differ by more than `TOLERANCE`, so that a small leak could hide.
    """
    probe = data.select(np.concatenate([fold.test, fold.train]))
    first = train(data).probabilities(probe)
    change = float(np.abs(first - train(altered(data, fold)).probabilities(probe)).max())
    if change <= TOLERANCE:
        return change
    noise = float(np.abs(first - train(data).probabilities(probe)).max())
    if change > TOLERANCE + 3 * noise:
        raise LeakageError(
            f"the same '{name}' whatever the held-out clips of fold '{fold.id}' are",
            f"a probability that changes by {change:.2g} when they are altered",
            "Something was fitted on them: scalers, features and thresholds belong inside the fold.",
        )
    warnings.warn(
        f"Two trainings of '{name}' on the same data differ by {noise:.2g}, altered held-out clips change it by "
        f"{change:.2g}: no leak is seen, but a small one could hide.",
        FleetingWarning,
        stacklevel=2,
    )
    return change
