"""Flow images as the recogniser sees them, how they are varied while training, and its small network.

The network is a convolutional one that knows where on the face it looks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.motion.flow_image import CHANNELS, SIZE, standardised

SIDE = 14
"""Side of its input: the flow image, smoothed and halved (`recognisers.fleeting.network`)."""


def flow_net(
    *, classes: int = 3, filters: tuple[int, int] = (8, 16), dropout: tuple[float, float] = (0.2, 0.5)
) -> nn.Sequential:
    """Return an untrained network from (n, 3, 14, 14) float32 to logits (n, classes).

    Two convolutions of 3 x 3 with a mean over 2 x 2 between them; one linear map of all 7 x 7 places gives the classes,
    so that a movement of the brows counts other than the same movement of the mouth.

    Parameters
    ----------
    classes
        Number of classes.
    filters
        Filters of the two convolutions.
    dropout
        Share left out after each convolution, and before the linear map.
    """
    first, second = filters
    network = nn.Sequential(
        nn.Conv2d(3, first, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(dropout[0]),
        nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.Dropout(dropout[0]),
        nn.Flatten(), nn.Dropout(dropout[1]), nn.Linear(second * (SIDE // 2) ** 2, classes),
    )  # fmt: skip
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan_in = cast(Any, layer.weight)[0].numel()
            # The last layer starts near zero: before any training all classes are alike.
            small = 1 / math.sqrt(20) if isinstance(layer, nn.Linear) else 1.0
            nn.init.normal_(layer.weight, std=small * math.sqrt(2 / fan_in))
            nn.init.zeros_(cast(Any, layer.bias))
    return network


LIMIT = 3.0
"""Cut-off of `motion.flow_image.standardised`."""
BLUR = 1.0
"""Standard deviation of the smoothing, in pixels of the flow image."""

_SIGN = torch.tensor([-1.0 if name == "u" else 1.0 for name in CHANNELS]).view(1, -1, 1, 1)


def blur_matrix(sigma: float, size: int = SIZE) -> npt.NDArray[np.float64]:
    """Return the (size, size) matrix of Gaussian smoothing along one side, the border repeated."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    matrix = np.zeros((size, size))
    for offset, weight in zip(range(-reach, reach + 1), kernel / kernel.sum(), strict=True):
        np.add.at(matrix, (np.arange(size), np.clip(np.arange(size) + offset, 0, size - 1)), weight)
    return matrix


@cache
def shrink_matrix() -> npt.NDArray[np.float32]:
    """Return the (14, 28) matrix that smooths one side of an image and takes the mean of every two values."""
    halve = np.kron(np.eye(SIDE), np.full((1, SIZE // SIDE), SIDE / SIZE))
    return np.asarray(halve @ blur_matrix(BLUR), np.float32)


def flow_inputs(images: npt.NDArray[np.uint8]) -> Tensor:
    """Return (n, 3, 14, 14) float32 of flow images (n, 28, 28, 3) uint8; each row depends on its own image alone."""
    shrink = shrink_matrix()
    small = np.einsum("ir,nrsc,js->ncij", shrink, standardised(images, limit=LIMIT), shrink, optimize=True)
    return torch.from_numpy(np.ascontiguousarray(small, np.float32))


def mirrored_inputs(inputs: Tensor) -> Tensor:
    """Return the inputs of the mirrored faces: flipped, u negated."""
    return inputs.flip(3) * _SIGN


@dataclass(frozen=True, slots=True)
class Variation:
    """How inputs are varied while training; each row by itself, every value drawn anew.

    Attributes
    ----------
    shift
        Largest shift in pixels of the flow image, either way, along each side.
    turn
        Largest rotation in degrees; the picture is turned, not the flow's direction (small against its errors).
    scale
        Largest change of size, as a share.
    strength
        Standard deviation of the logarithm of each channel's scale.
    noise
        Standard deviation of noise added to every value.
    """

    shift: float = 2.0
    turn: float = 8.0
    scale: float = 0.08
    strength: float = 0.2
    noise: float = 0.13

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return varied inputs (n, 3, 14, 14), a half of them mirrored."""
        flip = torch.rand(len(x), generator=generator) < 0.5
        return self.of_side(torch.where(flip[:, None, None, None], mirrored_inputs(x), x), generator)

    def of_side(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return varied inputs (n, 3, 14, 14), none of them mirrored."""
        n = len(x)

        def either_way(most: float) -> Tensor:
            return (torch.rand(n, generator=generator) * 2 - 1) * most

        angle, size = either_way(math.radians(self.turn)), 1 + either_way(self.scale)
        # Of `affine_grid`, which counts a side from -1 to 1.
        across, down = either_way(2 * self.shift / SIZE), either_way(2 * self.shift / SIZE)
        cosine, sine = angle.cos() * size, angle.sin() * size
        affine = torch.stack([torch.stack([cosine, -sine, across], 1), torch.stack([sine, cosine, down], 1)], 1)
        grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
        x = functional.grid_sample(x, grid, align_corners=False, padding_mode="border")
        x = x * torch.exp(torch.randn(n, x.shape[1], 1, 1, generator=generator) * self.strength)
        return x + torch.randn(x.shape, generator=generator) * self.noise
