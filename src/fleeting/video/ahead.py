"""A stage of work in a thread of its own, a bounded number of items ahead of whoever takes them.

FFmpeg, OpenCV and ONNX Runtime let go of Python's lock while they compute, so stages that follow each other run side by
side: the results are those of a plain loop, in the same order.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

_WAIT_S = 0.1
"""How often a stage that waits for room looks whether it is still wanted."""


def ahead(items: Iterable[T], *, depth: int) -> Generator[T]:
    """Yield what `items` yields while the next ones are made in another thread.

    Parameters
    ----------
    items
        Is iterated in the other thread, and closed there if it is a generator.
    depth
        Most items that are made but not yet taken, at least 1.

    Raises
    ------
    ValueError
        Where `depth` is below 1.
    Exception
        What `items` raises, after the items before it.

    Notes
    -----
    The thread begins with the first item that is asked for. It has ended when the generator is exhausted or closed,
    which waits for the item that is being made.
    """
    if depth < 1:
        raise ValueError(f"Expected a depth of at least 1; got {depth}.")
    return _taken(_Stage(items, depth))


class _End:
    """Last word of a stage, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Stage(Generic[T]):
    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._items = items
        self._made: Queue[T | _End] = Queue(depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._work, name="fleeting-ahead", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> T | _End:
        return self._made.get()

    def stop(self) -> None:
        self._unwanted.set()
        with contextlib.suppress(Empty):
            while True:
                self._made.get_nowait()
        self._thread.join()

    def _work(self) -> None:
        end = _End()
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # it is the taker's to handle, whatever it is
            end = _End(error)
        close = getattr(self._items, "close", None)
        if close is not None and isinstance(self._items, Generator):
            try:
                close()
            except BaseException as error:
                end = _End(end.error or error)
        self._put(end)

    def _put(self, item: T | _End) -> bool:
        """Hand an item over as soon as there is room; False where none is wanted any more."""
        while not self._unwanted.is_set():
            try:
                self._made.put(item, timeout=_WAIT_S)
            except Full:
                continue
            return True
        return False


def _taken(stage: _Stage[T]) -> Generator[T]:
    stage.start()
    try:
        while True:
            item = stage.take()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
            del item  # a frame must not live on while the next is waited for
    finally:
        stage.stop()
