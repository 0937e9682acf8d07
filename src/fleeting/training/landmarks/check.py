"""Measure a landmark network on people whom it was not trained on, while it is trained and once afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fleeting.faces.crop import SIZE, apply, box_transform, cut, points_box, square_transform
from fleeting.faces.ibug import INNER_FACE
from fleeting.training.landmarks.crops import Batch, CropDataset, CropSource, batches
from fleeting.training.landmarks.labels import FaceSample, load_landmarks68
from fleeting.training.landmarks.losses import task_losses
from fleeting.training.landmarks.network import OPENING_SCALE, POSE_SCALE, LandmarkNetwork
from fleeting.training.landmarks.recipe import LandmarkRecipe
from fleeting.training.people import Part

BOX_ERROR = 0.06
"""Standard deviation of place and scale of the boxes that faces are cropped from, as of a good finder."""

ROUNDS = 2
"""Augmented crops of each validation face, for the errors that task-wise early stopping compares."""


@dataclass(frozen=True, slots=True)
class CheckSets:
    """Crops that are measured on.

    Attributes
    ----------
    crops, points, iod, states
        Plain faces: (n, 1, s, s) uint8, (n, 68, 2) labels in pixels of the crop, (n,) inter-ocular distance there,
        (n, 6) labelled states in degrees and ratios.
    hard
        Batches made as in training: turned, degraded, with crops that show no face.
    """

    crops: Tensor
    points: npt.NDArray[np.float32]
    iod: npt.NDArray[np.float32]
    states: npt.NDArray[np.float32]
    hard: list[Batch]


def plain_crop(
    sample: FaceSample, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], float]:
    """Crop a face from a box with `BOX_ERROR`; return the crop, its points and the inter-ocular distance in it."""
    transform = box_transform(points_box(sample.points))
    side = SIZE / float(np.hypot(transform[0, 0], transform[1, 0]))
    box = points_box(sample.points)
    away = rng.normal(0, BOX_ERROR, 2) * max(box.width, box.height)
    centre = (box.x + box.width / 2 + float(away[0]), box.y + box.height / 2 + float(away[1]))
    transform = square_transform(centre, side * float(np.exp(rng.normal(0, BOX_ERROR))))
    points = apply(transform, sample.points).astype(np.float32)
    return cut(sample.grey, transform), points, float(np.linalg.norm(points[45] - points[36]))


def check_sets(
    recipe: LandmarkRecipe, source: CropSource, data: Path, *, teacher: Path | None, part: Part
) -> CheckSets:
    """Make the crops of one part of ``landmarks68``; they are the same in every run."""
    samples = load_landmarks68(data, teacher=teacher, parts=(part,))
    rng = np.random.default_rng(68)
    crops, points, iods = zip(*(plain_crop(s, rng) for s in samples), strict=True)
    beside = CropDataset(CropSource(samples, {}, source.pictures), weights={})
    keys: list[Any] = [(int(rng.integers(2**62)), "labelled", i) for i in range(len(samples)) for _ in range(ROUNDS)]
    keys += [(int(rng.integers(2**62)), "not_face", 0) for _ in range(len(samples))]
    return CheckSets(
        crops=torch.from_numpy(np.stack(crops)[:, None]),
        points=np.stack(points),
        iod=np.array(iods, np.float32),
        states=np.stack([s.states for s in samples]),
        hard=list(batches(beside, [keys[i] for i in rng.permutation(len(keys))], size=recipe.batch)),
    )


@torch.no_grad()
def measure(network: LandmarkNetwork, checks: CheckSets) -> tuple[dict[str, float], dict[str, float]]:
    """Measure a network.

    Returns
    -------
    tuple
        Figures: ``nme68``, ``nme51`` and ``worst1percent`` (99th percentile over faces) in percent of the inter-ocular
        distance on plain crops; ``hard68_px`` in pixels on augmented ones; mean absolute errors ``pose_degrees``,
        ``eyes`` and ``mouth`` on plain crops; ``kept``, ``kept_hard`` and ``false``, the shares of plain faces,
        augmented faces and crops without a face that get a face probability of at least 0.5. And the mean loss of
        every task on the augmented crops. Errors of states that no label is known of are 0.
    """
    network.eval()
    answers = [network(crops) for crops in torch.split(checks.crops, 128)]
    points, states = torch.cat([a for a, _ in answers]).numpy(), torch.cat([b for _, b in answers]).numpy()
    distance = np.linalg.norm(points - checks.points, axis=2) / checks.iod[:, None] * 100
    states[:, :3] *= POSE_SCALE
    states[:, 3:6] *= OPENING_SCALE
    known = ~np.isnan(checks.states)
    gap = np.where(known, np.abs(states[:, :6] - checks.states), 0)
    error = gap.sum(0) / np.maximum(known.sum(0), 1)
    rows: list[tuple[dict[str, Tensor], int]] = []
    false, faces = [], []
    for crops, truth, labels, weight in checks.hard:
        p, s = network(crops)
        rows.append((task_losses(p, s, truth, labels, weight), len(crops)))
        is_face = labels[:, 6] > 0.5
        false.append((s[~is_face, 6] >= 0).float())
        faces.append((s[is_face, 6] >= 0).float())
    total = sum(n for _, n in rows)
    validation = {task: sum(float(row[task]) * n for row, n in rows) / total for task in rows[0][0]}
    figures = {
        "nme68": float(distance.mean()),
        "nme51": float(distance[:, INNER_FACE].mean()),
        "worst1percent": float(np.percentile(distance.mean(1), 99)),
        "hard68_px": validation["points"],
        "pose_degrees": float(np.mean(error[:3])),
        "eyes": float(np.mean(error[3:5])),
        "mouth": float(error[5]),
        "kept": float((states[:, 6] >= 0).mean()),
        "kept_hard": float(torch.cat(faces).mean()),
        "false": float(torch.cat(false).mean()),
    }
    return {k: round(v, 4) for k, v in figures.items()}, validation
