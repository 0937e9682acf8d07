"""The judge of candidates: a small network over the curves around a candidate's apex.

Our own; no published network takes these signals. Convolutions over time see shapes (a rise and a fall, a tremor, a
step), the maximum and the mean over time see what else happens around, and the centre sees the movement itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fleeting.spotting.candidates import CHANNELS, SAMPLES, SCALARS

CLASSES = ("nothing", "micro", "blink")

TIME_SCALE = 0.25
"""Seconds in one unit of the times that the network gives."""


class SpottingNetwork(nn.Module):
    """Windows and scalars of candidates (`spotting.candidates.Candidate`) to class logits.

    Parameters
    ----------
    width
        Channels of the first layers.
    dropout
        Share of the last features that is dropped in training.
    """

    def __init__(self, *, width: int = 40, dropout: float = 0.3) -> None:
        super().__init__()

        def block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()
            )

        self.fine = nn.Sequential(block(CHANNELS, width, 5, 1), block(width, width, 5, 2))
        self.coarse = nn.Sequential(block(width, 2 * width, 5, 2), block(2 * width, 2 * width, 3, 1))
        self.centre = SAMPLES // 4
        self.head = nn.Sequential(
            nn.Linear(6 * width + SCALARS, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, len(CLASSES) + 3)
        )

    def forward(self, window: Tensor, scalars: Tensor) -> Tensor:
        """Map (n, `CHANNELS`, `SAMPLES`) and (n, `SCALARS`) float32 to (n, 6).

        Three logits of `CLASSES`; then onset, apex and offset of the micro-expression, if it is one, after the
        candidate's apex, in units of `TIME_SCALE`.
        """
        seen = self.coarse(self.fine(window))
        middle = self.centre // 2
        near = seen[:, :, middle - 1 : middle + 2].mean(2)
        return torch.as_tensor(self.head(torch.cat([near, seen.mean(2), seen.amax(2), scalars], 1)))


class ExportedSpottingNetwork(nn.Module):
    """The network as it is shipped: calibrated probabilities and seconds; several of them answer together."""

    def __init__(self, networks: Sequence[SpottingNetwork], *, temperature: float) -> None:
        super().__init__()
        self.networks, self.temperature = nn.ModuleList(networks), temperature

    def forward(self, window: Tensor, scalars: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities (n, 3) of `CLASSES`, and times (n, 3) in seconds after the candidate's apex."""
        answer = torch.stack([network(window, scalars) for network in self.networks]).mean(0)
        return torch.softmax(answer[:, :3] / self.temperature, 1), answer[:, 3:] * TIME_SCALE
