"""The browser's camera: what is pushed is analysed while it comes, and kept where that is wanted."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from served import film_id, served
from starlette.websockets import WebSocketDisconnect

from fleeting.video.live_source import WAITING
from fleeting.video.reader import open_video
from fleeting.web.live import Camera, Pushed

pytestmark = pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
LIVE = "ws://127.0.0.1:8765/api/live"
ORIGIN = {"Origin": "http://127.0.0.1:8765"}


@pytest.fixture(scope="module")
def smile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the astronaut, who smiles at 2 s."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip

    path = tmp_path_factory.mktemp("live") / "ada.mp4"
    movement = Movement("micro", Profile(2.0, 2.14, 2.36), activations_of("happiness"), 4.0, "happiness")
    settings = ClipSettings(fps=30, seconds=4, width=192, height=192, iod_px=60)
    render_clip(
        PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=[movement], settings=settings, seed=1), path
    )
    return path


def jpeg(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1])


def test_a_camera_of_the_browser_is_analysed_and_kept(smile: Path, tmp_path: Path) -> None:
    with open_video(smile) as reader:
        sent = [(frame.time_s, jpeg(frame.rgb)) for frame in reader]
    told: list[dict[str, Any]] = []
    with served(tmp_path) as client:
        with client.websocket_connect(LIVE, headers=ORIGIN) as socket:
            socket.send_text(json.dumps({"width": 192, "height": 192, "fps": 30, "record": True}))
            for time_s, data in sent:
                socket.send_bytes(struct.pack("<d", time_s) + data)
                while "at" not in (answer := json.loads(socket.receive_text())):
                    told.append(answer)
            assert answer["at"] == pytest.approx(sent[-1][0], abs=1e-3)
            assert answer["dropped"] == 0
            assert len(answer["faces"]["0"]) == 13
            socket.send_text('{"end": true}')
            while "ended" not in (answer := json.loads(socket.receive_text())):
                told.append(answer)
        assert answer["problem"] == ""
        micro = [t["event"] for t in told if t["event"]["kind"] == "micro"]
        assert len(micro) == 1
        assert micro[0]["onset_s"] == pytest.approx(2.0, abs=0.15)
        assert film_id(client, answer["film"])
    with open_video(tmp_path / answer["film"]) as reader:
        assert [frame.time_s for frame in reader] == pytest.approx([t for t, _ in sent], abs=1e-3)
    assert not list(tmp_path.glob(".fleeting-live*"))


@pytest.mark.parametrize(
    "first", ["no json", '{"width": 5, "height": 5}', '{"width": 640, "height": 480, "path": "/etc"}']
)
def test_a_camera_that_cannot_be_is_refused(tmp_path: Path, first: str) -> None:
    with served(tmp_path) as client, client.websocket_connect(LIVE, headers=ORIGIN) as socket:
        socket.send_text(first)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_what_is_no_picture_is_left_out_and_counted(tmp_path: Path) -> None:
    source = Pushed(Camera(width=64, height=64))
    good = jpeg(np.full((64, 64, 3), 120, np.uint8))
    frames = source.frames()
    numbers = []
    for time_s, data in ((0.0, good), (0.1, b"nothing"), (0.1, jpeg(np.zeros((32, 32, 3), np.uint8))), (0.05, good)):
        source.push(time_s, data)
    numbers.append(next(frames).index)
    numbers.append(next(frames).index)
    assert numbers == [0, 1]
    assert source.dropped == 2
    for step in range(WAITING + 3):
        source.push(1.0 + step, good)
    assert source.dropped == 5
    source.end()
    assert [frame.time_s for frame in frames] == [4.0, 5.0, 6.0, 7.0]
