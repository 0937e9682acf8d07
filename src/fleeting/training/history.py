"""What a training writes of its epochs: ``history.jsonl`` and the curves of TensorBoard."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleeting.errors import MissingExtraError

log = logging.getLogger(__name__)

HISTORY, BOARD = "history.jsonl", "tensorboard"


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
