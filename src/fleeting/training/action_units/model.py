"""The model of action units: a kernel machine that knows moved portraits before it sees coded clips.

- For each unit, ridge regression on random Fourier features (`recognisers.fleeting.fourier_ridge`), the same for a face
  and its mirror image. Its weights start from those of portraits that are moved by known units and measured by this
  package's own flow (`moved_portraits`); coded clips change them. Clips that show the unit weigh as much as all others
  together.
- The network of `network`, trained on moved portraits alone, tells the side: few coded clips are one-sided.

A probability follows by logistic regression on the answer and on how often the unit is coded, of all units together:
three numbers, fitted on people who were held out in turn. A unit is reported where the flow speaks rather for it than
against it (an answer above 0), and never below `UnitSettings.least`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from fleeting.errors import DataError
from fleeting.naming.action_units import MOVED, UNITS
from fleeting.recognisers.fleeting.fourier_ridge import (
    FourierFeatures,
    FourierSettings,
    fit_prior,
    fit_ridge,
    fourier_features,
)
from fleeting.recognisers.fleeting.network import Variation, flow_inputs
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.training.action_units.clips import CodedClips
from fleeting.training.action_units.moved_portraits import FilmSettings
from fleeting.training.action_units.movements import UNKNOWN
from fleeting.training.action_units.network import (
    TrainingSettings,
    UnitRows,
    answers_of,
    train_network,
    unit_net,
)

Array = npt.NDArray[np.float64]


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
    variation, training
        How inputs are varied while the network is trained, and how it is trained.
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
    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(epochs=12, batch_size=128))
    inner_folds: int = 3
    least: float = 0.15


class Start(NamedTuple):
    """What no coded clip goes into.

    Attributes
    ----------
    features
        Projections of the kernel machine.
    prior
        (2 * features, units) of `fourier_ridge.fit_prior`.
    network
        Trained on moved portraits.
    """

    features: FourierFeatures
    prior: npt.NDArray[np.float32]
    network: nn.Module


def make_start(
    images: npt.NDArray[np.uint8], truth: npt.NDArray[np.int64], settings: UnitSettings, *, seed: int
) -> Start:
    """Train on moved portraits (`moved_portraits.measured_images`)."""
    moved = UnitRows(flow_inputs(images), torch.from_numpy(truth))
    network = unit_net(settings.filters, settings.dropout, seed=seed)
    train_network(network, moved, settings.training, settings.variation, seed=seed)
    features = fourier_features(moved.inputs, settings.fourier, seed=seed)
    values = features(moved.inputs)
    prior = [
        fit_prior(values[known], shows[known].astype(np.int64), settings.fourier, classes=2)[:, 1]
        for shows, known in _columns(truth)
    ]
    return Start(features, np.stack(prior, 1), network)


class Fitted(NamedTuple):
    """What coded clips decide.

    Attributes
    ----------
    own
        (2 * features, units) what they added to the weights of the start.
    slope, offset
        The log odds of a unit are ``slope * answer + offset[unit]``.
    thresholds
        (units,) from this probability on a unit is reported.
    """

    own: npt.NDArray[np.float32]
    slope: float
    offset: Array
    thresholds: Array

    def moved(self, features: Array, prior: npt.NDArray[np.float32]) -> Array:
        """Return the probability (n, units) that each unit moved."""
        answers = features @ (prior + self.own)
        return np.asarray(1 / (1 + np.exp(-(self.slope * answers + self.offset))))


@dataclass(frozen=True)
class UnitModel:
    """A fitted model: what it started from, and what coded clips decide."""

    start: Start
    fitted: Fitted

    def answers(self, images: npt.NDArray[np.uint8]) -> Array:
        """Return (n, units, 3) as `naming.action_units.ActionUnitNet` does."""
        inputs = flow_inputs(images)
        logits = answers_of(self.start.network, inputs).numpy().astype(np.float64)
        found = np.asarray(1 / (1 + np.exp(-logits)))
        found[..., MOVED] = self.fitted.moved(self.start.features(inputs), self.start.prior)
        return found


def fit(clips: CodedClips, start: Start, settings: UnitSettings, *, seed: int) -> UnitModel:
    """Fit on coded clips.

    Raises
    ------
    DataError
        As `fit_moved`.
    """
    features = start.features(flow_inputs(clips.images))
    return UnitModel(start, fit_moved(features, clips.truth, clips.subject, start.prior, settings, seed=seed))


def fit_moved(
    features: Array,
    truth: npt.NDArray[np.int64],
    subject: npt.NDArray[np.str_],
    prior: npt.NDArray[np.float32],
    settings: UnitSettings,
    *,
    seed: int,
) -> Fitted:
    """Fit the kernel machine on coded clips, the probabilities on inner folds over their people.

    Parameters
    ----------
    features, truth, subject
        (n, 2 * features), (n, units, 2) and (n,) of the clips.
    prior
        (2 * features, units) of `Start`.
    settings, seed
        Of the model, and of the inner folds.

    Raises
    ------
    DataError
        For clips of fewer than two people, or all with or all without units.
    """
    people = len(np.unique(subject))
    if people < 2:
        raise DataError("clips of at least two people", f"{people}", "Add clips of others.")
    answers, odds = np.zeros(truth.shape[:2]), np.zeros(truth.shape[:2])
    for fold in subject_folds(subject, folds=min(settings.inner_folds, people), seed=seed):
        inner = _weights(features[fold.train], truth[fold.train], prior, settings.fourier)
        answers[fold.validation] = features[fold.validation] @ inner
        odds[fold.validation] = log_odds(truth[fold.train])
    slope, by_odds, bias = _logistic(answers, odds, truth)
    offset = by_odds * log_odds(truth) + bias
    own = _weights(features, truth, prior, settings.fourier) - prior
    return Fitted(own, slope, offset, np.maximum(1 / (1 + np.exp(-offset)), settings.least))


def log_odds(truth: npt.NDArray[np.int64]) -> Array:
    """Log odds (units,) of each unit among rows; a unit that never or always moved counts half a row."""
    shows = (truth == 1).any(2).sum(0)
    return np.asarray(np.log((shows + 0.5) / (len(truth) - shows + 0.5)))


def _weights(
    features: Array, truth: npt.NDArray[np.int64], prior: npt.NDArray[np.float32], settings: FourierSettings
) -> npt.NDArray[np.float32]:
    ridges = []
    for k, (shows, known) in enumerate(_columns(truth)):
        both = np.stack([-prior[:, k], prior[:, k]], 1)
        fitted = fit_ridge(features[known], shows[known].astype(np.int64), settings, classes=2, prior=both)
        ridges.append(fitted[:, 1])
    return np.stack(ridges, 1)


def _columns(truth: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Which rows (n,) show each unit, and of which it is known."""
    return zip((truth == 1).any(2).T, (truth != UNKNOWN).all(2).T, strict=True)


def _logistic(answers: Array, odds: Array, truth: npt.NDArray[np.int64]) -> tuple[float, float, float]:
    """Slope of the answer, weight of the log odds, and bias; a larger answer never makes a unit less probable."""
    shows, known = (truth == 1).any(2), (truth != UNKNOWN).all(2)
    if len(np.unique(shows[known])) < 2:
        raise DataError("clips with and without units", "one of both", f"Code some of {', '.join(UNITS)}.")
    fitted = LogisticRegression(C=100.0, max_iter=1000).fit(np.stack([answers[known], odds[known]], 1), shows[known])
    return max(float(fitted.coef_[0, 0]), 1e-6), float(fitted.coef_[0, 1]), float(fitted.intercept_[0])
