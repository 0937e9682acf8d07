"""Train the face finder on composed scenes: ``fleeting train recipes/face_finder.toml --data DIR --out DIR``."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fleeting.errors import DataError
from fleeting.faces.finder import box_iou, decode
from fleeting.records import FaceBox
from fleeting.training import recipe as recipes
from fleeting.training.backgrounds import natural_pictures, video_frames
from fleeting.training.face_finder.export import ship
from fleeting.training.face_finder.network import FaceFinderNet
from fleeting.training.face_finder.recipe import FinderRecipe
from fleeting.training.face_finder.scenes import Scene, SceneMaker
from fleeting.training.face_finder.targets import BOX_WEIGHT, finder_loss, targets_of
from fleeting.training.landmarks.labels import labelled_faces, of_part, portraits
from fleeting.training.loop import Loop, Plan

SHAPES = ((160, 160), (128, 192), (192, 128), (224, 224))
"""Shapes (h, w) of the scenes; each batch has one, by chance. The last gives faces as large as any that a search of
`faces.finder.COARSE_PIXELS` can meet; the others cost half as much and teach the same about smaller faces."""

SAME_FACE = 0.5
"""A box is right from this IoU with the box of the points."""


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train by a recipe; a stopped training goes on from its last check.

    Raises
    ------
    SettingsError
        For an unknown key in the recipe.
    DataError
        Where a picture set or the teacher's labels are missing.
    """
    chosen = recipes.load(FinderRecipe, recipe)
    faces = labelled_faces(data)
    if chosen.teacher:
        if not (Path(chosen.teacher) / "congress.npz").exists():
            hint = 'Run python -m fleeting.training.landmarks.teacher first, or set teacher = "" in the recipe.'
            raise DataError("the teacher's labels of the portraits", f"no file in {chosen.teacher}", hint)
        faces += portraits(data, Path(chosen.teacher))
    natural = natural_pictures()
    film = data / "videos" / "no_face.mp4"
    if film.exists():
        natural += video_frames(film)
    makers = {
        "train": SceneMaker(of_part(faces, "train"), natural, settings=chosen.scenes),
        "validation": SceneMaker(of_part(faces, "validation"), natural, settings=chosen.scenes, erased=100, seed=1),
    }
    fit(chosen, makers["train"], validation_scenes(makers["validation"]), out=out)
    ship(chosen, out=out, faces={p: len(m.faces) for p, m in makers.items()}, people=_people(makers))


def _people(makers: dict[str, SceneMaker]) -> dict[str, int]:
    return {part: len({f.person for f in maker.faces}) for part, maker in makers.items()}


def validation_scenes(maker: SceneMaker, *, count: int = 400, seed: int = 12345) -> list[Scene]:
    """Compose the scenes on which checks are made: always the same."""
    rng = np.random.default_rng(seed)
    return [maker(rng, SHAPES[i % len(SHAPES)]) for i in range(count)]


class HardScenes:
    """Face-free scenes that the network once took for a face, to be shown again (hard negative mining)."""

    def __init__(self, *, size: int = 400) -> None:
        self._kept: dict[tuple[int, ...], deque[Scene]] = {}
        self._size = size

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._kept.values())

    def keep(self, scenes: list[Scene], heat: torch.Tensor, *, least: float = 0.2) -> None:
        """Keep the face-free scenes whose strongest place, of (n, 1, h, w) logits, is at least this probable."""
        strongest = heat.detach().flatten(1).amax(1).sigmoid().tolist()
        for scene, score in zip(scenes, strongest, strict=True):
            if score >= least and not len(scene.boxes) and not len(scene.ignored):
                self._kept.setdefault(scene.grey.shape, deque(maxlen=self._size)).append(scene)

    def draw(self, rng: np.random.Generator, shape: tuple[int, int], count: int) -> list[Scene]:
        """Take up to `count` scenes of a shape out again, flipped by chance."""
        kept = self._kept.get(shape, deque())
        taken = [kept.popleft() for _ in range(min(count, len(kept)))]
        return [
            Scene(np.ascontiguousarray(s.grey[:, ::-1]) if rng.random() < 0.5 else s.grey, s.boxes, s.ignored)
            for s in taken
        ]

    def state(self) -> list[Tensor]:
        """Return the kept scenes, those of one shape (n, h, w) uint8 each."""
        return [torch.from_numpy(np.stack([s.grey for s in kept])) for kept in self._kept.values() if kept]

    def load(self, state: list[Tensor]) -> None:
        """Keep the scenes of a state."""
        nothing = np.zeros((0, 4), np.float32)
        scenes = [[Scene(grey, nothing, nothing) for grey in greys.numpy()] for greys in state]
        self._kept = {kept[0].grey.shape: deque(kept, maxlen=self._size) for kept in scenes}


