"""Flow images as the recogniser's networks see them, and how they are varied while training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor

from fleeting.motion.flow_image import CHANNELS, SIZE, standardised
from fleeting.recognisers.fleeting.network import SIDE
from fleeting.recognisers.half_face.linear import blur_matrix

LIMIT = 3.0
"""Cut-off of `motion.flow_image.standardised`."""
BLUR = 1.0
"""Standard deviation of the smoothing, in pixels of the flow image."""

_SIGN = torch.tensor([-1.0 if name == "u" else 1.0 for name in CHANNELS]).view(1, -1, 1, 1)


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
