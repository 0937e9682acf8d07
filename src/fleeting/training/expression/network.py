"""Our own attentional network for facial expressions: a residual network that says which channels and places matter.

Sources: He et al., "Deep residual learning", CVPR 2016, for the blocks; Hu et al., "Squeeze-and-excitation networks",
CVPR 2018, section 3, for the attention over channels; Lin et al., "Network in network", ICLR 2014, for the head that
averages over places, here weighted by an attention that the network gives every place (as in Ilse et al.,
"Attention-based deep multiple instance learning", ICML 2018, equation 8, with the tanh branch alone).

Deviations and readings
-----------------------
- The first step turns 2 x 2 pixels into channels, so that all convolutions work at half the resolution or less: the
  same receptive field for a quarter of the time.
- Another stem, ``pooled``, works at the full resolution first, which costs little.
- Whole blocks are left out at random in training (Huang et al., "Deep networks with stochastic depth", ECCV 2016).
- A second linear head predicts the votes of FER+ (Barsoum et al., ICMI 2016) from the same features. It teaches the
  trunk and is left out of the exported file, so that the labels of the set itself are answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.recognisers.deep_emotion.network import CLASSES

Stem = Literal["unshuffled", "pooled"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of n pictures.

    Attributes
    ----------
    logits, votes
        (n, 7) logits of the set's labels and of the FER+ votes.
    attention
        (n, h, w) weights of the places, summing to 1 per picture; h and w are an eighth of the picture's.
    """

    logits: Tensor
    votes: Tensor
    attention: Tensor


def _conv(inputs: int, outputs: int, *, stride: int = 1, side: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _stem(kind: Stem, outputs: int) -> nn.Sequential:
    if kind == "pooled":
        # The largest of rectified values is the largest value rectified: a quarter of the places to rectify.
        return nn.Sequential(*_conv(1, outputs, side=5), nn.MaxPool2d(3, 2, 1), nn.ReLU(inplace=True))
    return nn.Sequential(nn.PixelUnshuffle(2), *_conv(4, outputs), nn.ReLU(inplace=True))


class AttentiveBlock(nn.Module):
    """Two 3x3 convolutions, whose channels are weighted by squeeze-excitation, beside an identity.

    Parameters
    ----------
    inputs, outputs
        Channels.
    stride
        Of the first convolution; the identity is averaged and widened to match.
    drop
        Probability that a picture passes by the identity alone, in training.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, drop: float = 0.0) -> None:
        super().__init__()
        self.first, self.second = _conv(inputs, outputs, stride=stride), _conv(outputs, outputs)
        squeezed = max(outputs // 8, 8)
        self.excitation = nn.Sequential(
            nn.Conv2d(outputs, squeezed, 1), nn.ReLU(inplace=True), nn.Conv2d(squeezed, outputs, 1), nn.Sigmoid()
        )
        self.beside: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.beside = nn.Sequential(
                nn.AvgPool2d(stride), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )
        self.drop = drop
        # A block begins as the identity: deep networks start to learn sooner (Goyal et al., 2017, section 5.1).
        norm = self.second[1]
        assert isinstance(norm, nn.BatchNorm2d)
        nn.init.zeros_(norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, outputs, h / stride, w / stride)."""
        y = self.second(torch.relu(self.first(x)))
        # Not `mean`: its gradient is a view of another layout, which the CPU adds up slowly.
        weight = self.excitation(functional.adaptive_avg_pool2d(y, 1))
        if self.training and self.drop > 0:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop
            weight = weight * (kept / (1 - self.drop)).to(weight.dtype)
        return torch.relu(self.beside(x) + y * weight)


class ExpressionNetwork(nn.Module):
    """Input (n, 1, h, w) float standardised (`deep_emotion.standardise`), 8 divides h and w; output (n, 7) logits.

    Parameters
    ----------
    widths
        Channels at a half, a quarter and an eighth of the resolution.
    blocks
        Blocks at each of them.
    dropout
        Rate before the heads.
    drop_block
        Probability of leaving out the last block; it grows linearly from 0 with depth.
    stem
        How half the resolution is reached: ``unshuffled`` turns 2 x 2 pixels into channels before its convolution,
        ``pooled`` takes the largest of 3 x 3 places after one of 5 x 5 at the full resolution.

    Raises
    ------
    ValueError
        For another stem.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, int, int] = (32, 64, 128),
        blocks: tuple[int, int, int] = (1, 2, 2),
        dropout: float = 0.2,
        drop_block: float = 0.1,
        stem: Stem = "unshuffled",
    ) -> None:
        super().__init__()
        if stem not in get_args(Stem):
            raise ValueError(f"Expected a stem that is one of {', '.join(get_args(Stem))}, got {stem!r}.")
        self.stem = _stem(stem, widths[0])
        trunk: list[nn.Module] = []
        inputs, total = widths[0], sum(blocks)
        for scale, (outputs, count) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(count):
                drop = drop_block * (len(trunk) + 1) / total
                trunk.append(AttentiveBlock(inputs, outputs, stride=2 if scale and i == 0 else 1, drop=drop))
                inputs = outputs
        self.trunk = nn.Sequential(*trunk)
        self.places = nn.Sequential(nn.Conv2d(inputs, inputs // 4, 1), nn.Tanh(), nn.Conv2d(inputs // 4, 1, 1))
        self.dropout = nn.Dropout(dropout)
        self.labels, self.votes = nn.Linear(inputs, CLASSES), nn.Linear(inputs, CLASSES)

    def answer(self, faces: Tensor) -> Answer:
        """Return the logits of both heads, and where the network looked."""
        maps = self.trunk(self.stem(faces))
        n, channels, height, width = maps.shape
        weights = self.places(maps).float().reshape(n, 1, height * width).softmax(2)
        pooled = (maps.float().reshape(n, channels, height * width) * weights).sum(2)
        pooled = self.dropout(pooled)
        attention = weights.reshape(n, height, width)
        return Answer(self.labels(pooled).float(), self.votes(pooled).float(), attention)

    def forward(self, faces: Tensor) -> Tensor:
        """Return logits (n, 7) of the set's own labels."""
        return self.answer(faces).logits
