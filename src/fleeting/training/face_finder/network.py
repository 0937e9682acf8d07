"""A small one-shot face finder: one pass over a grey frame gives a heat map of face centres and a box at every place.

A face is a peak of the heat map, without anchors and without pairing boxes (Zhou, Wang, Kraehenbuehl, "Objects as
Points", 2019; for faces: Xu et al., "CenterFace", 2020). The box is four distances from the place to the sides, learned
at every place near a centre instead of only at the peak, which trains in a fraction of the time (Liu et al.,
"Training-Time-Friendly Network for Real-Time Object Detection", AAAI 2020). Strides 8, 16 and 32 are merged from coarse
to fine (Lin et al., "Feature Pyramid Networks", CVPR 2017).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

STRIDE = 8
"""Pixels of the input per place of the maps."""

ALIGNMENT = 32
"""Both sides of an input are multiples of this."""

UNIT_PX = 16.0
"""Distances to the sides are ``UNIT_PX * exp(output)`` pixels of the input."""


def _conv(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


class DenseBlock(nn.Module):
    """Two 3x3 convolutions around a short cut (He et al., CVPR 2016): quick on a CPU where channels are few."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the shape of `x`, (n, channels, h, w)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class SeparableBlock(nn.Module):
    """A 5x5 depthwise and a 1x1 convolution around a short cut: a wide view for few weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise, self.pointwise = (
            _conv(channels, channels, kernel=5, groups=channels),
            _conv(channels, channels, kernel=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a tensor of the shape of `x`, (n, channels, h, w)."""
        return functional.relu(x + self.pointwise(functional.relu(self.depthwise(x))))


class FaceFinderNet(nn.Module):
    """Heat map of face centres and distances to the four sides of the box.

    Parameters
    ----------
    width
        Channels at stride 4; deeper stages have multiples of it.
    """

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        c4, c8, c16, c32 = width, 2 * width, 4 * width, 5 * width
        self.stem = nn.Sequential(_conv(1, 16, stride=2), nn.ReLU(), _conv(16, c4, stride=2), nn.ReLU(), DenseBlock(c4))
        self.stage8 = nn.Sequential(_conv(c4, c8, stride=2), nn.ReLU(), DenseBlock(c8), DenseBlock(c8))
        self.stage16 = nn.Sequential(_conv(c8, c16, stride=2), nn.ReLU(), *(SeparableBlock(c16) for _ in range(3)))
        self.stage32 = nn.Sequential(
            _conv(c16, c16, stride=2, groups=c16),
            _conv(c16, c32, kernel=1),
            nn.ReLU(),
            *(SeparableBlock(c32) for _ in range(4)),
        )
        self.from32, self.from16, self.from8 = (_conv(c, c8, kernel=1) for c in (c32, c16, c8))
        self.merge16 = SeparableBlock(c8)
        self.merge8 = DenseBlock(c8)
        self.heat, self.sides = nn.Conv2d(c8, 1, 1), nn.Conv2d(c8, 4, 1)
        with torch.no_grad():
            self.heat.bias.fill_(-4.6)  # type: ignore[union-attr]  # a face at one place in a hundred to begin with

    def forward(self, grey: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Look at a batch of frames.

        Parameters
        ----------
        grey
            (n, 1, h, w) float32, 0..255; h and w are multiples of `ALIGNMENT`.

        Returns
        -------
        heat, sides
            (n, 1, h/8, w/8) logits that a face is centred here; (n, 4, h/8, w/8) distances from the middle of the
            place to the left, top, right and bottom side of its box in pixels of the input. Both float32.
        """
        x8 = self.stage8(self.stem((grey - 127.0) / 64.0))
        x16 = self.stage16(x8)
        x32 = self.stage32(x16)
        merged = self.merge16(
            functional.relu(self.from16(x16) + functional.interpolate(self.from32(x32), scale_factor=2.0))
        )
        merged = self.merge8(functional.relu(self.from8(x8) + functional.interpolate(merged, scale_factor=2.0)))
        return self.heat(merged), UNIT_PX * self.sides(merged).clamp(-4.0, 4.0).exp()
