"""Flow sequences of synthetic movements: thousands of clips to begin with, no picture of a person in any of them.

The movement and the errors are those of `recognisers.sequences.synthetic_flow`; here they get a course in time. A
micro-expression rises, stays or not, and returns, not always to rest; it is small, so errors weigh much. A
macro-expression differs in size and duration alone: smaller errors, a longer stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fleeting.labels import THREE_CLASSES
from fleeting.motion.clip_input import coded_flow
from fleeting.recognisers.sequences.clip_rows import ClipRows
from fleeting.recognisers.sequences.synthetic_flow import SyntheticSettings, face_fields, flow_error, movement
from fleeting.training.recipe import Count, Range, check

Floats = npt.NDArray[np.float32]
ERROR: dict[str, float] = {"micro": 1.0, "macro": 0.25}
"""Median size of the errors, relative to the movement."""
HOLD: dict[str, tuple[float, float]] = {"micro": (0.0, 0.35), "macro": (0.2, 0.6)}
"""Shortest and longest stay at the apex, as a share of the clip."""


@dataclass(frozen=True, slots=True)
class DrawnFlowSettings:
    """How flow sequences are drawn.

    Attributes
    ----------
    count
        Of sequences, classes of equal frequency.
    rest
        Largest share of the movement that is still there at the end.
    frame_error
        Error that is new in each frame, as a share of the error that drifts.
    errors
        Of fields of error that are drawn once.
    movement
        See `recognisers.sequences.synthetic_flow`.
    """

    count: Count = 4000
    rest: Annotated[float, Range(0, 1)] = 0.5
    frame_error: float = 0.3
    errors: Count = 400
    movement: SyntheticSettings = field(default_factory=SyntheticSettings)

    def __post_init__(self) -> None:
        check(self)


def drawn_flow(
    settings: DrawnFlowSettings, kind: Literal["micro", "macro"], *, length: int, side: int, seed: int
) -> ClipRows:
    """Draw sequences as `motion.clip_input` would code their flow."""
    rng = np.random.default_rng([seed, 8])
    faces = face_fields(settings.movement, rng)
    errors = np.stack([_square(flow_error(settings.movement, rng), side) for _ in range(settings.errors)])
    label = rng.permutation(np.arange(settings.count) % len(THREE_CLASSES))
    clips = np.empty((settings.count, 2, length, side, side), np.uint8)
    for clip, k in zip(clips, label, strict=True):
        moved = _square(movement(faces, THREE_CLASSES[k], settings.movement, rng), side)
        drift, new = _walks(length, settings.frame_error, rng)
        chosen = errors[rng.integers(len(errors), size=4)]
        flow = course(kind, settings.rest, length, rng)[:, None, None, None] * moved
        flow += np.float32(ERROR[kind]) * np.tensordot(drift, chosen[:2], 1)
        flow += np.float32(ERROR[kind]) * np.tensordot(new, chosen[2:], 1)
        clip[:] = coded_flow(flow)
    return ClipRows(torch.from_numpy(clips), torch.from_numpy(label.astype(np.int64)), 0)


def course(kind: Literal["micro", "macro"], rest: float, length: int, rng: np.random.Generator) -> Floats:
    """Strength of a movement at each frame (length,): 0 first, 1 at the apex, up to `rest` at the end."""
    hold = rng.uniform(*HOLD[kind])
    apex = rng.uniform(0.3, 0.6) * (1 - hold)
    last = rng.uniform(0, rest)
    way = np.linspace(0, 1, length)
    up = np.clip(way / apex, 0, 1)
    down = np.clip((way - apex - hold) / (1 - apex - hold), 0, 1)
    rise, fall = (1 - np.cos(np.pi * up)) / 2, (1 - np.cos(np.pi * down)) / 2
    return np.asarray(rise - (1 - last) * fall, np.float32)


def _walks(length: int, frame_error: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Weights over time (length, 2) of errors that drift and of errors that are new in each frame; none at first."""
    drift = np.cumsum(rng.normal(0, length**-0.5, (length, 2)), 0)
    new = rng.normal(0, frame_error, (length, 2))
    drift[0] = new[0] = 0
    return drift.astype(np.float32), new.astype(np.float32)


def _square(flow: npt.NDArray[np.floating], side: int) -> Floats:
    return np.asarray(cv2.resize(flow.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))
