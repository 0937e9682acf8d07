"""Samples as networks of sequences read them: what a clip holds, how it is standardised, balanced and changed.

Clips are 8-bit (`motion.clip_input`): grey pictures, or flow about 128 in units of the clip's own largest displacement.
Standardising divides by what the whole clip varies, so that light and size of the movement, which nobody knows of a
transferred movement, do not decide. What was made of a clip once is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from fleeting.datasets.samples import Samples
from fleeting.motion.clip_input import CROP_WIDTH, clip_input
from fleeting.recognisers.clip_svm import of_each, sequences


@dataclass(frozen=True, slots=True)
class ClipRows:
    """Clips with their labels.

    Attributes
    ----------
    clips
        (n, channels, length, side, side) uint8 of `motion.clip_input`.
    label
        (n,) int64.
    flow_axis
        Channel of the flow's u, which changes its sign in a mirror; None without flow.
    """

    clips: Tensor
    label: Tensor
    flow_axis: int | None = None

    def __len__(self) -> int:
        return len(self.label)

    def to(self, device: torch.device) -> ClipRows:
        """Return them on a device."""
        return ClipRows(self.clips.to(device), self.label.to(device), self.flow_axis)


def clip_rows(samples: Samples, *, kind: str, length: int, side: int) -> ClipRows:
    """Return the clips of samples, each made by `motion.clip_input.clip_input`.

    Raises
    ------
    DataError
        For samples without sequences.
    """
    made = of_each(
        sequences(samples),
        partial(clip_input, kind=kind, length=length, side=side),  # type: ignore[arg-type]
        key=f"clip_input {kind} {length} {side}",
    )
    axis = 0 if kind == "flow" else None
    return ClipRows(torch.from_numpy(np.asarray(made, np.uint8)), torch.from_numpy(samples.label), axis)


def crop_width(samples: Samples) -> int:
    """Width in pixels of the crops that `motion.clip_input.clip_input` makes the clips of."""
    return min(int(sequences(samples).shape[3]), CROP_WIDTH)


def class_weights(label: Tensor, classes: int) -> Tensor:
    """Return the weight of each class so that all count the same: (classes,) float32, 0 for one without clips."""
    counts = torch.bincount(label, minlength=classes).float()
    present = counts > 0
    return torch.where(present, len(label) / (present.sum() * counts.clamp_min(1)), torch.zeros_like(counts))


def changed(rows: ClipRows, chosen: Tensor, *, flip: bool, shift: float, draw: torch.Generator) -> Tensor:
    """Return clips of the chosen rows, every second one mirrored, shifted by up to a share of the side."""
    clips = rows.clips[chosen.to(rows.clips.device)]
    side, most = clips.shape[-1], int(shift * clips.shape[-1])
    turned = torch.rand(len(chosen), generator=draw) < (0.5 if flip else 0.0)
    shifts = torch.randint(-most, most + 1, (len(chosen), 2), generator=draw)
    made = torch.empty_like(clips)
    for row in range(len(chosen)):
        clip = clips[row]
        if turned[row]:
            clip = clip.flip(-1)
            if rows.flow_axis is not None:
                clip = clip.clone()
                clip[rows.flow_axis] = 255 - clip[rows.flow_axis].clamp_min(1) + 1  # about 128
        y, x = (_shifted(side, int(s), clip.device) for s in shifts[row])
        made[row] = clip[..., y, :][..., x]
    return made


def _shifted(side: int, by: int, device: torch.device) -> Tensor:
    return (torch.arange(side, device=device) + by).clamp_(0, side - 1)


InputKind = Literal["grey", "change", "flow"]
CHANNELS: dict[str, tuple[str, ...]] = {
    "grey": ("grey",),
    "change": ("grey",),
    "flow": ("u", "v"),
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
    if kind == "grey":
        x = x - x.mean(dim=(1, 2, 3, 4), keepdim=True)
    else:
        x = x - (x[:, :, :1] if kind == "change" else FLOW_ZERO)
    # By the root mean square over channels, time and place.
    return x / x.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt().clamp_min(LEAST)
