"""The model of action units: a kernel machine on coded clips, and a network that knows moved portraits.

The members
-----------
- For each unit, ridge regression on random Fourier features (`recognisers.fleeting.fourier_ridge`), the same for a face
  and its mirror image, on coded clips alone. Clips that show the unit weigh as much as all others together.
- The network of `network`: first trained on portraits moved by known units and measured by this package's own flow
  (`moved_portraits`), then on coded clips with moved portraits beside them. It alone knows sides.

Their answers are added. A probability follows by logistic regression on this sum and on how often the unit is coded, of
all units together: three numbers, fitted on people who were held out in turn. A unit is reported where the flow speaks
rather for it than against it (a sum above 0), and never below `UnitSettings.least`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from fleeting.errors import DataError
from fleeting.naming.action_units import MOVED, UNITS
from fleeting.recognisers.fleeting.fourier_ridge import FourierFeatures, FourierSettings, fit_ridge, fourier_features
from fleeting.recognisers.fleeting.network import Variation, flow_inputs
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.training.action_units.clips import CodedClips
from fleeting.training.action_units.moved_portraits import FilmSettings
from fleeting.training.action_units.movements import UNKNOWN
from fleeting.training.action_units.network import (
    TrainingSettings,
    UnitRows,
    answers_of,
    log_odds,
    train_network,
    unit_net,
)

Array = npt.NDArray[np.float64]

SOFT = 3.0
"""A logit of the network that counts three quarters of a full answer of the kernel machine: tanh(logit / 3)."""


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """Everything that decides about the model.

    Attributes
    ----------
    films
        Moved portraits.
    fourier
        The kernel machine.
    filters, dropout
        Of the network.
    variation
        How inputs are varied while the network is trained.
    pretraining, training
        On moved portraits alone, and on coded clips with moved portraits beside them.
    inner_folds
        Folds over the people, for the probabilities.
    least
        Below this probability no unit is reported.
    """

    films: FilmSettings = field(default_factory=FilmSettings)
    fourier: FourierSettings = field(default_factory=lambda: FourierSettings(features=1500, sharpness=1.0))
    filters: tuple[int, int] = (12, 24)
    dropout: tuple[float, float] = (0.1, 0.3)
    variation: Variation = field(default_factory=Variation)
    pretraining: TrainingSettings = field(default_factory=lambda: TrainingSettings(epochs=12, batch_size=128))
    training: TrainingSettings = field(
        default_factory=lambda: TrainingSettings(
            epochs=30, batch_size=64, learning_rate=1.5e-3, weight_decay=3e-2, extra_batch=32, extra_weight=0.3
        )
    )
    inner_folds: int = 3
    least: float = 0.15


class Start(NamedTuple):
    """What no coded clip goes into.

    Attributes
    ----------
    moved
        Moved portraits.
    features
        Projections of the kernel machine.
    network
        Trained on moved portraits.
    """

    moved: UnitRows
    features: FourierFeatures
    network: nn.Module


def make_start(
    images: npt.NDArray[np.uint8], truth: npt.NDArray[np.int64], settings: UnitSettings, *, seed: int
) -> Start:
    """Train on moved portraits (`moved_portraits.measured_images`)."""
    moved = UnitRows(flow_inputs(images), torch.from_numpy(truth))
    network = unit_net(settings.filters, settings.dropout, seed=seed)
    train_network(network, moved, settings.pretraining, settings.variation, seed=seed)
    return Start(moved, fourier_features(moved.inputs, settings.fourier, seed=seed), network)


@dataclass(frozen=True)
class UnitModel:
    """A fitted model.

    Attributes
    ----------
    features, ridge
        Projections, and the weights (2 * features, units) of the kernel machines.
    network
        The network.
    slope, offset
        The log odds of a unit are ``slope * sum + offset[unit]``.
    thresholds
        (units,) from this probability on a unit is reported.
    """

    features: FourierFeatures
    ridge: npt.NDArray[np.float32]
    network: nn.Module
    slope: float
    offset: Array
    thresholds: Array

    def answers(self, images: npt.NDArray[np.uint8]) -> Array:
        """Return (n, units, 3) as `naming.action_units.ActionUnitNet` does."""
        inputs = flow_inputs(images)
        logits = answers_of(self.network, inputs).numpy().astype(np.float64)
        sums = _sums(self.features, self.ridge, logits, inputs)
        logits[..., MOVED] = self.slope * sums + self.offset
        return np.asarray(1 / (1 + np.exp(-logits)))


def fit(clips: CodedClips, start: Start, settings: UnitSettings, *, seed: int) -> UnitModel:
    """Fit on coded clips, the probabilities on inner folds over their people.

    Raises
    ------
    DataError
        For clips of fewer than two people.
    """
    people = len(np.unique(clips.subject))
    if people < 2:
        raise DataError("clips of at least two people", f"{people}", "Add clips of others.")
    inputs, truth = flow_inputs(clips.images), torch.from_numpy(clips.truth)
    ridge, network = _members(inputs, truth, start, settings, seed=seed)
    sums, odds = np.zeros((len(inputs), len(UNITS))), np.zeros((len(inputs), len(UNITS)))
    for fold in subject_folds(clips.subject, folds=min(settings.inner_folds, people), seed=seed):
        inner_ridge, inner = _members(inputs[fold.train], truth[fold.train], start, settings, seed=seed)
        held = inputs[fold.validation]
        logits = answers_of(inner, held).numpy().astype(np.float64)
        sums[fold.validation] = _sums(start.features, inner_ridge, logits, held)
        odds[fold.validation] = log_odds(truth[fold.train]).numpy()
    slope, by_odds, bias = _logistic(sums, odds, clips.truth)
    offset = by_odds * log_odds(truth).numpy().astype(np.float64) + bias
    thresholds = np.maximum(1 / (1 + np.exp(-offset)), settings.least)
    return UnitModel(start.features, ridge, network, slope, offset, thresholds)


def _members(
    inputs: Tensor, truth: Tensor, start: Start, settings: UnitSettings, *, seed: int
) -> tuple[npt.NDArray[np.float32], nn.Module]:
    features, shows = start.features(inputs), (truth == 1).any(2).numpy()
    known = (truth != UNKNOWN).all(2).numpy()
    ridge = [
        fit_ridge(features[k], s[k].astype(np.int64), settings.fourier, classes=2)[:, 1]
        for k, s in zip(known.T, shows.T, strict=True)
    ]
    network = train_network(
        copy.deepcopy(start.network), UnitRows(inputs, truth), settings.training, settings.variation,
        seed=seed, extra=start.moved, balanced=True,
    )  # fmt: skip
    return np.stack(ridge, 1), network


def _sums(features: FourierFeatures, ridge: npt.NDArray[np.float32], logits: Array, inputs: Tensor) -> Array:
    """Both members' answers (n, units), added."""
    return np.asarray(features(inputs) @ ridge + np.tanh(logits[..., MOVED] / SOFT))


def _logistic(sums: Array, odds: Array, truth: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Slope of the sum, weight of the log odds, and bias; a larger sum never makes a unit less probable."""
    shows, known = (truth == 1).any(2), (truth != UNKNOWN).all(2)
    if len(np.unique(shows[known])) < 2:
        raise DataError("clips with and without units", "one of both", f"Code some of {', '.join(UNITS)}.")
    fitted = LogisticRegression(C=100.0, max_iter=1000).fit(np.stack([sums[known], odds[known]], 1), shows[known])
    return max(float(fitted.coef_[0, 0]), 1e-6), float(fitted.coef_[0, 1]), float(fitted.intercept_[0])
