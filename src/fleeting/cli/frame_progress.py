"""Progress over frames: a line that rewrites itself on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time

import typer


class FrameProgress:
    """Say on the standard error how far a job is.

    Parameters
    ----------
    doing
        What is done, before the numbers.
    quiet
        Say nothing.
    """

    def __init__(self, doing: str, *, quiet: bool = False) -> None:
        self._doing, self._quiet = doing, quiet
        self._live = sys.stderr.isatty()
        self._began = self._shown = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        """Tell the frames done and the frames to do, if known."""
        now = time.monotonic()
        if self._quiet or (done != total and now - self._shown < (0.2 if self._live else 10.0)):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-6)
        left = f", {max(total - done, 0) / max(rate, 1e-6):.0f} s left" if total else ""
        text = f"{self._doing}: {done}{f' of {total}' if total else ''} frames, {rate:.0f} frames/s{left}"
        if self._live:
            typer.echo(f"\r\x1b[K{text}", err=True, nl=done == total)
        else:
            typer.echo(text, err=True)
        if done == total:  # the next clip begins anew
            self._began = now
