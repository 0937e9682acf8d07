"""The workbench in a browser: films that carry their numbers, a server in this process, and a driver of the page."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_files import numbered

from fleeting.export.media import write_media
from fleeting.export.timeline_json import write_timeline
from fleeting.records import REGIONS, Event, FaceBox, FaceSegment, FaceTrack, Signals, Timeline
from fleeting.video.reader import open_video

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="no Chromium or no playwright to open the workbench with",
)

READ = """
window.readNumber = () => {
  const canvas = document.querySelector(".picture canvas"), n = canvas.width, h = canvas.height;
  const data = canvas.getContext("2d").getImageData(0, Math.floor(h * 5 / 8), n, Math.floor(h / 4)).data;
  const rows = data.length / 4 / n, bar = Math.floor(n / 8);
  let number = 0;
  for (let bit = 0; bit < 8; bit++) {
    let sum = 0, count = 0;
    for (let y = 0; y < rows; y++)
      for (let x = bit * bar + 2; x < (bit + 1) * bar - 2; x++) { sum += data[4 * (y * n + x) + 1]; count++; }
    if (sum / count > 120) number |= 1 << bit;
  }
  return number;
};
window.shownNumber = () => Number(document.querySelector("#frame-number").textContent);
window.press = (key, more = {}) => {
  const target = document.activeElement ?? document.body;
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
};
window.settle = async (frame) => {
  for (const end = performance.now() + 20000; performance.now() < end;) {
    if (shownNumber() === frame) return;
    await new Promise((done) => setTimeout(done, 1));
  }
  throw new Error(`frame ${frame} was not shown, but ${shownNumber()}`);
};
"""


@dataclass(frozen=True)
class Workbench:
    """A server that runs, and the address with its token."""

    folder: Path
    address: str


@contextmanager
def serving(folder: Path, *, sockets: bool = False) -> Iterator[Workbench]:
    """The workbench of a folder, in a thread."""
    import uvicorn

    from fleeting.web.app import create_app

    app = create_app(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="error",
            lifespan="on",
            timeout_graceful_shutdown=1,
            ws="websockets-sansio" if sockets else "none",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    try:
        yield Workbench(folder, f"http://127.0.0.1:{port}/?token={app.token}")
    finally:
        app.app.state.queue.close()  # or the stream of jobs would stay open
        server.should_exit = True
        thread.join(10)
        listener.close()


def film_id(page: Any, name: str) -> str:
    """The id of a film, as the server gives it."""
    films = page.evaluate("fetch('/api/films').then((r) => r.json())")
    return next(f["id"] for f in films if f["name"] == name)


def analysed(film: Path, results: Path, events: tuple[Event, ...] = (), *, fps: float | None = None) -> Timeline:
    """Write results for a film as an analysis would have: true times, one face that fills the picture, these events."""
    with open_video(film, fps=fps) as reader:
        info = reader.info
        time_s = np.array([frame.time_s for frame in reader])
    n = len(time_s)
    wave = np.abs(np.sin(np.arange(n) / 9.0))[:, None] * np.linspace(0.3, 2.0, len(REGIONS))
    signals = Signals(
        face=0,
        time_s=time_s,
        motion=wave.astype(np.float32),
        noise=np.full(len(REGIONS), 0.2, np.float32),
        eye_opening=np.full((n, 2), 0.3, np.float32),
        mouth_opening=np.full(n, 0.1, np.float32),
        pose=np.zeros((n, 3), np.float32),
        place=np.tile(np.array([[2.0, 0, 6.0], [0, 2.0, 30.0]], np.float32), (n, 1, 1)),
    )
    track = FaceTrack(0, (FaceSegment(0, n - 1),), 30.0, FaceBox(0.0, 0.0, float(info.width), float(info.height), 0.9))
    timeline = Timeline(
        video=info,
        frame_count=n,
        duration_s=float(time_s[-1] + 1 / info.fps),
        tracks=(track,),
        events=events,
        signals=(signals,),
        version="test",
    )
    write_timeline(timeline, results / "timeline.json")
    write_media({}, results / "media.npz", faces={0: numbered(0)})
    return timeline


def proposed(
    kind: Any, onset: int, apex: int, offset: int, *, fps: float, confidence: float = 0.9, **more: Any
) -> Event:
    """A proposal of the machine."""
    times = [frame / fps for frame in (onset, apex, offset)]
    return Event(0, kind, onset, apex, offset, *times, regions=("left_brow",), confidence=confidence, **more)


def opened(browser: Any, bench: Workbench, *, coder: str = "anna", blind: bool = False, dark: bool = False) -> Any:
    """A page in a browser of its own, already known as a coder; what it says on its console is kept as `page.said`."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark" if dark else "light")
    context.add_init_script(READ)
    context.add_init_script(
        f"if (!localStorage.getItem('fleeting:coder')) localStorage.setItem('fleeting:coder', {coder!r});"
        f"if ({'true' if blind else 'false'}) localStorage.setItem('fleeting:blind', 'yes');"
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(bench.address)
    page.wait_for_selector("main:not([aria-busy]) h1")
    return page


def review(page: Any, name: str, *, frame: int | None = None) -> None:
    """Go to a film's review and wait for its first picture."""
    where = f"#/film/{film_id(page, name)}" + ("" if frame is None else f"?frame={frame}")
    page.evaluate("(where) => { location.hash = where; }", where)
    page.wait_for_selector(".picture[data-frame]")


def coding(page: Any, name: str, coder: str = "anna") -> dict[str, Any]:
    """What the server keeps for a coder."""
    path = f"/api/films/{film_id(page, name)}/coders/{coder}"
    return dict(page.evaluate("(path) => fetch(path).then((r) => r.json())", path))


def events(page: Any, name: str, coder: str = "anna") -> list[tuple[Any, ...]]:
    """A coder's events as kind, onset, apex (or None), offset."""
    return [
        (e["kind"], e["onset_frame"], e["apex_frame"] if e["apex_known"] else None, e["offset_frame"])
        for e in coding(page, name, coder)["events"]
    ]


def shows(page: Any, frame: int) -> None:
    """Wait until a frame is shown."""
    page.evaluate("(frame) => settle(frame)", frame)


def kept(page: Any, name: str, expected: Any, coder: str = "anna") -> None:
    """Wait until the server keeps these events."""
    found: Any = None
    for _ in range(200):
        found = events(page, name, coder)
        if found == expected:
            return
        page.wait_for_timeout(25)
    assert found == expected


def comes(page: Any, name: str, condition: Callable[[dict[str, Any]], bool], coder: str = "anna") -> dict[str, Any]:
    """Wait until what the server keeps for a coder is so, and return it."""
    for _ in range(400):
        found = coding(page, name, coder)
        if condition(found):
            return found
        page.wait_for_timeout(25)
    raise AssertionError(f"never came true: {found}")


def until(page: Any, condition: str) -> None:
    """Wait for a condition in the page; the page's policy forbids playwright's own way, which needs eval."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never came true: {condition}")
