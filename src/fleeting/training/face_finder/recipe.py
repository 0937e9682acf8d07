"""What a training of the face finder depends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleeting.training.face_finder.scenes import SceneSettings
from fleeting.training.recipe import Count, NotNegative, Positive, Share, ShareBelowOne


@dataclass(frozen=True, slots=True)
class FinderRecipe:
    """What a training of the finder depends on.

    Attributes
    ----------
    task
        Always ``face_finder``.
    teacher
        Folder of the teacher's labels of the portraits; empty to train without portraits.
    seed
        Of scenes and weights.
    cycles
        Optimiser steps of each cycle of the learning rate: a cosine down from a peak that halves with every cycle
        (warm restarts: Loshchilov and Hutter, ICLR 2017).
    batch
        Scenes of 160x160 pixels per step (of larger scenes fewer, by their pixels).
    learning_rate, weight_decay
        Peak of the first cycle, and decay, of AdamW.
    average
        Weight of the past in the moving average of the weights that is shipped.
    hard_share
        Share of a batch that comes from face-free scenes that were once taken for a face.
    width
        Width of the network.
    check_every
        Steps between checks on the validation people; the best average by that is kept.
    bfloat16
        Compute activations in bfloat16: a third quicker where the processor can, no slower where it cannot.
    threads
        Threads of torch and OpenCV.
    scenes
        How scenes are composed.
    """

    task: str = "face_finder"
    teacher: str = "runs/teacher"
    seed: int = 0
    cycles: list[int] = field(default_factory=lambda: [2400, 2400])
    batch: Count = 32
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 1e-4
    average: ShareBelowOne = 0.995
    hard_share: Share = 0.12
    width: Count = 24
    check_every: Count = 300
    bfloat16: bool = True
    threads: Count = 1
    scenes: SceneSettings = field(default_factory=SceneSettings)
