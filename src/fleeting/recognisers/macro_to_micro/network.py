"""MiNet and MaNet: one two-stream network for micro-expressions, one for macro-expressions, and what aligns them.

Xia Bin, Wang Shangfei, "Micro-expression recognition enhanced by macro-expression from spatial-temporal domain", IJCAI
2021. Losses: `recognisers.macro_to_micro.recogniser`.

Deviations and readings
-----------------------
- The spatial stream is shaped as ResNet-18 (He et al., CVPR 2016) on the apex, a grey picture or its flow; its width
  is a setting. The temporal stream is a small 3-D CNN on 16 frames: grey minus the onset's picture, or flow.
- The apex is the frame that differs most from the first one, found inside the network: data sets and the analysis of
  a video then agree on it.
- MaNet's streams learn from different data (still faces, sequences), so each stream has a decision layer of its own
  beside the one of both.
- The domain discriminator looks at the spatial feature maps: convolution to 512, batch norm, ReLU, global average, 128,
  1, behind a reversal of the gradient (Ganin et al., JMLR 17, 2016). The relation classifier takes the temporal
  features of two clips and says whether the first was sampled at a smaller, the same, or a larger stride.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting.motion.interpolation import weights as temporal_weights
from fleeting.recognisers.dsticnn.network import in_time
from fleeting.recognisers.sequences.clip_rows import CHANNELS, InputKind, standardise

FRAMES = 16
"""Frames that the temporal stream sees."""

STRIDES: tuple[int, ...] = (1, 2, 4)
RELATIONS = 3
TEMPORAL = 128
"""Values of the temporal stream."""


class Seen(NamedTuple):
    """What a two-stream network makes of n clips.

    Attributes
    ----------
    maps
        (n, 8 * width, s, s) of the spatial stream.
    spatial, temporal
        (n, 8 * width) and (n, 128).
    logits
        (n, classes) of both streams together.
    """

    maps: Tensor
    spatial: Tensor
    temporal: Tensor
    logits: Tensor


class _Block(nn.Module):
    """Two 3 x 3 convolutions around which the input is carried (He et al. 2016, figure 2)."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.carried: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.carried = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        carried: Tensor = self.carried(x)
        return torch.relu(y + carried)


class SpatialStream(nn.Sequential):
    """ResNet-18 of a width up to its last feature maps: (n, c, side, side) to (n, 8 * width, side / 32, side / 32).

    Parameters
    ----------
    width
        Filters of the first stage; 64 in ResNet-18.
    channels
        Of the input.
    """

    def __init__(self, *, width: int = 24, channels: int = 1) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ]
        before = width
        for stage in range(4):
            after = width * 2**stage
            layers += [_Block(before, after, stride=1 if stage == 0 else 2), _Block(after, after, stride=1)]
            before = after
        super().__init__(*layers)


class TemporalStream(nn.Sequential):
    """Four 3-D convolutions: (n, channels, 16, side, side) to (n, 128)."""

    def __init__(self, *, channels: int = 1) -> None:
        layers: list[nn.Module] = []
        for before, after, stride in ((channels, 16, (1, 2, 2)), (16, 32, 2), (32, 64, 2), (64, TEMPORAL, 2)):
            layers += [nn.Conv3d(before, after, 3, stride=stride, padding=1), nn.BatchNorm3d(after), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten())


