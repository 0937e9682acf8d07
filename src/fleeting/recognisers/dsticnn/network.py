"""DSTICNN: two 3-D CNNs see one clip at two temporal scales and teach each other while training.

Zhu Weijie, Chen Ying, "Micro-expression recognition convolutional network based on dual-stream temporal-domain
information interaction", J. Frontiers of Computer Science and Technology 16(4), 2022, 950-958,
doi 10.3778/j.issn.1673-9418.2011039. Layers: its table 1. Losses: `recognisers.dsticnn.recogniser`.

Deviations and readings
-----------------------
- The paddings are ours; the table does not print them. Those here make both streams agree from conv1 on:
  16@16x56x56, 16x28x28, 32@16x28x28, 8x14x14, 64@8x14x14, 4x7x7, 128@1x7x7.
- pool4 is taken as printed (spatial stride 1, temporal stride 2), which gives 128@1x6x6 = 4608 values.
- ReLU after each convolution, no batch norm, dropout 0.5 before a single linear layer (Peng et al., "Dual
  temporal scale convolutional neural network for micro-expression recognition", Frontiers in Psychology 8, 2017, does
  so).
- Input: one grey channel of the aligned face by default; channels are settings. Each clip is standardised inside the
  network, so that neither the light nor the unknown size of a movement decides.
- The fused answer is the mean of both streams' softmaxes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fleeting.motion.interpolation import weights as temporal_weights
from fleeting.recognisers.sequences.clip_rows import CHANNELS, InputKind, standardise

SCALES: tuple[int, int] = (32, 64)
"""Frames that the two streams see."""

_CONV1 = {32: (4, 2, 1), 64: (8, 4, 2)}
"""Temporal kernel, stride and padding of conv1 by scale."""


class Answer(NamedTuple):
    """What both streams say of n clips: logits (n, classes) and the values before the decision layer, (n, features)."""

    logits: tuple[Tensor, Tensor]
    features: tuple[Tensor, Tensor]

    def fused(self) -> Tensor:
        """Return the logarithm of the mean of both softmaxes, (n, classes)."""
        one, other = (logits.float().log_softmax(1) for logits in self.logits)
        return torch.logaddexp(one, other) - 0.6931471805599453


class Stream(nn.Module):
    """One stream of table 1, up to and including pool4.

    Parameters
    ----------
    frames
        32 or 64.
    channels
        Of the input.
    """

    def __init__(self, *, frames: int, channels: int = 1) -> None:
        super().__init__()
        kernel, stride, padding = _CONV1[frames]
        self.conv1 = nn.Conv3d(channels, 16, (kernel, 3, 3), stride=(stride, 2, 2), padding=(padding, 1, 1))
        self.pool1 = nn.MaxPool3d((1, 2, 2), stride=(1, 2, 2))
        self.conv2 = nn.Conv3d(16, 32, 3, padding=1)
        self.pool2 = nn.MaxPool3d(2, stride=2)
        self.conv3 = nn.Conv3d(32, 64, 3, padding=1)
        self.pool3 = nn.MaxPool3d(2, stride=2)
        self.conv4 = nn.Conv3d(64, 128, (4, 3, 3), padding=(0, 1, 1))
        self.pool4 = nn.MaxPool3d((1, 2, 2), stride=(2, 1, 1))

    def forward(self, clips: Tensor) -> Tensor:
        """From clips (n, channels, frames, side, side) to (n, 128, 1, s, s); s is 6 for a side of 112."""
        x = clips
        for number in range(1, 5):
            x = getattr(self, f"conv{number}")(x)
            x = getattr(self, f"pool{number}")(x.relu())
        return x


def features_of(side: int) -> int:
    """Values of a stream before the decision layer, for pictures of a side of 32 pixels or more."""
    small = (side - 1) // 2 + 1
    for _ in range(3):
        small //= 2
    return 128 * (small - 1) ** 2


class Dsticnn(nn.Module):
    """Both streams with their decision layers.

    Parameters
    ----------
    classes
        Number of classes.
    length
        Frames of the clips that are given; they are interpolated to 32 and to 64 (temporal interpolation model).
    side
        Height and width of the pictures: 112 in the paper.
    kind
        What the clips hold, see `recognisers.sequences.clip_rows`.
    dropout
        Share of the values before the decision layer that is left out while training.
    """

    def __init__(
        self,
        classes: int,
        *,
        length: int = 64,
        side: int = 112,
        kind: InputKind = "grey",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.kind: InputKind = kind
        self.streams = nn.ModuleList(Stream(frames=frames, channels=len(CHANNELS[kind])) for frames in SCALES)
        self.heads = nn.ModuleList(nn.Linear(features_of(side), classes) for _ in SCALES)
        self.dropout = nn.Dropout(dropout)
        for frames in SCALES:
            matrix = torch.from_numpy(temporal_weights(length, frames)).float()
            self.register_buffer(f"times_{frames}", matrix, persistent=False)
        # Faster on processors, and the same but for rounding.
        self.streams.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, clips: Tensor) -> Answer:
        """From clips (n, channels, length, side, side) of `motion.clip_input`, any number type, to both answers."""
        x = standardise(clips, self.kind)
        logits, features = [], []
        for frames, stream, head in zip(SCALES, self.streams, self.heads, strict=True):
            matrix = self.get_buffer(f"times_{frames}")
            still = matrix.shape[0] == matrix.shape[1]
            scaled = x if still else in_time(matrix, x)
            features.append(stream(scaled).flatten(1))
            logits.append(head(self.dropout(features[-1])))
        return Answer((logits[0], logits[1]), (features[0], features[1]))


def in_time(matrix: Tensor, clips: Tensor) -> Tensor:
    """Return clips (n, c, t, h, w) at other times: each new frame a weighted sum of the old ones.

    Parameters
    ----------
    matrix
        (new frames, t), of `motion.interpolation.weights`.
    clips
        Floating point.
    """
    n, channels, _, height, width = clips.shape
    return (matrix.to(clips.dtype) @ clips.flatten(3)).reshape(n, channels, matrix.shape[0], height, width)


class DsticnnProbabilities(nn.Module):
    """The network as it is shipped: from clips to the probabilities of the fused answer and of each stream."""

    def __init__(self, network: Dsticnn, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (n, classes) three times: fused (divided by the temperature), 32 frames, 64 frames."""
        answer = self.network(clips)
        one, other = (logits.softmax(1) for logits in answer.logits)
        fused = (((one + other) / 2).clamp_min(1e-8).log() / self.temperature).softmax(1)
        return fused, one, other