class Trainer(Loop):
    """Teaches the face finder; the average with the best average precision on validation scenes is kept.

    An epoch is what lies between two checks.
    """

    free = ("cycles", "check_every", "threads")
    latest_of_equals = True

    def __init__(self, recipe: FinderRecipe, maker: SceneMaker, validation: list[Scene]) -> None:
        cv2.setNumThreads(recipe.threads)
        torch.manual_seed(recipe.seed)
        net = FaceFinderNet(width=recipe.width)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as quick on a CPU
        optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        plan = Plan(steps=sum(recipe.cycles), clip=10.0, threads=recipe.threads)
        super().__init__(net, optimiser, plan, recipe=recipe, averaged=True)
        self.maker, self.validation, self.hard = maker, validation, HardScenes()

    def batches(self) -> Iterator[tuple[list[Scene]]]:
        """Yield scenes up to the next check."""
        every = self.recipe.check_every
        for step in range(self.step, min((self.step // every + 1) * every, self.plan.steps)):
            yield (_batch(np.random.default_rng([self.recipe.seed, step]), self.recipe, self.maker, self.hard),)

    def rate(self) -> float:
        """Return the rate of the present cycle."""
        return float(self.recipe.learning_rate * _schedule(self.step, self.recipe.cycles))

    def loss(self, scenes: list[Scene]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss, and its terms; face-free scenes that look like a face are kept."""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.recipe.bfloat16):
            heat, sides = (maps.float() for maps in self.network(_input(scenes)))
        self.hard.keep(scenes, heat)
        losses = finder_loss(heat, sides, targets_of(scenes))
        return losses[0] + BOX_WEIGHT * losses[1], {"heat": losses[0], "box": losses[1]}

    def keep(self) -> float:
        """Return the recipe's share, less in the beginning."""
        return float(min(self.recipe.average, self.step / (9 + self.step)))

    def measure(self, terms: dict[str, float]) -> dict[str, Any]:
        """Return the terms of the loss, and how the average does on the validation scenes."""
        return {**terms, "hard": len(self.hard), **check(self.average, self.validation)}

    def score(self, row: Mapping[str, Any]) -> float:
        """Return minus the average precision."""
        return -float(row["average_precision"])

    def extra(self) -> dict[str, Any]:
        """Return the scenes that are to be shown again."""
        return {"hard": self.hard.state()}

    def take(self, extra: dict[str, Any]) -> None:
        """Show them again."""
        self.hard.load(extra["hard"])


def fit(recipe: FinderRecipe, maker: SceneMaker, validation: list[Scene], *, out: Path) -> FaceFinderNet:
    """Train a network, write its checkpoints, and return the best average of its weights."""
    trainer = Trainer(recipe, maker, validation)
    trainer.run(out)
    assert trainer.best is not None
    best: FaceFinderNet = trainer.average
    best.load_state_dict(trainer.best["weights"])
    return best


def _schedule(step: int, cycles: list[int], *, warm: int = 100) -> float:
    """Share of the peak learning rate; the first steps of all rise to it."""
    cycle, begun = 0, 0
    while cycle + 1 < len(cycles) and step >= begun + cycles[cycle]:
        begun += cycles[cycle]
        cycle += 1
    cosine = 0.5 * (1 + math.cos(math.pi * (step - begun) / cycles[cycle]))
    return min((step + 1) / warm, 1.0) * max(0.5**cycle * cosine, 0.01)


def _batch(rng: np.random.Generator, recipe: FinderRecipe, maker: SceneMaker, hard: HardScenes) -> list[Scene]:
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    count = max(round(recipe.batch * SHAPES[0][0] * SHAPES[0][1] / (shape[0] * shape[1])), 1)
    scenes = hard.draw(rng, shape, round(recipe.hard_share * count))
    return scenes + [maker(rng, shape) for _ in range(count - len(scenes))]


def _input(scenes: list[Scene]) -> torch.Tensor:
    batch = torch.from_numpy(np.stack([s.grey for s in scenes])[:, None]).float()
    return batch.contiguous(memory_format=torch.channels_last)


def check(net: FaceFinderNet, scenes: list[Scene]) -> dict[str, float]:
    """Measure a network on scenes: average precision, and the threshold with the best F1 with what it finds."""
    rows: list[tuple[float, bool]] = []
    total = 0
    for scene in scenes:
        with torch.no_grad():
            heat, sides = net(_input([scene]))
        boxes = decode(heat[0, 0].numpy(), sides[0].numpy(), threshold=0.02)
        rows += match(boxes, scene)
        total += len(scene.boxes)
    rows.sort(reverse=True)
    right = np.cumsum([hit for _, hit in rows]) if rows else np.zeros(1)
    recall, precision = right / max(total, 1), right / np.arange(1, len(right) + 1)
    best = int(np.argmax(2 * recall * precision / np.maximum(recall + precision, 1e-9)))
    steps = np.diff(recall, prepend=0.0)
    return {
        "average_precision": float((steps * np.maximum.accumulate(precision[::-1])[::-1]).sum()),
        "threshold": rows[best][0] if rows else 0.5,
        "recall": float(recall[best]),
        "precision": float(precision[best]),
    }


def match(boxes: list[FaceBox], scene: Scene) -> list[tuple[float, bool]]:
    """Score and truth of every box: right where it is the best of a face; boxes on faces that are cut are left out."""
    open_faces = [_face_box(b) for b in scene.boxes]
    rows: list[tuple[float, bool]] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        overlaps = [box_iou(box, face) for face in open_faces]
        if overlaps and max(overlaps) >= SAME_FACE:
            open_faces.pop(int(np.argmax(overlaps)))
            rows.append((box.score, True))
        elif all(box_iou(box, _face_box(b)) < 0.2 for b in scene.ignored):
            rows.append((box.score, False))
    return rows


def _face_box(box: npt.NDArray[np.float32]) -> FaceBox:
    return FaceBox(float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1]))
