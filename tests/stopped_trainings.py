"""Trainings that are killed, for the tests of what is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fleeting.training import loop


@contextmanager
def stopped_after(epochs: int, *, before_its_checkpoint: bool = False) -> Iterator[None]:
    """Kill the training inside after the checkpoint of an epoch, or just before it is written."""
    write = loop.write_checkpoint

    def write_and_stop(path: Path, state: dict[str, Any]) -> None:
        last = state["epoch"] == epochs
        if not (last and before_its_checkpoint):
            write(path, state)
        if last:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "write_checkpoint", write_and_stop)
        with pytest.raises(KeyboardInterrupt):
            yield
