"""What a clip given to a network of sequences holds, and how it is standardised inside the network.

Clips are 8-bit (`motion.clip_input`): grey pictures, or flow about 128 in units of the clip's own largest displacement.
Standardising divides by what the whole clip varies, so that light and size of the movement, which nobody knows of a
transferred movement, do not decide.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

InputKind = Literal["grey", "change", "flow", "grey+flow"]
CHANNELS: dict[str, tuple[str, ...]] = {
    "grey": ("grey",),
    "change": ("grey",),
    "flow": ("u", "v"),
    "grey+flow": ("grey", "u", "v"),
}
"""Channels by kind of input. ``change`` is the grey picture minus that of the onset."""

FLOW_ZERO = 128.0
LEAST = 1e-3


def standardise(clips: Tensor, kind: InputKind) -> Tensor:
    """Return clips as float32 in units of their own variation.

    Parameters
    ----------
    clips
        (n, channels, frames, h, w) of 8-bit values, any number type.
    kind
        What they hold.
    """
    x = clips.float()
    parts = [_change(x)] if kind == "change" else []
    if kind.startswith("grey"):
        grey = x[:, :1]
        parts.append(_scaled(grey - grey.mean(dim=(1, 2, 3, 4), keepdim=True)))
    if kind.endswith("flow"):
        parts.append(_scaled(x[:, -2:] - FLOW_ZERO))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _change(x: Tensor) -> Tensor:
    return _scaled(x - x[:, :, :1])


def _scaled(x: Tensor) -> Tensor:
    """Divide by the root mean square over channels, time and place."""
    return x / x.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt().clamp_min(LEAST)
