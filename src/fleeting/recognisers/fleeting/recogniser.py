"""Fleeting's own recogniser of flow images: a kernel machine and small networks that know synthetic movements.

The members
-----------
- Ridge regression on random Fourier features (`recognisers.fleeting.fourier_ridge`), the same for a face and its
mirror image; its
  scale is taken from synthetic images.
- Small position-aware networks (`recognisers.fleeting.network`): first trained on synthetic flow images
(`recognisers.fleeting.synthetic_flow`),
  then on the fold's own rows with synthetic ones beside them; the mean of the logits of a face and its mirror image.

The logarithms of their probabilities are averaged, the kernel machine counting as much as all networks together. One
temperature and the threshold of "unsure" are chosen on inner folds over the fold's own subjects: the members are
trained anew without each inner fold's subjects and asked about them.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError, FleetingWarning
from fleeting.labels import THREE_CLASSES
from fleeting.recognisers.contract import Fitted, TrainingRows, in_order_of_clips
from fleeting.recognisers.fleeting.fourier_ridge import (
    Array,
    FourierFeatures,
    FourierSettings,
    fit_ridge,
    fourier_features,
)
from fleeting.recognisers.fleeting.network import Variation, flow_inputs, flow_net, mirrored_inputs
from fleeting.recognisers.fleeting.synthetic_flow import SyntheticSettings, synthetic_flow_images
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.recognisers.folds.many_folds import EpochSettings, LabelledRows, logits_of, same_start, train_all
from fleeting.recognisers.half_face.linear import softmax
from fleeting.training.calibration import fit_temperature, fit_threshold

Rows = npt.NDArray[np.int64]

NEVER = np.float32(-1e3)
"""Logit of a class that was not trained on."""

_PRETRAINING = EpochSettings(
    epochs=16, batch_size=128, learning_rate=2e-3, weight_decay=1e-2, schedule="one-cycle", shuffle=True,
    label_smoothing=0.1,
)  # fmt: skip
_TRAINING = EpochSettings(
    epochs=60, batch_size=64, learning_rate=2e-3, weight_decay=1e-2, schedule="one-cycle", shuffle=True,
    label_smoothing=0.1, balanced=True, extra_batch=32, extra_weight=0.3,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FleetingSettings:
    """Everything that decides about the recogniser.

    Attributes
    ----------
    synthetic
        Synthetic movements.
    fourier
        The kernel machine.
    networks, filters
        Number of small networks, which differ in their seed, and their filters.
    variation
        How inputs are varied while the networks are trained.
    pretraining, training
        Epochs on synthetic images alone, and on the fold's rows with synthetic ones beside them.
    inner_folds
        Folds over the fold's own subjects, for temperature and threshold; 0 leaves both out, which changes no most
        probable class.
    target_accuracy
        Accuracy wanted among the answers that are not "unsure".
    """

    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    fourier: FourierSettings = field(default_factory=FourierSettings)
    networks: int = 1
    filters: tuple[int, int] = (8, 16)
    variation: Variation = field(default_factory=Variation)
    pretraining: EpochSettings = _PRETRAINING
    training: EpochSettings = _TRAINING
    inner_folds: int = 3
    target_accuracy: float = 0.9


class _Start(NamedTuple):
    """What does not depend on any data set: synthetic inputs, projections, networks trained on synthetic inputs."""

    synthetic: LabelledRows
    features: FourierFeatures
    networks: tuple[nn.Module, ...]


@dataclass(frozen=True)
class FlowMembers:
    """The members of one fold.

    Attributes
    ----------
    features, ridge
        Projections, and the weights (2 * features, classes) of the kernel machine.
    networks
        The small networks.
    known
        (classes,) bool: a class without a training row is never the answer.
    """

    features: FourierFeatures
    ridge: Array
    networks: tuple[nn.Module, ...]
    known: npt.NDArray[np.bool_]

    def logits(self, inputs: Tensor) -> npt.NDArray[np.float32]:
        """Return (n, classes) logarithms of the members' mean probability, not normalised, of `flow_inputs`."""
        kernel = torch.from_numpy((self.features(inputs) @ self.ridge).astype(np.float32)).log_softmax(1)
        turned = mirrored_inputs(inputs)
        small = [(logits_of(x, inputs) + logits_of(x, turned)) / 2 for x in self.networks]
        network = torch.stack([x.log_softmax(1) for x in small]).mean(0)
        return np.where(self.known, ((kernel + network) / 2).numpy(), NEVER)


@dataclass(frozen=True)
class FittedFleeting:
    """The members with their temperature and the threshold of "unsure"."""

    members: FlowMembers
    temperature: float
    threshold: float

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes)."""
        return self.of_images(samples.flow_images())

    def of_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes) for flow images (n, 28, 28, 3) uint8."""
        return softmax(self.members.logits(flow_inputs(images)) / self.temperature)


