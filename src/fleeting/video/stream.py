"""Video in: one interface to files and to folders of numbered images.

``with open_video(path) as reader`` streams `Frame`s with true presentation times; memory does not grow with length
beyond the 16 bytes a frame of the table that makes random access exact.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from fleeting.errors import FleetingWarning
from fleeting.records import VideoInfo
from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation
from fleeting.video.sound import Sound


class VideoReader(ABC):
    """A video that can be read from its beginning any number of times, and from any frame.

    Attributes
    ----------
    info
        What the file or folder says of itself.
    warnings
        What the user should know, in plain sentences; each was also issued as `FleetingWarning`. Some are known only
        when the last frame was read.
    """

    info: VideoInfo

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._orientation = Orientation()
        self._running: WeakSet[Generator[Frame]] = WeakSet()

    def __iter__(self) -> Iterator[Frame]:
        """Stream all frames from the first, in order of presentation; each call begins anew."""
        return self._track(self._stream())

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Return frames `first` to `last`, both included, with the values and times that streaming gives.

        Raises
        ------
        ValueError
            Unless ``0 <= first <= last`` and the video has a frame `last`.
        """
        if not 0 <= first <= last:
            raise ValueError(f"Expected 0 <= first <= last; got {first} and {last}.")
        return self._track(self._between(first, last))

    def times(self, known: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
        """Return the (n,) seconds of every frame, as `frames` gives them.

        Parameters
        ----------
        known
            The times that an earlier reading of the same file gave, where there was one: a file that still says the
            same need not be decoded for them.
        """
        return np.array([frame.time_s for frame in self])

    def key_before(self, index: int) -> int:
        """Return the frame with which decoding begins where frame `index` is asked for."""
        return index

    def turn(self, degrees: int, *, why: str = "") -> None:
        """Turn all frames that are read from now on clockwise, by 0, 90, 180 or 270 degrees; `info` says so.

        `why` is told to the user, where it is given.
        """
        turn = Orientation.clockwise(degrees)
        self._orientation = self._orientation.then(turn)
        width, height = turn.size(self.info.width, self.info.height)
        turned = (self.info.turn + degrees) % 360
        self.info = replace(self.info, width=width, height=height, rotation=self._orientation.rotation, turn=turned)
        if why:
            self._warn(why)

    def sound(self) -> Iterator[Sound]:
        """Yield the sound piece by piece, on the clock of the frames, which must have been read; nothing without it."""
        return iter(())

    def close(self) -> None:
        """Stop all iterations that are under way and free what they hold."""
        for generator in list(self._running):
            generator.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _stream(self) -> Generator[Frame]: ...

    @abstractmethod
    def _between(self, first: int, last: int) -> Generator[Frame]: ...

    def _track(self, generator: Generator[Frame]) -> Generator[Frame]:
        self._running.add(generator)
        return generator

    def _warn(self, message: str) -> None:
        """Tell the user once, however often the video is read."""
        if message not in self.warnings:
            self.warnings.append(message)
            warnings.warn(message, FleetingWarning, stacklevel=2)
