"""What is asked of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """What is asked of a benchmark.

    Attributes
    ----------
    model
        Name of the recogniser.
    protocol
        One of `protocols.PROTOCOLS`, or ``holdout`` if `test` names data.
    seeds
        Number of repetitions, with the seeds 0, 1, ...
    folds
        Number of folds of ``kfold``.
    validation
        Share of the training subjects held out for validation in every fold.
    classes
        Number of classes.
    draws
        Bootstrap samples of subjects for the intervals.
    data
        ``NAME=PATH`` of all data; for a hold-out, of the training data.
    test
        ``NAME=PATH`` of the test data of a hold-out.
    """

    model: str
    protocol: str = "loso"
    seeds: int = 1
    folds: int = 5
    validation: float = 0.0
    classes: int = 3
    draws: int = 2000
    data: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
