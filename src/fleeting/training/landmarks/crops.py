"""The crops that one epoch of the landmark network sees, made on the way and the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fleeting.faces.crop import SIZE
from fleeting.training.landmarks.augment import face_crop
from fleeting.training.landmarks.labels import FaceSample
from fleeting.training.landmarks.network import OPENING_SCALE, POINTS, POSE_SCALE, STATES
from fleeting.training.not_faces import not_face_crop

Item = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32], float]
Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""Crops (n, 1, s, s) uint8, points (n, 68, 2), states (n, 7) with NaN where unknown, weight (n,) of the points."""


@dataclass(frozen=True, slots=True)
class CropSource:
    """What crops are made from.

    Attributes
    ----------
    labelled
        Faces with points of their own; every epoch sees each once.
    taught
        Faces that the teacher labelled, by picture set; an epoch sees a sample of each.
    pictures
        Face-free grey pictures.
    """

    labelled: Sequence[FaceSample]
    taught: dict[str, Sequence[FaceSample]]
    pictures: Sequence[npt.NDArray[np.uint8]]


class CropDataset(Dataset[Item]):
    """Makes the crop of a key (seed, kind, index); the kind is a picture set, ``labelled`` or ``not_face``.

    Parameters
    ----------
    source
        What crops are made from.
    weights
        Weight of the points of every picture set; 1 where a set is not named.
    """

    def __init__(self, source: CropSource, *, weights: dict[str, float]) -> None:
        self.source, self.weights = source, weights
        self._anyone = [*source.labelled, *(s for k, v in source.taught.items() if k != "fer2013" for s in v)]

    def __getitem__(self, key: tuple[int, str, int]) -> Item:
        """Return crop, points, states and the weight of the points."""
        seed, kind, index = key
        cv2.setNumThreads(1)
        rng = np.random.default_rng(seed)
        if kind == "not_face":
            crop = not_face_crop(self._anyone, self.source.pictures, rng)
            states = np.full(STATES, np.nan, np.float32)
            states[-1] = 0
            return crop, np.zeros((POINTS, 2), np.float32), states, 0.0
        sample = self.source.labelled[index] if kind == "labelled" else self.source.taught[kind][index]
        crop, points, states = face_crop(sample, rng, others=self.source.pictures)
        states[:3] /= POSE_SCALE
        states[3:6] /= OPENING_SCALE
        return crop, points, np.append(states, np.float32(1)), self.weights.get(kind, 1.0)


def epoch_keys(
    source: CropSource, *, counts: dict[str, int], not_face_share: float, rng: np.random.Generator
) -> list[tuple[int, str, int]]:
    """Keys of one epoch in random order; `counts` says how many faces of each taught picture set."""
    chosen: list[tuple[str, int]] = [("labelled", i) for i in range(len(source.labelled))]
    for name, samples in source.taught.items():
        chosen += [(name, int(i)) for i in rng.permutation(len(samples))[: counts.get(name, len(samples))]]
    chosen += [("not_face", 0)] * round(len(chosen) * not_face_share / (1 - not_face_share))
    order = rng.permutation(len(chosen))
    seeds = rng.integers(0, 2**63 - 1, len(chosen))
    return [(int(seeds[i]), *chosen[i]) for i in order]


def _collate(items: list[Item]) -> Batch:
    crops, points, states, weights = zip(*items, strict=True)
    return (
        torch.from_numpy(np.stack(crops).reshape(-1, 1, SIZE, SIZE)),
        torch.from_numpy(np.stack(points)),
        torch.from_numpy(np.stack(states)),
        torch.tensor(weights, dtype=torch.float32),
    )


def batches(dataset: CropDataset, keys: Sequence[Any], *, size: int, workers: int = 0) -> Iterator[Batch]:
    """Yield the crops of `keys` in batches; a last batch of one crop is left out (batch norm needs two)."""
    groups = [keys[i : i + size] for i in range(0, len(keys), size)]
    if len(groups[-1]) < 2:
        groups.pop()
    loader = DataLoader(dataset, batch_sampler=groups, num_workers=workers, collate_fn=_collate)  # type: ignore[arg-type]
    yield from loader
