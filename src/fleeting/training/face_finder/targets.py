"""Targets and loss of the face finder.

Sources: focal loss on a heat map of centres, Zhou et al., "Objects as Points", 2019, equation 1 (alpha 2, beta 4);
Gaussian as wide as the box and boxes learned at all its places, Liu et al., "Training-Time-Friendly Network", AAAI
2020, equations 3 to 7 (alpha .54); generalised IoU loss, Rezatofighi et al., CVPR 2019, algorithm 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from fleeting.training.face_finder.network import STRIDE
from fleeting.training.face_finder.scenes import Scene

SPREAD = 0.54
"""Share of the box that the Gaussian covers."""

SMALLEST_SIGMA = 0.45
"""In places of the map: the neighbours of a tiny face's centre count as near."""

BOX_WEIGHT = 4.0


class Targets(NamedTuple):
    """What the maps of a batch should be; all (n, c, h, w) float32.

    ``heat`` 0..1 with 1 at the centres; ``judged`` 0 where a face is cut too far to count; ``sides`` distances in
    pixels of the input; ``share`` weight of each place for its box, 1 in sum over one face.
    """

    heat: torch.Tensor
    judged: torch.Tensor
    sides: torch.Tensor
    share: torch.Tensor


def targets_of(scenes: list[Scene]) -> Targets:
    """Draw the targets of scenes that share one shape."""
    drawn = [_draw(scene) for scene in scenes]
    return Targets(*(torch.from_numpy(np.stack(maps)) for maps in zip(*drawn, strict=True)))


def _draw(scene: Scene) -> tuple[npt.NDArray[np.float32], ...]:
    height, width = (s // STRIDE for s in scene.grey.shape)
    heat, share = np.zeros((2, 1, height, width), np.float32)
    judged = np.ones((1, height, width), np.float32)
    sides = np.ones((4, height, width), np.float32)
    x, y = (np.arange(n, dtype=np.float32) * STRIDE + STRIDE / 2 - 0.5 for n in (width, height))
    for left, top, right, bottom in scene.ignored / STRIDE:
        judged[0, max(int(top), 0) : int(bottom) + 1, max(int(left), 0) : int(right) + 1] = 0
    for box in sorted(scene.boxes, key=lambda b: -float((b[2] - b[0]) * (b[3] - b[1]))):
        left, top, right, bottom = (float(v) for v in box)
        column = min(max(int((left + right + 1) / 2 / STRIDE), 0), width - 1)
        row = min(max(int((top + bottom + 1) / 2 / STRIDE), 0), height - 1)
        sigmas = [max(SPREAD * extent / STRIDE / 6, SMALLEST_SIGMA) for extent in (right - left, bottom - top)]
        across = np.exp(-((np.arange(width) - column) ** 2) / (2 * sigmas[0] ** 2))
        down = np.exp(-((np.arange(height) - row) ** 2) / (2 * sigmas[1] ** 2))
        bump = (down[:, None] * across[None]).astype(np.float32)
        near = (bump > 0.05) & (bump >= heat[0])
        heat[0] = np.maximum(heat[0], bump)
        judged[0, row, column] = 1
        distances = np.stack(
            np.broadcast_arrays(x[None] - left, y[:, None] - top, right - x[None], bottom - y[:, None])
        )
        near &= (distances > 1).all(0)
        sides[:, near] = distances[:, near]
        share[0, near] = bump[near] / max(float(bump[near].sum()), 1e-6)
    return heat, judged, sides, share


def finder_loss(heat: torch.Tensor, sides: torch.Tensor, targets: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of the heat map and of the boxes of `FaceFinderNet.forward`, each per face."""
    sure = functional.logsigmoid(heat)
    unsure = functional.logsigmoid(-heat)
    probability = heat.sigmoid()
    centre = (targets.heat == 1).float()
    gain = centre * (1 - probability) ** 2 * sure + (1 - centre) * (1 - targets.heat) ** 4 * probability**2 * unsure
    faces = centre.sum().clamp(min=1)
    return -(gain * targets.judged).sum() / faces, _giou_loss(sides, targets) / faces


def _giou_loss(sides: torch.Tensor, targets: Targets) -> torch.Tensor:
    """Sum over the faces of 1 - generalised IoU; boxes that share a place are given by their distances to it."""
    truth = targets.sides
    area = (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])
    true_area = (truth[:, 0] + truth[:, 2]) * (truth[:, 1] + truth[:, 3])
    low, high = torch.minimum(sides, truth), torch.maximum(sides, truth)
    shared = (low[:, 0] + low[:, 2]) * (low[:, 1] + low[:, 3])
    hull = (high[:, 0] + high[:, 2]) * (high[:, 1] + high[:, 3])
    union = area + true_area - shared
    giou = shared / union - (hull - union) / hull
    return ((1 - giou) * targets.share[:, 0]).sum()
