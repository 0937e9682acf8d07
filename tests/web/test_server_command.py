"""``fleeting serve``: it starts, says where, streams news, stops, and says what is wrong."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import Command
from served import started
from video_files import write_numbered

from fleeting.errors import InputError
from fleeting.video.frame import Frame
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader
from fleeting.web import server
from fleeting.web.frame_window import FrameWindow

SHORT_DEMO = """
from dataclasses import replace
from fleeting.synthesis import demo
demo.MOVEMENTS = demo.MOVEMENTS[:1]
demo.demo_clip.__defaults__ = (replace(demo.SETTINGS, seconds=1.5, fps=30.0, width=256, height=256, iod_px=60.0),)
"""


def test_news_of_jobs_are_streamed_and_ctrl_c_stops_it_all(tmp_path: Path) -> None:
    write_numbered(tmp_path / "film.mp4", 10)
    with started(tmp_path) as running:
        (film,) = running.get("/api/films")
        news = running.browser.open(f"{running.root}/api/jobs/stream", timeout=120)
        assert news.headers["content-type"].startswith("text/event-stream")
        job = running.post("/api/jobs", {"film": film["id"], "kind": "analyse"})
        told = []
        while not told or "failed" not in told[-1]:  # there is no face in it
            line = news.readline().decode()
            told += [line] if line.startswith("data: ") else []
        assert all(job["id"] in line for line in told)
        running.process.send_signal(signal.SIGINT)
        _, said = running.process.communicate(timeout=60)  # the open stream does not hold it up
        assert running.process.returncode == 0
        assert said == ""
        news.close()


def test_the_demonstration_is_made_once_and_served(tmp_path: Path) -> None:
    for _ in range(2):
        with started(tmp_path, "--demo", before=SHORT_DEMO) as running:
            (film,) = running.get("/api/films")
            assert (film["name"], film["state"]) == ("demo.mp4", "done")
            made = (tmp_path / "fleeting-demo" / "demo.mp4").stat().st_mtime_ns
            running.process.send_signal(signal.SIGTERM)
            running.process.communicate(timeout=60)
            assert running.process.returncode == 143
    assert (tmp_path / "fleeting-demo" / "demo.mp4").stat().st_mtime_ns == made


@pytest.mark.parametrize("missing", ["uvicorn", "fastapi", "websockets", "python_multipart.multipart"])
def test_without_the_extra_it_is_named(
    missing: str, tmp_path: Path, fleeting: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.startswith("fleeting.web") and n != "fleeting.web.server"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    done = fleeting("serve", tmp_path, "--port", "0", "--no-browser")
    assert done.status == 1
    assert "pip install 'fleeting[web]'" in done.err


def test_a_folder_that_is_none_is_refused(tmp_path: Path, fleeting: Command) -> None:
    done = fleeting("serve", tmp_path / "none", "--no-browser")
    assert done.status == 1
    assert "a folder of films" in done.err


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(server, "PORT", taken)
        with server.listen("127.0.0.1", None) as free:  # nobody asked for that very one
            assert free.getsockname()[1] not in (0, taken)
        with pytest.raises(InputError, match="--port 0"):
            server.listen("127.0.0.1", taken)
    with pytest.raises(InputError, match="an address of this machine"):
        server.listen("192.0.2.1", 0)


class Counted(VideoReader):
    """Counts how often decoding begins anew."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.inner = open_video(path)
        self.info = self.inner.info
        self.begun: list[int] = []

    def times(self, known: object = None) -> np.ndarray:
        return self.inner.times()

    def key_before(self, index: int) -> int:
        return self.inner.key_before(index)

    def _stream(self) -> Iterator[Frame]:  # type: ignore[override]
        raise AssertionError

    def _between(self, first: int, last: int) -> Iterator[Frame]:  # type: ignore[override]
        self.begun.append(first)
        return self.inner.frames(first, last)

    def _track(self, generator: Iterator[Frame]) -> Iterator[Frame]:  # type: ignore[override]
        return generator


def test_a_window_goes_on_decoding_in_the_direction_of_travel(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "film.mp4", 200, options={"g": "20"})
    reader = Counted(path)
    window = FrameWindow(lambda: reader)
    assert [window.get(i).index for i in range(100)] == list(range(100))
    assert reader.begun == [0]
    assert [window.get(i).index for i in range(180, 100, -1)] == list(range(180, 100, -1))
    assert len(reader.begun) < 12  # not once for each of 80 steps
    with pytest.raises(IndexError, match="200 frames"):
        window.get(200)
    with pytest.raises(IndexError):
        window.get(-1)
    window.close()
    with pytest.raises(RuntimeError, match="closed"):
        window.get(10_000)


def test_many_who_ask_at_once_all_get_theirs(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "film.mp4", 200, options={"g": "20"})
    window = FrameWindow(lambda: open_video(path))
    wanted = np.random.default_rng(0).permutation(200)[:40].tolist()
    got: list[int] = []
    threads = [threading.Thread(target=lambda n=n: got.append(window.get(n).index)) for n in wanted]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(wanted)
    window.close()


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_a_film_that_cannot_be_read_is_said_to_all_who_wait(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no film at all")
    window = FrameWindow(lambda: open_video(tmp_path / "film.mp4"))
    for _ in range(2):
        with pytest.raises(InputError, match="film.mp4"):
            window.get(0)
    with pytest.raises(InputError, match="film.mp4"):
        window.times()
