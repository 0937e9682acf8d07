"""Labelled pictures on the training device: how they are changed, in which order they are learned, what a network says.

All random numbers come from a generator of the CPU, so that a seed means the same pictures on every device; the work on
pixels is one warp per batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fleeting.datasets import fer2013
from fleeting.recognisers.deep_emotion.network import CLASSES, DeepEmotion, standardise
from fleeting.training.expression.network import ExpressionNetwork
from fleeting.training.expression.recipe import AugmentSettings, ExpressionRecipe, Interpolation
from fleeting.training.expression.shipped import Views, mean_logits


def _between(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator) * (high - low) + low


def affine_maps(count: int, settings: AugmentSettings, generator: torch.Generator) -> Tensor:
    """Return (count, 2, 3) maps from places in the new picture to the old one, -1..1 from edge to edge.

    Half of them mirror; all turn, scale and shift by up to the settings.
    """
    angle = _between(generator, -1, 1, count) * math.radians(settings.rotation_deg)
    size = 1 + _between(generator, -1, 1, count) * settings.scale
    ratio = 1 + _between(generator, -1, 1, count) * settings.scale / 3
    mirror = torch.where(_between(generator, 0, 1, count) < 0.5, -1.0, 1.0)
    shift = _between(generator, -2, 2, count, 2) * settings.shift
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = [cos * size * ratio * mirror, -sin * size, shift[:, 0], sin * size * mirror, cos * size / ratio, shift[:, 1]]
    return torch.stack(rows, 1).reshape(count, 2, 3)


def warp(faces: Tensor, maps: Tensor, *, side: int, interpolation: Interpolation = "linear") -> Tensor:
    """Warp pictures (n, 1, h, w) float by maps (n, 2, 3) to (n, 1, side, side); beyond the edge its pixels go on."""
    # The same grid as `affine_grid` gives, in a fifth of the time on the CPU.
    place = (torch.arange(side, device=faces.device) * 2 + 1) / side - 1
    x, y = place.reshape(1, 1, side, 1), place.reshape(1, side, 1, 1)
    across, down, shift = (maps[:, :, i].reshape(-1, 1, 1, 2) for i in range(3))
    grid = across * x + down * y + shift
    mode = "bicubic" if interpolation == "cubic" else "bilinear"
    return torch.nn.functional.grid_sample(faces, grid, mode=mode, padding_mode="border", align_corners=False)


def erase(faces: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Set one rectangle of about half of the standardised pictures to their mean, 0.

    Zhong et al., "Random erasing data augmentation", AAAI 2020; sides are drawn from 0.3 to 1 times `share`.
    """
    n, _, height, width = faces.shape
    sides = _between(generator, 0.3, 1.0, n, 2) * share
    begin = _between(generator, 0.0, 1.0, n, 2) * (1 - sides)
    chosen = _between(generator, 0, 1, n) < 0.5
    y = ((torch.arange(height) + 0.5) / height).reshape(1, height, 1)
    x = ((torch.arange(width) + 0.5) / width).reshape(1, 1, width)
    top, left = begin[:, 0].reshape(n, 1, 1), begin[:, 1].reshape(n, 1, 1)
    inside = (y > top) & (y < top + sides[:, 0].reshape(n, 1, 1))
    inside = inside & (x > left) & (x < left + sides[:, 1].reshape(n, 1, 1)) & chosen.reshape(n, 1, 1)
    return faces.masked_fill(inside.unsqueeze(1).to(faces.device), 0.0)


def mixing(settings: AugmentSettings, generator: torch.Generator) -> float:
    """Draw a share from Beta(mixup, mixup), folded to 0.5..1; 1 where mixup is 0."""
    if settings.mixup <= 0:
        return 1.0
    # Two gamma variates by the CPU generator alone would need torch's private API; a seeded draw by numpy is the same
    # on every device, too.
    import numpy as np

    seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))
    share = float(np.random.default_rng(seed).beta(settings.mixup, settings.mixup))
    return max(share, 1 - share)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Pictures on the training device.

    Attributes
    ----------
    pictures
        (n, 1, 48, 48) uint8.
    targets
        (n, 7) float32, what the main head is taught, summing to 1.
    votes
        (n, 7) float32, what the second head is taught; all zero where nobody voted for one of the classes.
    label
        (n,) int64, the set's own labels.
    """

    pictures: Tensor
    targets: Tensor
    votes: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.label)


def labelled(faces: fer2013.FacePictures, recipe: ExpressionRecipe, device: torch.device) -> Labelled:
    """Put pictures on the device with the labels that the recipe teaches."""
    label = torch.from_numpy(faces.label)
    own = torch.nn.functional.one_hot(label, CLASSES).float()
    votes = torch.zeros_like(own)
    if faces.votes is not None:
        votes = torch.from_numpy(fer2013.seven_of_votes(faces.votes))
    share = recipe.vote_share * (votes.sum(1, keepdim=True) > 0)
    targets = own * (1 - share) + votes * share
    targets = targets * (1 - recipe.smoothing) + recipe.smoothing / CLASSES
    pictures = torch.from_numpy(faces.pictures).unsqueeze(1)
    return Labelled(*(tensor.to(device) for tensor in (pictures, targets, votes, label)))


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over n rows of the cross-entropy in nats; a row of zeros in `targets` (n, 7) counts nothing."""
    return -(targets * logits.float().log_softmax(1)).sum(1).mean()


def cross_entropy_of(logits: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Return the mean negative log likelihood in nats of class indices (n,) under logits (n, 7)."""
    own = torch.nn.functional.one_hot(torch.from_numpy(truth), CLASSES).float()
    return float(cross_entropy(torch.from_numpy(logits), own))


def batches(count: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows 0..count-1 in a drawn order, `size` at a time; a last batch of less than half the size is left."""
    order = torch.randperm(count, generator=generator)
    for begin in range(0, count, size):
        rows = order[begin : begin + size]
        if len(rows) == size or (begin == 0 or 2 * len(rows) >= size):
            yield rows


def steps_in(count: int, size: int) -> int:
    """Return the number of batches that `batches` yields."""
    whole, rest = divmod(count, size)
    return max(whole + (2 * rest >= size), 1)


@torch.no_grad()
def logits_of(network: DeepEmotion | ExpressionNetwork, data: Labelled, views: Views) -> npt.NDArray[np.float32]:
    """Return logits (n, 7) of pictures, the mean over what `views` shows of them."""
    network.eval()
    found = []
    for begin in range(0, len(data), 256):
        faces = standardise(data.pictures[begin : begin + 256].float())
        found.append(mean_logits(network, faces, views).float().cpu())
    return torch.cat(found).numpy().astype(np.float32, copy=False)


@torch.no_grad()
def settle(network: DeepEmotion | ExpressionNetwork, data: Labelled, *, size: int, seed: int) -> None:
    """Measure the statistics of a network's batch normalisations anew, on unchanged pictures.

    Those of training come from pictures that were turned, erased and mixed, and what is asked later was not: a network
    sees other statistics of the same faces than it was trained with (Touvron et al., "Fixing the train-test resolution
    discrepancy", NeurIPS 2019, section 3). Each becomes the mean over all batches.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches, each counting the same
        norm.train()
    for rows in batches(len(data), size, torch.Generator().manual_seed(seed)):
        faces = standardise(data.pictures[rows.to(data.pictures.device)].float())
        network(faces.contiguous(memory_format=torch.channels_last))
    for norm, before in zip(norms, momentum, strict=True):
        norm.momentum = before
    network.eval()
