"""Files that a stopped training goes on from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fleeting.errors import SettingsError


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def read_checkpoint(path: Path, recipe: Any, *, free: Collection[str], device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; settings of its recipe that are not `free` must be those of `recipe`.

    Raises
    ------
    SettingsError
        Where they are not, or another version wrote it.
    """
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
    now = {k: v for k, v in asdict(recipe).items() if k not in free}
    changed = [k for k, v in now.items() if state.get("recipe", {}).get(k, v) != v]
    if changed:
        raise SettingsError(
            "the recipe that this training was started with",
            f"another value of {', '.join(changed)}",
            "Choose a new --out folder, or restore the recipe.",
        )
    if not {"network", "random", "extra"} <= set(state):
        raise SettingsError("a checkpoint of this version", f"{path} of another", "Choose a new --out folder.")
    return state
