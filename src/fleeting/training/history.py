"""What a training writes: a checkpoint that it goes on from, ``history.jsonl`` and the curves of TensorBoard."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fleeting.errors import MissingExtraError, SettingsError

log = logging.getLogger(__name__)

HISTORY, BOARD = "history.jsonl", "tensorboard"


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


class Journal:
    """Writes rows, one per epoch.

    Parameters
    ----------
    out
        Folder; nothing is written where None.
    step
        Of the checkpoint that is gone on from: rows that a killed training wrote after it are taken out.

    Raises
    ------
    MissingExtraError
        Where TensorBoard is not installed.
    """

    def __init__(self, out: Path | None, step: int) -> None:
        self._out, self._board = out, None
        if out is None:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("research", "loss curves (tensorboard)") from error

        out.mkdir(parents=True, exist_ok=True)
        rows = list(_rows(out / HISTORY, step))
        (out / HISTORY).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        self._board = SummaryWriter(str(out / BOARD), purge_step=rows[-1]["epoch"] + 1 if rows else 0)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row, and log its numbers."""
        figures = dict(_figures(row))
        log.info("%s", ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        if self._out is None or self._board is None:
            return
        with (self._out / HISTORY).open("a", encoding="utf-8") as history:
            history.write(json.dumps(row) + "\n")
        for name, value in figures.items():
            if name not in ("epoch", "step", "seconds"):
                self._board.add_scalar(name, value, int(row["epoch"]))
        self._board.flush()


def _rows(path: Path, step: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a history up to a step; a line that was cut off ends it."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            return
        if row.get("step", step + 1) <= step:
            yield row


def _figures(row: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of a row; those of a table in it as ``table/name``."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{within}{name}/")
        elif isinstance(value, (int, float)):
            yield within + name, value
