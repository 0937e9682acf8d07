"""Frames as they happen: a camera, or a file played at its own pace. Whoever is too slow for them misses some."""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import av

from fleeting.errors import VideoError
from fleeting.records import VideoInfo
from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation
from fleeting.video.pixels import DecodedPicture, Display
from fleeting.video.reader import open_video
from fleeting.video.timestamps import Clock as Timestamps

MOST_LATE_S = 0.25
"""A frame that is taken later than this after it happened is left out, so that lateness does not add up."""

WAITING = 4
"""Frames of a camera that are kept for whoever takes them; a fifth puts the oldest out."""

SILENT_S = 10.0
"""A camera that gives no frame for so long is taken for dead."""


class Clock(Protocol):
    """Time as it passes."""

    def now(self) -> float:
        """Seconds since any fixed moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class LiveSource(ABC):
    """Frames in the order in which they happen, numbered without holes.

    Attributes
    ----------
    info
        What the source says of itself.
    dropped
        Frames that were left out so far.
    """

    info: VideoInfo

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.dropped = 0
        self.began_s: float | None = None

    def late_s(self, time_s: float) -> float:
        """Seconds that have passed since a moment of the recording."""
        return 0.0 if self.began_s is None else self.clock.now() - self.began_s - time_s

    @abstractmethod
    def frames(self) -> Generator[Frame]:
        """Yield the frames; once only."""

    @abstractmethod
    def turn(self, degrees: int) -> None:
        """Turn all frames clockwise, by 0, 90, 180 or 270 degrees; to be called before the first."""


class Playback(LiveSource):
    """A video file, or a folder of images, played as if it were happening now.

    Raises
    ------
    VideoError
        As `open_video`.
    """

    def __init__(self, path: str | Path, *, fps: float | None = None, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.reader = open_video(path, fps=fps)
        self.info = self.reader.info

    def turn(self, degrees: int) -> None:
        """Turn all frames clockwise."""
        self.reader.turn(degrees)
        self.info = self.reader.info

    def frames(self) -> Generator[Frame]:
        """Yield each frame when its time has come."""
        number = 0
        with self.reader as reader:
            for frame in reader:
                if self.began_s is None:
                    self.began_s = self.clock.now() - frame.time_s
                wait = frame.time_s - (self.clock.now() - self.began_s)
                if wait > 0:
                    self.clock.sleep(wait)
                elif -wait > MOST_LATE_S:
                    self.dropped += 1
                    continue
                frame.index = number
                number += 1
                yield frame


class Camera(LiveSource):
    """A camera of this machine.

    Parameters
    ----------
    device
        Its number from 0, or the name that the system knows it by.
    fps, size
        What it is asked for; the camera's own choice where None.

    Raises
    ------
    VideoError
        Where there is no such camera, it is in use, or it does not offer what is asked for.
    """

    def __init__(
        self,
        device: int | str = 0,
        *,
        fps: float | None = None,
        size: tuple[int, int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock)
        self._name = f"camera {device}"
        self._failure: Exception | None = None
        address, form = address_of(device, sys.platform)
        options = {} if fps is None else {"framerate": f"{fps:g}"}
        if size is not None:
            options["video_size"] = f"{size[0]}x{size[1]}"
        try:
            self._container = av.open(address, format=form, options=options)
        except (OSError, ValueError, av.FFmpegError) as error:
            raise VideoError(
                "a camera that can be opened",
                f"{self._name} ({address}: {getattr(error, 'strerror', None) or error})",
                "Connect it, close other programs that use it, or give another number: fleeting live 1. "
                "A recording can be played instead: fleeting live interview.mp4.",
            ) from error
        stream = self._container.streams.video[0]
        rate = float(stream.average_rate or stream.base_rate or fps or 30.0)
        self.info = VideoInfo(
            path=address,
            name=self._name.replace(" ", "-"),
            container=form,
            codec=stream.codec_context.name,
            pixel_format=str(stream.codec_context.pix_fmt),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            fps=rate,
        )
        self._display = Display(self.info.width, self.info.height, Orientation())

    def turn(self, degrees: int) -> None:
        """Turn all frames clockwise."""
        turn = Orientation.clockwise(degrees)
        width, height = turn.size(self.info.width, self.info.height)
        self._display = replace(self._display, orientation=turn)
        self.info = replace(self.info, width=width, height=height, rotation=degrees, turn=degrees)

    def frames(self) -> Generator[Frame]:
        """Yield the newest frames; a thread of its own takes them from the camera, which would stall otherwise."""
        waiting: deque[tuple[float, Any]] = deque()
        news = threading.Condition()
        ended = threading.Event()
        thread = threading.Thread(target=self._capture, args=(waiting, news, ended), daemon=True)
        thread.start()
        number = 0
        try:
            while True:
                with news:
                    news.wait_for(lambda: waiting or ended.is_set(), SILENT_S)
                    if not waiting:
                        break
                    time_s, picture = waiting.popleft()
                yield Frame(number, time_s, DecodedPicture(picture, self._display))
                number += 1
            if self._failure is not None:
                raise self._failure
        finally:
            ended.set()
            thread.join(SILENT_S)
            self._container.close()

    def _capture(self, waiting: deque[tuple[float, Any]], news: threading.Condition, ended: threading.Event) -> None:
        stamps: Timestamps | None = None
        try:
            for picture in self._pictures():
                if ended.is_set():
                    return
                if stamps is None:
                    stamps = Timestamps(time_base=picture.time_base, gap_s=1.0 / self.info.fps)
                    self.began_s = self.clock.now()
                with news:
                    waiting.append((stamps.time_s(picture.pts), picture))
                    if len(waiting) > WAITING:
                        waiting.popleft()
                        self.dropped += 1
                    news.notify()
        except (OSError, av.FFmpegError):
            pass  # unplugged: what was seen so far is kept
        except Exception as error:
            self._failure = error
        finally:
            ended.set()
            with news:
                news.notify()

    def _pictures(self) -> Iterator[Any]:
        yield from self._container.decode(video=0)


def address_of(device: int | str, platform: str) -> tuple[str, str]:
    """Return FFmpeg's address and input format of a camera on a platform (``sys.platform``).

    Raises
    ------
    VideoError
        On Windows, where cameras have no numbers, for a number.
    """
    if platform == "darwin":
        return str(device), "avfoundation"
    if platform == "win32":
        if isinstance(device, int):
            raise VideoError(
                "the name of a camera",
                f"number {device}",
                "On Windows cameras have names: fleeting live camera:'Integrated Camera' (see the device manager).",
            )
        return f"video={device}", "dshow"
    return (f"/dev/video{device}" if isinstance(device, int) else device), "v4l2"