@dataclass(frozen=True)
class Fleeting:
    """Fleeting's own recogniser of flow images (see the module).

    Attributes
    ----------
    plan
        Its settings.
    """

    plan: FleetingSettings = field(default_factory=FleetingSettings)
    name: str = "fleeting"
    needs: Literal["flow"] = "flow"

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings."""
        return asdict(self.plan)

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedFleeting:
        """Fit on the rows of `train` and `validation` together, calibrated on inner folds over their subjects."""
        if validation is not None and len(validation):
            train = joined([train, validation])
        rows = TrainingRows("fit", np.arange(len(train)), np.array([], np.int64))
        fitted = self.fit_many(train, [rows], seed=seed)[0]
        assert isinstance(fitted, FittedFleeting)
        return fitted

    def fit_many(self, data: Samples, folds: Sequence[TrainingRows], *, seed: int) -> list[Fitted]:
        """Fit every fold on its training and validation rows, all members of all folds and inner folds in one batch.

        Raises
        ------
        DataError
            Where the rows carry no flow images, or other than the three classes.
        """
        if data.classes != THREE_CLASSES:
            raise DataError(f"the classes {', '.join(THREE_CLASSES)}", ", ".join(data.classes), "Use --classes 3.")
        data, folds = in_order_of_clips(data, folds)
        own = [np.union1d(f.train, f.validation) for f in folds]
        inner = [self._inner(data.subject, rows, seed=seed) for rows in own]
        jobs = own + [train for splits in inner for train, _ in splits]
        inputs = flow_inputs(data.flow_images())
        members = iter(self._members(LabelledRows(inputs, torch.from_numpy(data.label)), jobs, seed=seed))
        outer = [next(members) for _ in own]
        return [
            self._calibrated(model, [(next(members), held) for _, held in splits], inputs, data.label)
            for model, splits in zip(outer, inner, strict=True)
        ]

    def _inner(self, subject: npt.NDArray[Any], rows: Rows, *, seed: int) -> list[tuple[Rows, Rows]]:
        """Rows to fit on and rows to ask about, of each inner fold."""
        count = min(self.plan.inner_folds, len(np.unique(subject[rows])))
        if self.plan.inner_folds == 0:
            return []
        if count < 2:
            warnings.warn(
                "Rows of one subject leave nobody to calibrate on: the probabilities are as the members give them, and"
                " nothing is called unsure.",
                FleetingWarning,
                stacklevel=4,
            )
            return []
        return [(rows[f.train], rows[f.validation]) for f in subject_folds(subject[rows], folds=count, seed=seed)]

    def _members(self, rows: LabelledRows, jobs: Sequence[Rows], *, seed: int) -> list[FlowMembers]:
        start, classes = _start(self.plan, seed), len(THREE_CLASSES)
        features = start.features(rows.inputs)
        label = rows.labels.numpy()
        ridges = [fit_ridge(features[job], label[job], self.plan.fourier, classes=classes) for job in jobs]
        by_network = [
            train_all(
                [copy.deepcopy(network) for _ in jobs], rows, jobs, self.plan.training,
                seed=_network_seed(self.plan, seed, i), augment=self.plan.variation, extra=start.synthetic,
            )
            for i, network in enumerate(start.networks)
        ]  # fmt: skip
        return [
            FlowMembers(
                start.features, ridge, tuple(x[i].eval() for x in by_network),
                np.bincount(label[job], minlength=classes) > 0,
            )
            for i, (ridge, job) in enumerate(zip(ridges, jobs, strict=True))
        ]  # fmt: skip

    def _calibrated(
        self, model: FlowMembers, held_out: Sequence[tuple[FlowMembers, Rows]], inputs: Tensor, label: Rows
    ) -> FittedFleeting:
        if not held_out:
            return FittedFleeting(model, temperature=1.0, threshold=0.0)
        logits = np.concatenate([inner.logits(inputs[rows]) for inner, rows in held_out])
        truth = np.concatenate([label[rows] for _, rows in held_out])
        temperature = fit_temperature(logits, truth)
        threshold = fit_threshold(softmax(logits / temperature), truth, target=self.plan.target_accuracy)
        return FittedFleeting(model, temperature, threshold)


def _network_seed(plan: FleetingSettings, seed: int, network: int) -> int:
    return seed * plan.networks + network


@lru_cache(maxsize=4)
def _start(plan: FleetingSettings, seed: int) -> _Start:
    images, label = synthetic_flow_images(plan.synthetic, seed=seed)
    synthetic = LabelledRows(flow_inputs(images), torch.from_numpy(label))
    networks = []
    for i in range(plan.networks):
        own = _network_seed(plan, seed, i)
        network = same_start(lambda: flow_net(classes=len(THREE_CLASSES), filters=plan.filters), 1, seed=own)
        everything = [np.arange(len(label))]
        train_all(network, synthetic, everything, plan.pretraining, seed=own, augment=plan.variation)
        networks.append(network[0])
    return _Start(synthetic, fourier_features(synthetic.inputs, plan.fourier, seed=seed), tuple(networks))
