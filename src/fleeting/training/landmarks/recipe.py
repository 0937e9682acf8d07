"""What a training of the landmark network depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fleeting.training.landmarks.network import LandmarkNetwork
from fleeting.training.recipe import Count, CountOrNone, NotNegative, Positive, Range, ShareBelowOne


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Size of `training.landmarks.network.LandmarkNetwork`; lists by scale, from fine to coarse."""

    widths: list[int] = field(default_factory=lambda: [16, 32, 64, 128])
    blocks: list[int] = field(default_factory=lambda: [1, 2, 2])
    head_width: int = 32

    def build(self) -> LandmarkNetwork:
        """Make the network with random weights."""
        a, b, c, d = self.widths
        e, f, g = self.blocks
        return LandmarkNetwork(widths=(a, b, c, d), blocks=(e, f, g), head_width=self.head_width)


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weight of each task beside the points' mean distance in pixels of the crop."""

    heat: float = 3.0
    pose: float = 1.0
    eyes: float = 0.8
    mouth: float = 0.4
    face: float = 2.0


@dataclass(frozen=True, slots=True)
class LandmarkRecipe:
    """What a training of the landmark network depends on.

    Attributes
    ----------
    task
        Always ``landmarks``.
    teacher
        Folder of the teacher's labels (`training.landmarks.teacher`); empty to train on ``landmarks68`` alone,
        without pose.
    counts
        Faces that an epoch sees of each teacher-labelled set; a set that is not named is not used.
    point_weights
        Weight of the points of each such set.
    not_face_share, patterns
        Share of crops without a face, and number of drawn patterns that some of them are cut from.
    auxiliary
        Whether pose, eyes and mouth teach the trunk at all (for the ablation).
    stop_window, stop_threshold
        Of the task-wise early stopping.
    test_people
        The people of ``landmarks68`` whom nothing was trained or chosen on: must be those of `people.part_of`.
    """

    task: str = "landmarks"
    teacher: str = "runs/teacher"
    seed: int = 0
    epochs: Count = 100
    batch: Annotated[int, Range(2)] = 64
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 1e-2
    warm_epochs: NotNegative = 1.0
    average: ShareBelowOne = 0.998
    not_face_share: ShareBelowOne = 0.25
    patterns: CountOrNone = 400
    counts: dict[str, int] = field(default_factory=lambda: {"congress": 1400, "interfaces": 57, "fer2013": 900})
    point_weights: dict[str, float] = field(
        default_factory=lambda: {"congress": 0.5, "interfaces": 0.5, "fer2013": 0.25}
    )
    auxiliary: bool = True
    stop_window: Count = 5
    stop_threshold: NotNegative = 2.0
    bfloat16: bool = True
    threads: Count = 1
    workers: CountOrNone = 0
    test_people: list[str] = field(default_factory=list)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    loss: LossWeights = field(default_factory=LossWeights)
