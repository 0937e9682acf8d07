"""Fleeting's own recogniser of flow images: a kernel machine that knows moved portraits before it sees people.

`Start` holds what no labelled clip goes into: the projections of `recognisers.fleeting.fourier_ridge`, and weights that
were fitted to portraits moved by known action units and measured by the methods of flow that an analysis uses
(`training.action_units.moved_portraits`). The clips of a fold change these weights as far as they contradict them. The
shipped network carries its own start, so that a benchmark needs no portraits.

One temperature and the threshold of "unsure" are chosen on laboratories held out in turn, because a user's recording
comes from another one: the machine is fitted anew without each data set and asked about it. Where the rows come from
one data set alone, folds over its subjects stand in.

How it was chosen: by the log loss (classes balanced) of training on one laboratory and testing on another, with a third
one left out; of variants within 0.01 of the best the simplest. About 80 variants were compared. A layer of action units
under the classes, networks beside the kernel machine and corrections for class frequencies gained less than that.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError, FleetingWarning
from fleeting.labels import THREE_CLASSES
from fleeting.recognisers.contract import TrainingRows, in_order_of_clips
from fleeting.recognisers.fleeting.fourier_ridge import (
    Array,
    FourierFeatures,
    FourierSettings,
    fit_prior,
    fit_ridge,
    fourier_features,
)
from fleeting.recognisers.fleeting.network import flow_inputs
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.training.calibration import fit_temperature, fit_threshold, softmax
from fleeting.training.export import constants_of

NEVER = np.float32(-1e3)
"""Added to the logit of a class that was not trained on."""

PROJECTIONS, STARTING_WEIGHTS = "projections_16", "kernel_weights_start"
"""Constants of the network's file that are its start."""


@dataclass(frozen=True, slots=True)
class FleetingSettings:
    """Everything that decides about the recogniser beside its start.

    Attributes
    ----------
    fourier
        The kernel machine; number, width and floor of its features decide about a new start alone.
    inner_folds
        Folds over the subjects where all rows come from one data set.
    target_accuracy
        Accuracy wanted among the answers that are not "unsure", on data sets held out.
    """

    fourier: FourierSettings = field(default_factory=FourierSettings)
    inner_folds: int = 3
    target_accuracy: float = 0.9


class Start(NamedTuple):
    """What no labelled clip goes into.

    Attributes
    ----------
    features
        Projections.
    prior
        (2 * features, classes) of `fourier_ridge.fit_prior`.
    """

    features: FourierFeatures
    prior: Array


def make_start(
    images: npt.NDArray[np.uint8], label: npt.NDArray[np.int64], settings: FourierSettings, *, seed: int
) -> Start:
    """Learn from moved portraits.

    Parameters
    ----------
    images
        (n, 28, 28, 3) uint8.
    label
        (n,) class indices; -1 where a movement stands for none: its image gives only the scale.
    settings
        Of the kernel machine.
    seed
        Of the projections.
    """
    inputs, known = flow_inputs(images), label >= 0
    features = fourier_features(inputs, settings, seed=seed)
    return Start(features, fit_prior(features(inputs[known]), label[known], settings, classes=len(THREE_CLASSES)))


@lru_cache
def stored_start(name: str) -> tuple[FourierFeatures, Array]:
    """Return projections and weights (2 * features, answers) of moved portraits, from a shipped network.

    Raises
    ------
    WeightsError
        Where the network is missing or damaged.
    """
    constants = constants_of(weights.file(name))
    projections = constants[PROJECTIONS].astype(np.float32)
    scale = np.float32(np.sqrt(projections.shape[1]))
    return FourierFeatures(projections), constants[STARTING_WEIGHTS] * scale


def shipped_start() -> Start:
    """Return the start of the shipped network; errors as `stored_start`."""
    return Start(*stored_start("fleeting"))


