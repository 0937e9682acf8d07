"""Train the flow network: ``fleeting train recipes/micro_flow.toml --data ../shared/data --out runs/micro_flow``.

Pairs are drawn once of training people (`synthesis.flow.pairs`) and seen turned, mirrored and as negatives; pairs of
validation people are only reported on. A stopped training goes on from ``checkpoint.pt``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from fleeting.files import make_folder
from fleeting.synthesis.flow.grid import CONDITIONS, PEAKS, grid_pairs
from fleeting.synthesis.flow.pairs import Pool, draw_pool
from fleeting.synthesis.flow.scene import PairSettings
from fleeting.training import recipe as recipes
from fleeting.training.loop import Loop, Plan, cosine
from fleeting.training.micro_flow.export import ship
from fleeting.training.micro_flow.network import CELL, LEVELS, MicroFlowNetwork
from fleeting.training.micro_flow.portraits import read_portraits, real_movements
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, ShareBelowOne

STAGES = {"coarse": 0.3, "ordinary": 0.5, "small": 0.5, "quarter": 0.5, "flow": 1.0}
"""Weight of the error of each of the network's flows."""

SMALL_PX = (1.5, 2.5)
"""The small branch is taught movements up to the first length, and none from the second on."""

CHECKED = 4
"""Pairs of each size and condition that are reported on."""


