"""Parts that networks of several streams are put together from."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Streams(nn.ModuleList):
    """Branches that see the same input; their outputs are joined along the channels.

    Parameters
    ----------
    branches
        Each maps (n, c, h, w) to (n, its own channels, h', w'), with the same h' and w'.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined outputs (n, sum of channels, h', w')."""
        return torch.cat([branch(x) for branch in self], 1)


class Channel(nn.Module):
    """Pick one channel.

    Parameters
    ----------
    index
        Which, from 0.
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, 1, h, w) of (n, c, h, w)."""
        return x[:, self.index : self.index + 1]
