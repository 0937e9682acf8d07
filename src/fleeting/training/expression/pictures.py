"""Labelled pictures on the training device, in which order they are learned, and what a network says of them."""

from __future__ import annotations

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
from fleeting.training.expression.recipe import ExpressionRecipe
from fleeting.training.expression.shipped import Views, mean_logits


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

    Parameters
    ----------
    network
        Changed in place; in evaluation mode when done.
    data
        Its training pictures.
    size
        Pictures in a batch.
    seed
        Of the order, so that no batch is of one class.
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