@dataclass(frozen=True, slots=True)
class MicroFlowRecipe:
    """What `fleeting train` reads from ``recipes/micro_flow.toml``.

    Attributes
    ----------
    task
        Always ``micro_flow``.
    seed
        Of pairs, weights and order.
    pairs, side
        Number of pairs, and their height and width in pixels.
    late_pairs, late_from
        Number of pairs, all of them compressed, that join the others from this step on: what H.264 leaves of a small
        movement is learned last.
    per_person, congress
        Frames of one person of ``landmarks68``, and portraits of the US congress, at most.
    steps, batch, learning_rate, warm_steps, weight_decay
        Of AdamW, on a cosine down to a fiftieth after a linear warm-up.
    average
        Share of the running average of the weights, which is what is shipped, that stays after each step.
    strain_weight
        Weight of errors of the flow's derivatives beside those of the flow.
    check_every, save_every
        Steps between reports on validation people, and between checkpoints.
    """

    task: str = "micro_flow"
    seed: int = 0
    pairs: Count = 4000
    side: Count = 96
    late_pairs: CountOrNone = 2000
    late_from: CountOrNone = 1600
    per_person: Count = 3
    congress: CountOrNone = 120
    steps: Count = 2600
    batch: Count = 8
    learning_rate: Positive = 1e-3
    warm_steps: CountOrNone = 150
    weight_decay: NotNegative = 1e-4
    average: ShareBelowOne = 0.998
    strain_weight: NotNegative = 3.0
    check_every: Count = 500
    save_every: Count = 100


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train after a recipe and write ``micro_flow.onnx`` and ``micro_flow.json``.

    Raises
    ------
    DataError
        Where pictures are missing.
    SettingsError
        For a recipe that is wrong, or another one than the checkpoint's.
    """
    how = recipes.load(MicroFlowRecipe, recipe)
    make_folder(out)
    pool, people = _pool(how, data, out)
    checks = _checks(how, data, out)
    trainer = Trainer(how)
    fit(trainer, pool, checks, out=out)
    network = trainer.average
    ship(network, asdict(how), people=people, scores=check(network, checks), out=out)


def _pool(how: MicroFlowRecipe, data: Path, out: Path) -> tuple[Pool, list[str]]:
    """Pairs of training people, the late ones last, and their ids; drawn anew where the folder holds others."""
    settings = PairSettings(side=how.side)
    drawn = [
        _drawn(how, data, out / "pool.npz", settings, count=how.pairs, seed=how.seed),
        _drawn(
            how, data, out / "late.npz", replace(settings, compressed=1.0), count=how.late_pairs, seed=how.seed + 1000
        ),
    ]
    pictures = np.concatenate([pool.pictures for pool, _ in drawn])
    return Pool(pictures, np.concatenate([pool.flow for pool, _ in drawn])), drawn[0][1]


def _drawn(
    how: MicroFlowRecipe, data: Path, path: Path, settings: PairSettings, *, count: int, seed: int
) -> tuple[Pool, list[str]]:
    asked: dict[str, float] = {
        "seed": seed,
        "pairs": count,
        "side": how.side,
        "per_person": how.per_person,
        "congress": how.congress,
    }
    asked |= {"compressed": settings.compressed}
    if path.exists():
        with np.load(path) as stored:
            if json.loads(str(stored["drawn"])) == asked:
                return Pool(stored["pictures"], stored["flow"]), [str(p) for p in stored["people"]]
    portraits = read_portraits(data, "train", seed=how.seed, per_person=how.per_person, congress=how.congress)
    people = sorted({p.person for p in portraits})
    pool = draw_pool(portraits, real_movements(data, "train"), settings, count=count, seed=seed)
    np.savez(path, pictures=pool.pictures, flow=pool.flow, drawn=np.array(json.dumps(asked)), people=np.array(people))
    return pool, people


Checks = dict[tuple[float, str], Pool]


def _checks(how: MicroFlowRecipe, data: Path, out: Path) -> Checks:
    """Pairs of validation people by size and condition."""
    path = out / "checks.npz"
    if not path.exists():
        portraits, movements = (
            read_portraits(data, "validation", seed=1, per_person=1),
            real_movements(data, "validation"),
        )
        arrays: dict[str, npt.NDArray[Any]] = {}
        for peak in PEAKS:
            for name in CONDITIONS:
                pairs = list(grid_pairs(portraits, movements, peak=peak, condition=name, count=CHECKED, side=how.side))
                arrays[f"{peak} {name} pictures"] = np.stack([(p.first, p.second) for p in pairs])
                arrays[f"{peak} {name} flow"] = np.stack([np.moveaxis(p.flow, -1, 0) for p in pairs])
        np.savez(path, **arrays)  # type: ignore[arg-type]
    with np.load(path) as stored:
        return {(p, c): Pool(stored[f"{p} {c} pictures"], stored[f"{p} {c} flow"]) for p in PEAKS for c in CONDITIONS}


class Trainer(Loop):
    """Teaches the flow network; what is kept is the average of its weights after the last step.

    An epoch is what lies between two checkpoints.
    """

    free = ("steps", "check_every", "save_every", "late_pairs", "late_from")

    def __init__(self, how: MicroFlowRecipe) -> None:
        torch.manual_seed(how.seed)
        network = MicroFlowNetwork()
        optimiser = torch.optim.AdamW(network.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
        super().__init__(network, optimiser, Plan(steps=how.steps, clip=5.0), recipe=how, averaged=True)
        self.pool: Pool | None = None
        self.checks: Checks = {}
        self._begun = 0

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pictures (n, 2, h, w) in 0..255 and flow (n, 2, h, w) up to the next checkpoint."""
        assert self.pool is not None
        how, self._begun = self.recipe, self.step
        for step in range(self.step, min((self.step // how.save_every + 1) * how.save_every, how.steps)):
            rows = rows_of(how, step, len(self.pool.pictures))
            yield batch_of(self.pool, rows, np.random.default_rng([how.seed, 3, step]))

    def rate(self) -> float:
        """Cosine down to a fiftieth, after a linear warm-up."""
        how = self.recipe
        return cosine(self.step, rate=how.learning_rate, warm=how.warm_steps, total=how.steps, floor=0.02)

    def loss(self, pictures: Tensor, flow: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the stages' errors, and each of them."""
        found = self.network.stages(pictures[:, :1], pictures[:, 1:])
        losses = stage_losses(found, flow, strain_weight=self.recipe.strain_weight)
        return torch.as_tensor(sum(weight * losses[name] for name, weight in STAGES.items())), losses

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the mean errors, and now and then how the average does on validation people."""
        every, last = self.recipe.check_every, self.step >= self.recipe.steps
        checked = self.step // every > self._begun // every and not last
        return {"loss": terms, **({"validation": check(self.average, self.checks)} if checked else {})}


Stages = tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor, Tensor]


def stage_losses(found: Stages, flow: Tensor, *, strain_weight: float) -> dict[str, Tensor]:
    """Error of each stage, in shares of the size of the movement, so that small movements teach as much as large ones.

    Parameters
    ----------
    found
        Flows of `MicroFlowNetwork.stages`.
    flow
        (n, 2, h, w) truth in pixels.
    strain_weight
        Weight of errors of the last flow's derivatives.
    """
    length = torch.sqrt((flow * flow).sum(1, keepdim=True) + 1e-8)
    size = 0.05 + 0.3 * length.mean((1, 2, 3), keepdim=True) ** 0.7
    quarter, quarter_length = F.avg_pool2d(flow, CELL), F.avg_pool2d(length, CELL)
    low, high = SMALL_PX
    is_small = ((high - quarter_length) / (high - low)).clamp(0, 1)
    coarse, ordinary, small, fused, last = found

    def error(given: Tensor, truth: Tensor, unit: Tensor) -> Tensor:
        return torch.sqrt(((given - truth) ** 2).sum(1, keepdim=True) + (0.05 * unit) ** 2) / unit

    strain = sum(torch.diff(last - flow, dim=k).abs().sum(1).mean((1, 2)) / size[:, 0, 0, 0] for k in (2, 3))
    rough = [
        error(given, F.avg_pool2d(flow, CELL * level), size.clamp(min=0.1)).mean()
        for level, given in zip(LEVELS, coarse, strict=True)
    ]
    return {
        "coarse": torch.stack(rough).sum(),
        "ordinary": error(ordinary, quarter, size).mean(),
        "small": (error(small, quarter, size) * is_small).mean(),
        "quarter": error(fused, quarter, size).mean(),
        "flow": error(last, flow, size).mean() + strain_weight * torch.as_tensor(strain).mean(),
    }


def batch_of(pool: Pool, rows: npt.NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures and flow of some pairs: mirrored, turned by a right angle, as a negative, each with probability 1/2."""
    pictures, flow = pool.pictures[rows].astype(np.float32), pool.flow[rows].astype(np.float32)
    for i in range(len(rows)):
        if rng.random() < 0.5:
            pictures[i], flow[i] = pictures[i][..., ::-1].copy(), flow[i][..., ::-1] * _ACROSS
        if rng.random() < 0.5:
            pictures[i], flow[i] = pictures[i][:, ::-1].copy(), flow[i][:, ::-1] * _DOWN
        if rng.random() < 0.5:
            pictures[i], flow[i] = pictures[i].swapaxes(1, 2).copy(), flow[i].swapaxes(1, 2)[::-1].copy()
        if rng.random() < 0.5:
            pictures[i] = 255 - pictures[i]
    return torch.from_numpy(pictures), torch.from_numpy(flow)


_ACROSS = np.array([-1, 1], np.float32)[:, None, None]
_DOWN = np.array([1, -1], np.float32)[:, None, None]


def rows_of(how: MicroFlowRecipe, step: int, count: int) -> npt.NDArray[np.int64]:
    """Rows of the batch of a step: every pair once before any comes again; the late ones only from their step on."""
    late = step >= how.late_from
    count = count if late else min(how.pairs, count)
    epoch, place = divmod(step - how.late_from if late else step, count // how.batch)
    order = np.random.default_rng([how.seed, 4 if late else 2, epoch]).permutation(count)
    return np.asarray(order[place * how.batch : (place + 1) * how.batch])


def fit(trainer: Trainer, pool: Pool, checks: Checks, *, out: Path) -> None:
    """Train up to the recipe's number of steps."""
    trainer.pool, trainer.checks = pool, checks
    trainer.run(out)


@torch.no_grad()
def check(network: MicroFlowNetwork, checks: Checks) -> dict[str, dict[str, float]]:
    """Mean end-point error in pixels by condition and size; a border of 8 pixels is left out."""
    errors: dict[str, dict[str, float]] = {}
    for (peak, condition), pairs in checks.items():
        pictures = torch.from_numpy(pairs.pictures.astype(np.float32))
        gap = network(pictures[:, :1], pictures[:, 1:]) - torch.from_numpy(pairs.flow.astype(np.float32))
        found = gap.square().sum(1).sqrt()[:, 8:-8, 8:-8].mean()
        errors.setdefault(condition, {})[f"{peak:g}"] = round(float(found), 4)
    return errors
