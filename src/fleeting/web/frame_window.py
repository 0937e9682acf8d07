"""The frames around the place where somebody looks, decoded ahead in the direction in which they go.

A thread for each film that is open keeps a decoder running. A frame is found by its presentation time from the key
frame before it (`video.stream.VideoReader.frames`), so what is shown is what was analysed. What was asked for last
comes first; while nobody waits, the frames beyond it are decoded.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from fleeting.video.frame import Frame
from fleeting.video.stream import VideoReader

BUDGET = 256_000_000
"""Bytes of decoded pictures that a film may keep."""

LEAST, MOST = 12, 240
"""Frames that are kept at least and at most."""

OPEN = 2
"""Films that are kept open."""

WAIT_S = 60.0
"""A frame that takes longer is given up: a film without an index is decoded from its beginning."""


class FrameWindow:
    """The frames of one film. Threads may share it.

    Parameters
    ----------
    open_reader
        Opens the film; called in the window's own thread.
    known
        Times of all frames, where an analysis has told them.
    """

    def __init__(self, open_reader: Callable[[], VideoReader], known: npt.NDArray[np.float64] | None = None) -> None:
        self._open, self._known = open_reader, known
        self._news = threading.Condition()
        self._kept: dict[int, Frame] = {}
        self._wanted: list[int] = []
        self._failed: dict[int, Exception] = {}
        self._broken: Exception | None = None
        self._at, self._forward = 0, True
        self._closed = False
        self._times: npt.NDArray[np.float64] | None = None
        self._room = LEAST
        self._thread = threading.Thread(target=self._work, name="fleeting-frames", daemon=True)
        self._thread.start()

    def times(self) -> npt.NDArray[np.float64]:
        """Return the (n,) seconds of every frame.

        Raises
        ------
        VideoError
            Where the film cannot be read.
        """
        with self._news:
            self._news.wait_for(lambda: self._times is not None or self._broken is not None)
            if self._times is None:
                raise self._broken or RuntimeError("closed")
            return self._times

    def get(self, index: int) -> Frame:
        """Return a frame.

        Raises
        ------
        IndexError
            Where the film has no such frame.
        VideoError
            Where it cannot be decoded.
        TimeoutError
            Where it takes longer than `WAIT_S`.
        """
        with self._news:
            if index != self._at:
                self._forward, self._at = index > self._at, index
            done = self._news.wait_for(lambda: self._is_there(index), WAIT_S)
            if index in self._kept:
                return self._kept[index]
            if self._broken is not None:
                raise self._broken
            if not done:
                raise TimeoutError(f"Frame {index} took longer than {WAIT_S:g} s.")
            raise self._failed[index]

    def _is_there(self, index: int) -> bool:
        """Whether there is an answer; asks for it where there is none (it may have been forgotten again)."""
        if index in self._kept or index in self._failed or self._broken is not None:
            return True
        if index not in self._wanted:
            self._wanted.append(index)
        self._news.notify_all()
        return False

    def close(self) -> None:
        """Let the decoder go."""
        with self._news:
            self._closed = True
            self._broken = self._broken or RuntimeError("The film was closed.")
            self._news.notify_all()

    def _work(self) -> None:
        try:
            with self._open() as reader:
                times = reader.times(self._known)
                info = reader.info
                size = info.width * info.height * (5 if info.bit_depth <= 8 else 6)
                with self._news:
                    self._times = times
                    self._room = int(np.clip(BUDGET // max(size, 1), LEAST, MOST))
                    self._news.notify_all()
                self._serve(reader, len(times))
        except Exception as error:  # whoever waits gets it
            with self._news:
                self._broken = error
                self._news.notify_all()

    def _serve(self, reader: VideoReader, count: int) -> None:
        running: Iterator[Frame] | None = None
        place = -1  # of the frame that `running` gives next
        while True:
            with self._news:
                while not self._closed and self._target(count) is None:
                    self._news.wait()
                if self._closed:
                    return
                target = self._target(count)
                assert target is not None
                if not 0 <= target < count:
                    self._fail(target, IndexError(f"Frame {target} of a film of {count} frames."))
                    continue
                back = self._room // 2
            key = reader.key_before(target)
            if running is None or not (place <= target and (key <= place or target - place < 3)):
                place = max(key, target - back)
                with self._news:
                    while place < target and place in self._kept:
                        place += 1
                running = reader.frames(place, count - 1)
            try:
                frame = next(running)
            except StopIteration:
                running = None
                continue
            except Exception as error:
                running = None
                times = reader.times()
                if len(times) == count:
                    self._fail(target, error)
                with self._news:  # a damaged film may hold fewer frames than its packets promise
                    self._times, count = times, len(times)
                continue
            place += 1
            with self._news:
                self._kept[frame.index] = frame
                self._forget()
                while frame.index in self._wanted:
                    self._wanted.remove(frame.index)
                self._news.notify_all()

    def _target(self, count: int) -> int | None:
        """Frame to be decoded next; None where there is nothing to do."""
        if self._wanted:
            return self._wanted[-1]
        if not self._kept:
            return None
        reach = self._room // 2 - 1
        if self._forward:
            ahead = range(self._at + 1, min(self._at + reach, count - 1) + 1)
        else:
            ahead = range(self._at - 1, max(self._at - reach, 0) - 1, -1)
        return next((i for i in ahead if i not in self._kept and i not in self._failed), None)

    def _fail(self, target: int, error: Exception) -> None:
        with self._news:
            self._failed[target] = error
            self._wanted = [i for i in self._wanted if i != target]
            self._news.notify_all()

    def _forget(self) -> None:
        centre = self._wanted[-1] if self._wanted else self._at
        while len(self._kept) > self._room:
            self._kept.pop(max(self._kept, key=lambda i: abs(i - centre)))


class Windows:
    """The windows of the films that were looked at last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[object, FrameWindow] = OrderedDict()

    def of(self, key: object, make: Callable[[], FrameWindow]) -> FrameWindow:
        """Return the window with a key; it is made where there is none."""
        with self._lock:
            window = self._open.get(key)
            if window is None:
                window = self._open[key] = make()
            self._open.move_to_end(key)
            while len(self._open) > OPEN:
                self._open.popitem(last=False)[1].close()
            return window

    def close(self) -> None:
        """Close all."""
        with self._lock, suppress(KeyError):
            while True:
                self._open.popitem()[1].close()
