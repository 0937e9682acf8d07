"""Which device a training runs on."""

from __future__ import annotations

from typing import Literal

import torch

from fleeting.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]


def choose_device(name: Device) -> torch.device:
    """Return the device to train on; ``auto`` takes CUDA where there is one.

    Raises
    ------
    SettingsError
        Where CUDA was asked for and there is none: a training does not fall back on its own.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise SettingsError(
            "a CUDA device, as the settings ask", "none that torch can use", "Set device = 'auto' to train on the CPU."
        )
    return torch.device("cuda" if name != "cpu" and there else "cpu")
