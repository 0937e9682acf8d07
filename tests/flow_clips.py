"""Made-up clips with flow images, for tests of recognisers and of what measures them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fleeting.datasets.coded_clips import CODED
from fleeting.datasets.samples import Samples, truth_of
from fleeting.evaluation.benchmark.action_units import UNITS
from fleeting.evaluation.benchmark.data import BenchmarkData, benchmark_data
from fleeting.records.action_units import parse


def made_up(*, subjects: int = 6, each: int = 6, name: str = "made", seed: int = 0, noise: float = 1.0) -> Samples:
    """Clips whose class is a bump in v at a place of its own, under noise; every subject shows all three classes."""
    rng = np.random.default_rng(seed)
    n = subjects * each
    label = np.arange(n) % 3
    rows, columns = np.mgrid[:28, :28]
    flow = rng.normal(0, noise, (n, 28, 28, 3))
    for i, k in enumerate(label):
        flow[i, :, :, 1] -= 3 * np.exp(-((rows - (5, 14, 21)[k]) ** 2 + (columns - rng.choice([8, 19])) ** 2) / 12)
    low, high = flow.min((1, 2), keepdims=True), flow.max((1, 2), keepdims=True)
    clip = np.array([f"{name}/c{i:03d}" for i in range(n)])
    return Samples(
        clip=clip,
        subject=np.array([f"{name}/s{i // each}" for i in range(n)]),
        dataset=np.full(n, name),
        source_video=clip,
        label=label.astype(np.int64),
        flow=np.rint((flow - low) / (high - low) * 255).astype(np.uint8),
    )


def coded(
    *, subjects: int = 6, each: int = 6, name: str = "made", seed: int = 0, units: Sequence[str] = UNITS
) -> Samples:
    """The clips of `made_up` as clips of three action units; of every seventh the coders were not sure."""
    samples = made_up(subjects=subjects, each=each, name=name, seed=seed)
    texts = [("1", "L4B+7", "12 or 1" if i % 7 == 6 else "12+25")[k] for i, k in enumerate(samples.label)]
    return replace(
        samples,
        label=np.zeros(len(samples), np.int64),
        classes=CODED.classes,
        units=tuple(units),
        action_units=truth_of([parse(text).units for text in texts], units),
    )


def stored(samples: Samples, path: Path, **more: np.ndarray) -> Path:
    """Write clips in the layout of the composite set, with further arrays."""
    np.savez(
        path,
        **more,
        flow=samples.flow,
        label=samples.label,
        subject=[s.split("/", 1)[1] for s in samples.subject],
        clip=[c.split("/", 1)[1] for c in samples.clip],
        dataset=samples.dataset,
    )
    return path


def data_of(*parts: Samples) -> BenchmarkData:
    """Give each set of clips the name of its first data set."""
    return benchmark_data([(str(p.dataset[0]), p) for p in parts])


@dataclass
class Centroids:
    """What `Nearest` has learned."""

    centres: np.ndarray
    threshold: float = 0.4

    def probabilities(self, samples: Samples) -> np.ndarray:
        distance = ((features(samples)[:, None] - self.centres[None]) ** 2).mean(-1)
        powers = np.exp(-20 * (distance - distance.min(1, keepdims=True)))
        return (powers / powers.sum(1, keepdims=True)).astype(np.float32)


@dataclass
class Nearest:
    """Nearest class mean: quick, deterministic, without scikit-learn; it remembers what it was given."""

    name: str = "nearest"
    needs: Literal["flow", "sequence"] = "flow"
    given: list[tuple[Samples, Samples | None, int]] = field(default_factory=list)

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Centroids:
        self.given.append((train, validation, seed))
        values = features(train)
        return Centroids(np.stack([values[train.label == k].mean(0) for k in range(len(train.classes))]))

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}


@dataclass
class Learning(Nearest):
    """Moves towards the class means in steps, so that an epoch can be chosen; the last epoch is a bad one."""

    epochs: int = 6

    def fit_epochs(self, train: Samples, validation: Samples | None, *, seed: int) -> Iterator[Centroids]:
        centres = Nearest().fit(train, validation, seed=seed).centres
        for epoch in range(1, self.epochs + 1):
            rng = np.random.default_rng([seed, epoch])
            yield Centroids(centres + rng.normal(0, 0.25, centres.shape), threshold=0.4)


def features(samples: Samples) -> np.ndarray:
    assert samples.flow is not None
    return samples.flow[..., 1].reshape(len(samples), -1) / 255.0
