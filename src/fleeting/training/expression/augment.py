"""Random changes of whole batches of faces, computed on the device that trains.

All random numbers come from a generator of the CPU, so that a seed means the same pictures on every device; the work on
pixels is one warp per batch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fleeting.training.expression.recipe import AugmentSettings, Interpolation


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