class TwoStream(nn.Module):
    """MiNet or MaNet.

    Parameters
    ----------
    classes
        Number of classes.
    length
        Frames of the clips that are given; the temporal stream gets 16 of them by temporal interpolation.
    width
        Of the spatial stream.
    dropout
        Share of both streams' values that is left out before the decision.
    kind
        What the clips hold, see `recognisers.sequences.clip_rows`.
    """

    def __init__(
        self, classes: int, *, length: int = 64, width: int = 24, dropout: float = 0.5, kind: InputKind = "grey"
    ) -> None:
        super().__init__()
        self.kind: InputKind = kind
        channels = len(CHANNELS[kind])
        self.spatial = SpatialStream(width=width, channels=channels)
        self.temporal = TemporalStream(channels=channels)
        self.spatial_head, self.temporal_head = nn.Linear(8 * width, classes), nn.Linear(TEMPORAL, classes)
        self.head = nn.Linear(8 * width + TEMPORAL, classes)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("times", torch.from_numpy(temporal_weights(length, FRAMES)).float(), persistent=False)

    def forward(self, clips: Tensor) -> Seen:
        """From clips (n, channels, length, side, side) of `motion.clip_input`, any number type."""
        grey = clips.float()
        maps = self.maps(apex_of(grey))
        spatial = maps.mean((2, 3))
        temporal = self.course(grey)
        both = self.dropout(torch.cat([spatial, temporal], 1))
        return Seen(maps, spatial, temporal, self.head(both))

    def maps(self, pictures: Tensor) -> Tensor:
        """Return the spatial feature maps of pictures (n, channels, side, side)."""
        found: Tensor = self.spatial(standardise(pictures[:, :, None], self.kind)[:, :, 0])
        return found

    def course(self, clips: Tensor) -> Tensor:
        """Return the temporal features of whole clips (n, channels, length, side, side)."""
        return self.moved(in_time(self.get_buffer("times"), clips.float()))

    def moved(self, clips: Tensor) -> Tensor:
        """Return the temporal features of clips (n, channels, 16, side, side)."""
        found: Tensor = self.temporal(standardise(clips, "change" if self.kind == "grey" else self.kind))
        return found


def apex_of(clips: Tensor) -> Tensor:
    """Return of each clip (n, c, t, h, w) the frame that differs most from the first one, (n, c, h, w)."""
    difference = (clips - clips[:, :, :1]).square().mean((1, 3, 4))
    place = functional.one_hot(difference.argmax(1), difference.shape[1]).to(clips.dtype)
    chosen = place[:, None, None] @ clips.flatten(3)
    return chosen.reshape(*clips.shape[:2], *clips.shape[3:])  # not len(): a traced network would keep the number


def sampled(clips: Tensor, stride: int, start: int) -> Tensor:
    """Return 16 frames of clips (n, c, t, h, w) from `start` on, `stride` apart.

    A clip that is too short for this is stretched to it by temporal interpolation.
    """
    last = start + stride * (FRAMES - 1)
    if last >= clips.shape[2]:
        matrix = torch.from_numpy(temporal_weights(clips.shape[2], last + 1)).to(clips.device, torch.float32)
        clips = in_time(matrix, clips.float())
    return clips[:, :, start : last + 1 : stride]


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return -grads[0]


def reverse_gradient(x: Tensor) -> Tensor:
    """Return the same values, whose gradient comes back with the opposite sign."""
    found: Tensor = _Reversed.apply(x)  # type: ignore[no-untyped-call]
    return found


class Discriminator(nn.Sequential):
    """Says of spatial feature maps whether they are of a micro-expression: (n, channels, s, s) to (n, 1) logits."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, 512, 3, padding=1),
            nn.BatchNorm2d(512),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(512, 128),
            nn.ReLU(),
            nn.Linear(128, 1),
        )


class RelationClassifier(nn.Sequential):
    """From the temporal features of two clips side by side, (n, 256), to logits of smaller, same, larger stride."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(2 * TEMPORAL, TEMPORAL), nn.ReLU(), nn.Linear(TEMPORAL, RELATIONS))


class MiNetProbabilities(nn.Module):
    """MiNet as it is shipped: from clips to probabilities."""

    def __init__(self, network: TwoStream, *, temperature: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, clips: Tensor) -> Tensor:
        """Return (n, classes)."""
        seen: Seen = self.network(clips)
        return (seen.logits.log_softmax(1) / self.temperature).softmax(1)
