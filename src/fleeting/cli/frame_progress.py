"""Progress over frames: a line that rewrites itself on a terminal, plain lines in a log."""

from __future__ import annotations

import shutil
import sys
import time

import typer

CLEAR = "\r\x1b[K"
"""Back to the beginning of the terminal's line, and the line empty."""


class FrameProgress:
    """Say on the standard error how far a job is.

    Parameters
    ----------
    doing
        What is done, before the numbers.
    quiet
        Say nothing.
    unit
        What is counted.
    """

    def __init__(self, doing: str, *, quiet: bool = False, unit: str = "frames") -> None:
        self._doing, self._quiet, self._unit = doing, quiet, unit
        self._live = sys.stderr.isatty()
        self._open = False
        self._ended: int | None = None
        self._began = self._shown = time.monotonic()

    def begin(self) -> None:
        """Say what is about to be done, before there are numbers."""
        if not self._quiet:
            self._say(self._doing)

    def __call__(self, done: int, total: int | None) -> None:
        """Tell the frames done and the frames to do, if known."""
        if done == total == self._ended:  # told already
            return
        self._ended = None
        now = time.monotonic()
        if self._quiet or (done != total and now - self._shown < (0.2 if self._live else 10.0)):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-6)
        left = f", {_lasting((total - done) / max(rate, 1e-6))} left" if total and total > done else ""
        of = f" of {total}" if total else ""
        self._say(f"{self._doing}: {done}{of} {self._unit}, {rate:.{1 if rate < 10 else 0}f} {self._unit}/s{left}")
        if done == total:  # the next clip begins anew
            self.end()
            self._began, self._ended = now, total

    def end(self) -> None:
        """Close the line that rewrites itself; whatever comes next begins a new one."""
        if self._open:
            typer.echo("", err=True)
            self._open = False

    def _say(self, text: str) -> None:
        if not self._live:
            typer.echo(text, err=True)
            return
        # A line that wraps could not be taken back.
        typer.echo(CLEAR + text[: shutil.get_terminal_size().columns - 1], err=True, nl=False)
        self._open = True


def _lasting(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
