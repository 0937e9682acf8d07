"""What networks that teach an expression network say of its pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fleeting.models.deep_emotion import DeepEmotion
from fleeting.models.expression_net import ExpressionNetwork
from fleeting.models.shipped_expression import Views
from fleeting.training.expression_pictures import Labelled, logits_of

Network = DeepEmotion | ExpressionNetwork


@dataclass(frozen=True, slots=True)
class Teacher:
    """A network in evaluation mode, and what it sees of a picture."""

    network: Network
    views: Views

    def on(self, device: torch.device) -> Teacher:
        """Return it on a device, its weights in the layout in which the CPU is fast."""
        network = self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Teacher(network, self.views)


def mean_answers(teachers: Sequence[Teacher], data: Labelled) -> Tensor:
    """Return the mean probabilities (n, 7) float32 that teachers give pictures, each through its own views.

    A teacher that stands there twice counts twice.
    """
    device = data.label.device
    said: dict[Teacher, Tensor] = {}
    for teacher in teachers:
        if teacher not in said:
            logits = logits_of(teacher.on(device).network, data, teacher.views)
            said[teacher] = torch.from_numpy(logits).softmax(1)
    return torch.stack([said[teacher] for teacher in teachers]).mean(0).to(device)


@torch.no_grad()
def said_of(teachers: Sequence[Teacher], faces: Tensor, *, drawn_by: torch.Generator | None) -> Tensor:
    """Return the probabilities (n, 7) that teachers give changed pictures.

    Parameters
    ----------
    teachers
        In evaluation mode, on the device of the pictures.
    faces
        (n, 1, h, w), standardised and then changed, in any order: which teacher answers for one hangs on its place.
    drawn_by
        Where given, every teacher answers for its share of the pictures alone, and sees of them one thing of its views,
        drawn anew in every step. The cross-entropy is linear in what is taught, so its gradient is on the average that
        of the mean over all teachers and all their views, for the price of one answer per picture. Where not, the mean
        of what all answer for the pictures as they are.
    """
    if drawn_by is None:
        return torch.stack([teacher.network(faces).float().softmax(1) for teacher in teachers]).mean(0)
    said = []
    for teacher, share in zip(teachers, faces.tensor_split(len(teachers)), strict=True):
        if not len(share):
            continue
        seen = teacher.views.of(share)
        one = seen[int(torch.randint(len(seen), (1,), generator=drawn_by))]
        said.append(teacher.network(one).float().softmax(1))
    return torch.cat(said)
