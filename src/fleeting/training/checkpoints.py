"""What trainings keep of themselves: a running average of the weights, and files to go on from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fleeting.errors import SettingsError


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, *, keep: float) -> None:
    """Move the running average of a network's weights towards it.

    Parameters
    ----------
    average
        Changed in place; what is no weight (counters of batch norm) is copied.
    network
        Of the same kind.
    keep
        Share of the average that stays, 0..1.
    """
    for mine, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(new, 1 - keep)
        else:
            mine.copy_(new)


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def read_checkpoint(
    path: Path, recipe: Any, *, free: Collection[str], device: torch.device | None = None
) -> dict[str, Any]:
    """Read a checkpoint whose state has the ``recipe`` of its training.

    Parameters
    ----------
    path
        Of `write_checkpoint`.
    recipe
        The recipe of now, a dataclass.
    free
        Names of its fields that may differ.
    device
        Where its tensors go; where they were written from if None.

    Raises
    ------
    SettingsError
        Where it was made with another recipe.
    """
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    now = {k: v for k, v in asdict(recipe).items() if k not in free}
    changed = [k for k, v in now.items() if state["recipe"].get(k, v) != v]
    if changed:
        raise SettingsError(
            "the recipe that this training was started with",
            f"another value of {', '.join(changed)}",
            "Choose a new --out folder, or restore the recipe.",
        )
    return state
