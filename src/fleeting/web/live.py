"""``/api/live``: the browser's camera over a WebSocket, through the pipeline of ``fleeting live``.

The page first sends JSON: ``width``, ``height``, ``fps``, and ``record`` where the film is to be kept. Then each
picture is a binary message: its seconds (little-endian float64) and a JPEG file. Whoever sends more than `WAITING`
pictures ahead of the answers loses the oldest ones. The text ``{"end": true}`` ends it.

The server answers with JSON: ``{"at", "dropped", "faces"}`` for every picture that was analysed, with the displacement
of each region of each face in percent of the distance between the eyes; ``{"event", "delay_s"}`` for every event that
has become sure; at the end ``{"ended", "film", "problem"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import struct
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from fleeting.errors import FleetingError
from fleeting.live.live import LiveAnalysis, Told, steps
from fleeting.records import REGIONS, VideoInfo
from fleeting.video.frame import Frame
from fleeting.video.live_source import SILENT_S, WAITING, LiveSource
from fleeting.video.orientation import Orientation
from fleeting.web import uploads
from fleeting.web.film_library import Library
from fleeting.web.lanes import shown_event

LARGEST = 4_000_000
"""Bytes of one picture."""

HEAD = struct.Struct("<d")
BROKEN = 1003

router = APIRouter()


class Camera(BaseModel):
    """What a page says of its camera."""

    model_config = ConfigDict(extra="forbid")

    width: int = Field(ge=64, le=4096)
    height: int = Field(ge=64, le=4096)
    fps: float = Field(30.0, gt=0, le=1000)
    record: bool = False


class Pushed(LiveSource):
    """Pictures that somebody pushes.

    Parameters
    ----------
    camera
        What the page says of them.
    """

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self.info = VideoInfo(
            "browser", "browser", "live", "mjpeg", "yuvj420p", camera.width, camera.height, camera.fps
        )
        self._orientation = Orientation()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._news = threading.Condition()
        self._ended = False

    def turn(self, degrees: int) -> None:
        """Turn all frames clockwise."""
        self._orientation = Orientation.clockwise(degrees)

    def push(self, time_s: float, data: bytes) -> None:
        """Hand over a picture; the oldest that waits is left out where there are too many."""
        with self._news:
            if self.began_s is None:
                self.began_s = self.clock.now() - time_s
            self._waiting.append((time_s, data))
            if len(self._waiting) > WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._news.notify_all()

    def end(self) -> None:
        """Say that no more will come."""
        with self._news:
            self._ended = True
            self._news.notify_all()

    def frames(self) -> Generator[Frame]:
        """Yield the pictures that can be decoded, with times that rise."""
        number, last_s = 0, -math.inf
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._ended, SILENT_S)
                if not self._waiting:
                    return
                time_s, data = self._waiting.popleft()
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            size = (self.info.height, self.info.width)
            if picture is None or picture.shape[:2] != size or not last_s < time_s < math.inf:
                self.dropped += 1
                continue
            last_s = time_s
            yield Frame(number, time_s, self._orientation.apply(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))))
            number += 1


class Recording:
    """The pictures of a camera as they came, in a film of the folder with their times."""

    def __init__(self, folder: Path, camera: Camera) -> None:
        self._folder = folder
        self._path = folder / f".fleeting-live-{id(self):x}.mkv"
        self._container = av.open(f"file:{self._path}", "w")
        self._stream: Any = self._container.add_stream("mjpeg", rate=max(round(camera.fps), 1))
        self._stream.width, self._stream.height, self._stream.pix_fmt = camera.width, camera.height, "yuvj420p"
        self._last = -1

    def add(self, time_s: float, data: bytes) -> None:
        """Keep a picture."""
        tick = round(1000 * time_s)
        if tick > self._last and data[:2] == b"\xff\xd8":
            packet = av.Packet(data)
            packet.stream = self._stream
            packet.pts = packet.dts = self._last = tick
            packet.time_base = Fraction(1, 1000)
            packet.is_keyframe = True
            self._container.mux(packet)

    def end(self) -> str:
        """Close the film and return its name; empty where it could not be kept."""
        self._container.close()
        name = f"live-{datetime.now():%Y%m%d-%H%M%S}.mkv"
        return uploads.settle(self._path, self._folder, name).name


@router.websocket("/api/live")
async def live(socket: WebSocket) -> None:
    """Analyse the pictures that a page sends, until it ends or leaves."""
    library: Library = socket.app.state.films
    await socket.accept()
    try:
        camera = Camera.model_validate_json(await socket.receive_text())
    except (ValidationError, KeyError, WebSocketDisconnect):
        await socket.close(BROKEN, "Expected the camera's width, height and fps first.")
        return
    source = Pushed(camera)
    loop = asyncio.get_running_loop()

    def tell(values: dict[str, Any]) -> None:
        with contextlib.suppress(Exception):  # the page has gone: what was seen so far is still kept
            asyncio.run_coroutine_threadsafe(socket.send_text(json.dumps(values)), loop).result(SILENT_S)

    recording = Recording(library.folder, camera) if camera.record else None
    running = asyncio.create_task(run_in_threadpool(_analyse, source, tell))
    left = False
    try:
        while True:
            message = await socket.receive()
            data = message.get("bytes")
            if message["type"] == "websocket.disconnect":
                left = True
                break
            if data is None or not HEAD.size < len(data) <= LARGEST:
                break
            (time_s,) = HEAD.unpack_from(data)
            if math.isfinite(time_s) and time_s >= 0:
                source.push(time_s, data[HEAD.size :])
                if recording is not None:
                    await run_in_threadpool(recording.add, time_s, data[HEAD.size :])
    finally:
        source.end()
        problem = await running
        film = ""
        if recording is not None:
            try:
                film = await run_in_threadpool(recording.end)
            except Exception as error:
                problem = problem or str(getattr(error, "detail", error))
        if not left:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.send_text(json.dumps({"ended": True, "film": film, "problem": problem}))
                await socket.close()


def _analyse(source: Pushed, tell: Callable[[dict[str, Any]], None]) -> str:
    """Analyse what comes; returns what went wrong, empty where nothing did."""
    try:
        analysis = LiveAnalysis(source.info, late_s=source.late_s)
        with closing(steps(source, analysis)) as running:
            for frame, seen in running:
                told = analysis.add(frame, seen)
                tell({"at": round(frame.time_s, 4), "dropped": source.dropped, "faces": _moved(analysis)})
                _tell_events(told, tell)
        _tell_events(analysis.end(), tell)
    except FleetingError as error:
        return str(error)
    except Exception as error:
        return f"An error in Fleeting itself ({type(error).__name__}: {error})."
    return ""


def _moved(analysis: LiveAnalysis) -> dict[int, dict[str, float]]:
    return {
        face: {name: round(float(value), 3) for name, value in zip(REGIONS, values, strict=True) if value == value}
        for face, values in analysis.displacement().items()
    }


def _tell_events(told: list[Told], tell: Callable[[dict[str, Any]], None]) -> None:
    for one in told:
        tell({"event": shown_event(one.event), "delay_s": round(one.delay_s, 3)})