@dataclass(frozen=True)
class FittedFleeting:
    """A fitted machine with its temperature and the threshold of "unsure".

    Attributes
    ----------
    start
        What it started from.
    own
        (2 * features, classes) what the clips added to the weights of the start.
    known
        (classes,) bool: a class without a training row is never the answer.
    """

    start: Start
    own: Array
    known: npt.NDArray[np.bool_]
    temperature: float
    threshold: float

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes)."""
        return self.of_images(samples.flow_images())

    def of_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes) for flow images (n, 28, 28, 3) uint8."""
        features = self.start.features(flow_inputs(images))
        return softmax(_logits(features, self.start.prior + self.own, self.known) / self.temperature)


@dataclass(frozen=True)
class Fleeting:
    """Fleeting's own recogniser of flow images (see the module).

    Attributes
    ----------
    plan
        Its settings.
    start
        What it starts from; that of the shipped network where None.
    """

    plan: FleetingSettings = field(default_factory=FleetingSettings)
    start: Start | None = None
    name: str = "fleeting"
    needs: Literal["flow"] = "flow"

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings, and the network whose start is taken."""
        return asdict(self.plan) | ({} if self.start else {"start": weights.card("fleeting")["sha256"]})

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedFleeting:
        """Fit on the rows of `train` and `validation` together; `seed` deals subjects to inner folds.

        Raises
        ------
        DataError
            Where the rows carry no flow images, or other than the three classes.
        """
        if train.classes != THREE_CLASSES:
            raise DataError(f"the classes {', '.join(THREE_CLASSES)}", ", ".join(train.classes), "Use --classes 3.")
        if validation is not None and len(validation):
            train = joined([train, validation])
        nobody = np.array([], np.int64)
        rows, _ = in_order_of_clips(train, [TrainingRows("all", np.arange(len(train)), nobody)])
        start = self.start or shipped_start()
        features = start.features(flow_inputs(rows.flow_images()))
        held_out = self._held_out(rows, seed=seed)
        temperature, threshold = 1.0, 0.0
        if held_out:
            logits = np.concatenate([self._asked(features, rows.label, held, start) for held in held_out])
            truth = np.concatenate([rows.label[held] for held in held_out])
            temperature = fit_temperature(logits, truth)
            threshold = fit_threshold(softmax(logits / temperature), truth, target=self.plan.target_accuracy)
        own = self._weights(features, rows.label, start) - start.prior
        return FittedFleeting(start, own, _known(rows.label), temperature, threshold)

    def _held_out(self, rows: Samples, *, seed: int) -> list[npt.NDArray[np.bool_]]:
        """Rows (n,) to ask about, one after the other, by a machine that was fitted to all others."""
        laboratories, people = np.unique(rows.dataset), np.unique(rows.subject)
        if len(laboratories) > 1:
            return [rows.dataset == name for name in laboratories]
        count = min(self.plan.inner_folds, len(people))
        if count > 1:
            folds = subject_folds(rows.subject, folds=count, seed=seed)
            return [np.isin(np.arange(len(rows)), fold.validation) for fold in folds]
        warnings.warn(
            "Rows of one subject leave nobody to calibrate on: the probabilities are as the machine gives them, and"
            " nothing is called unsure.",
            FleetingWarning,
            stacklevel=3,
        )
        return []

    def _asked(
        self, features: npt.NDArray[np.float64], label: npt.NDArray[np.int64], held: npt.NDArray[np.bool_], start: Start
    ) -> npt.NDArray[np.float32]:
        others = label[~held]
        return _logits(features[held], self._weights(features[~held], others, start), _known(others))

    def _weights(self, features: npt.NDArray[np.float64], label: npt.NDArray[np.int64], start: Start) -> Array:
        return fit_ridge(features, label, self.plan.fourier, classes=len(THREE_CLASSES), prior=start.prior)


def _known(label: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.bincount(label, minlength=len(THREE_CLASSES)) > 0)


def _logits(
    features: npt.NDArray[np.float64], kernel_weights: Array, known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    return np.asarray(features @ kernel_weights + np.where(known, 0, NEVER), np.float32)
