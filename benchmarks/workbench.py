"""How quickly the workbench shows frames: ``python benchmarks/workbench.py``.

Films are made (a textured patch that moves before a still room, H.264 at x264's usual quality): 1280 x 720 with a key
frame every second and every ten, and 3840 x 2160 with one every second. A server runs in this process, and one
connection asks as the page does: steps of one frame forth and back, one after the other, and jumps to frames drawn at
random; pictures 960 pixels wide, as a browser window of 1280 shows them. The time is from the request to the last byte
of the picture: decoding in the browser comes on top. ``face`` is the view in which the face is held still. A step is
measured as a person makes it, with a pause before it (``--pause``), and at once (``held``: the key is held down).

``page`` is the first page: its files, the state and the list of a hundred analysed films of ten minutes, by a server
that has just been started (cold: nothing is known of the films) and that was started before (warm).

Reach: step 50 ms, jump 150 ms (median; key frame every second), jump 600 ms (every ten), 4K step 300 ms, page 1 s.
Writes ``results/workbench.json``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import uvicorn

from fleeting.export.media import write_media
from fleeting.export.timeline_json import write_timeline
from fleeting.records import REGIONS, FaceBox, FaceSegment, FaceTrack, Signals, Timeline, VideoInfo
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter
from fleeting.web.app import STATIC, create_app
from fleeting.web.server import listen

FPS = 30
FILMS = {
    "1280x720, key frame every 1 s": ((1280, 720), 1, 30),
    "1280x720, key frame every 10 s": ((1280, 720), 10, 60),
    "3840x2160, key frame every 1 s": ((3840, 2160), 1, 6),
}
"""Size, seconds between key frames, seconds."""

REACH_MS = {
    "1280x720, key frame every 1 s": {"step": 50, "jump": 150},
    "1280x720, key frame every 10 s": {"step": 50, "jump": 600},
    "3840x2160, key frame every 1 s": {"step": 300},
}
PAGE_REACH_MS = 1000
MANY, MINUTES = 100, 10
WIDTH = 960


def make_film(path: Path, size: tuple[int, int], seconds: int, every_s: int) -> None:
    rng = np.random.default_rng(0)
    room = cv2.resize(rng.integers(60, 190, (90, 160, 3), np.uint8), size, interpolation=cv2.INTER_CUBIC)
    patch = cv2.GaussianBlur(rng.integers(40, 220, (size[1] // 2, size[1] // 2, 3), np.uint8), (0, 0), 2.0)
    noise = rng.normal(0, 2, (size[1], size[0], 1)).astype(np.float32)
    with Keyed(path, fps=FPS, size=size, every=every_s * FPS) as writer:
        for i in range(seconds * FPS):
            picture = room.copy()
            x = size[0] // 3 + round(20 * np.sin(i / 9))
            picture[size[1] // 4 : size[1] // 4 + patch.shape[0], x : x + patch.shape[1]] = patch
            moved = np.roll(noise, (7 * i, 13 * i), (0, 1))
            writer.write(np.clip(picture + moved, 0, 255).astype(np.uint8))


class Keyed(VideoWriter):
    """With a key frame every so many frames, as cameras write them."""

    def __init__(self, path: Path, *, fps: float, size: tuple[int, int], every: int) -> None:
        super().__init__(path, fps=fps, size=size, crf=23, preset="veryfast")
        self._every = every

    def _options(self) -> dict[str, str]:
        return super()._options() | {"g": str(self._every), "keyint_min": str(self._every), "sc_threshold": "0"}


def make_results(folder: Path, frames: int, size: tuple[int, int], name: str, *, fps: float = FPS) -> None:
    """Results as an analysis leaves them, with a face that stays where it is."""
    time_s = np.arange(frames) / fps
    rng = np.random.default_rng(1)
    signals = Signals(
        face=0,
        time_s=time_s,
        motion=rng.gamma(2.0, 0.1, (frames, len(REGIONS))).astype(np.float32),
        eye_opening=rng.normal(0.3, 0.02, (frames, 2)).astype(np.float32),
        mouth_opening=np.zeros(frames, np.float32),
        pose=np.zeros((frames, 3), np.float32),
        noise=np.full(len(REGIONS), 0.1, np.float32),
    )
    iod = size[1] / 5
    timeline = Timeline(
        video=VideoInfo(f"{name}.mp4", name, "mp4", "h264", "yuv420p", *size, fps),
        frame_count=frames,
        duration_s=frames / fps,
        tracks=(FaceTrack(0, (FaceSegment(0, frames - 1),), iod, FaceBox(0, 0, iod, iod)),),
        signals=(signals,),
    )
    write_timeline(timeline, folder / "timeline.json")
    scale = 100 / iod
    place = np.array([[scale, 0, 70 - scale * size[0] / 2], [0, scale, 80 - scale * size[1] / 2]])
    write_media({}, folder / "media.npz", places={0: np.tile(place, (frames, 1, 1))})


class Page:
    """A browser's connection."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers: dict[str, str] = {}
        self._connection.request("GET", f"/?token={token}")
        answer = self._connection.getresponse()
        answer.read()
        self._headers = {"Cookie": (answer.getheader("set-cookie") or "").split(";")[0]}

    def get(self, path: str) -> bytes:
        """Return what is answered."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        return data

    def ms(self, path: str) -> float:
        """Return the milliseconds until all of the answer was there."""
        began = time.perf_counter()
        self.get(path)
        return 1000 * (time.perf_counter() - began)


@contextmanager
def serving(folder: Path) -> Iterator[Page]:
    app = create_app(folder)
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Page(listener.getsockname()[1], app.token)
    finally:
        app.app.state.queue.close()  # ends the stream that a browser listens to
        server.should_exit = True
        thread.join()
        listener.close()


def summary(times: Iterable[float]) -> dict[str, float]:
    values = sorted(times)
    return {
        "median_ms": round(statistics.median(values), 1),
        "p90_ms": round(values[int(0.9 * (len(values) - 1))], 1),
        "most_ms": round(values[-1], 1),
        "asked": len(values),
    }


def measure(folder: Path, name: str, *, steps: int, jumps: int, pause_s: float) -> dict[str, Any]:
    size, every_s, seconds = FILMS[name]
    path = folder / "film.mp4"
    make_film(path, size, seconds, every_s)
    with open_video(path) as reader:
        count = len(reader.times())
    make_results(folder / "fleeting-output" / "film", count, size, "film")
    result: dict[str, Any] = {"bytes": path.stat().st_size, "frames": count}
    with serving(folder) as page:
        film = json.loads(page.get("/api/films"))[0]["id"]
        for view in ("whole", "face"):
            base = f"/api/films/{film}/frames/"
            query = f"?view={view}&width={WIDTH}"
            first = page.ms(f"{base}0{query}")
            rng = np.random.default_rng(5)
            places = rng.integers(0, count, jumps).tolist()
            timed = {"jump": [page.ms(f"{base}{place}{query}") for place in places], "step": [], "held": []}
            middle = count // 2
            there = range(middle, min(middle + steps, count - 1))
            page.get(f"{base}{middle}{query}")
            for kind, wait in (("step", pause_s), ("held", 0.0)):
                for place in (*there, *reversed(there)):
                    time.sleep(wait)
                    timed[kind].append(page.ms(f"{base}{place}{query}"))
            result[view] = {"first_ms": round(first, 1)} | {k: summary(v) for k, v in timed.items()}
    return result


def measure_page(folder: Path) -> dict[str, float]:
    size = (1280, 720)
    made = folder / "results"
    make_results(made, MINUTES * 60 * FPS, size, "film")
    make_film(folder / "film0.mp4", size, 2, 1)
    for i in range(MANY):
        if i:
            shutil.copy(folder / "film0.mp4", folder / f"film{i}.mp4")
        (folder / "fleeting-output").mkdir(exist_ok=True)
        shutil.copytree(made, folder / "fleeting-output" / f"film{i}")
    shutil.rmtree(made)
    files = [p.relative_to(STATIC).as_posix() for p in sorted(STATIC.rglob("*")) if p.is_file()]
    paths = ["/", *(f"/static/{name}" for name in files), "/api/state", "/api/films"]
    found: dict[str, float] = {}
    for kind in ("cold", "warm"):
        with serving(folder) as page:
            found[f"{kind}_ms"] = round(sum(page.ms(path) for path in paths), 1)
            began = time.perf_counter()
            while not all(f["counts"] for f in json.loads(page.get("/api/films"))):
                time.sleep(0.05)
            found[f"{kind}_all_known_s"] = round(time.perf_counter() - began, 2)
            time.sleep(1.0)  # what is known is written down
    return found | {"files": len(files), "films": MANY}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--jumps", type=int, default=40)
    parser.add_argument("--pause", type=float, default=0.1, help="Seconds between two steps.")
    parser.add_argument("--only", default="", help="Part of the name of a film.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "workbench.json")
    options = parser.parse_args()
    films: dict[str, Any] = {}
    for name in FILMS:
        if options.only in name:
            with tempfile.TemporaryDirectory(prefix="fleeting-") as folder:
                films[name] = measure(
                    Path(folder), name, steps=options.steps, jumps=options.jumps, pause_s=options.pause
                )
            for view in ("whole", "face"):
                row = films[name][view]
                shown = ", ".join(f"{k} {row[k]['median_ms']} ms" for k in ("step", "held", "jump"))
                print(f"{name}, {view}: first {row['first_ms']} ms, {shown}")
    page = {}
    if not options.only:
        with tempfile.TemporaryDirectory(prefix="fleeting-") as folder:
            page = measure_page(Path(folder))
        print(f"page: {page}")
    reached = {
        f"{name}, {view}, {kind}": films[name][view][kind]["median_ms"] <= limit
        for name, limits in REACH_MS.items()
        if name in films
        for kind, limit in limits.items()
        for view in ("whole", "face")
    }
    if page:
        reached["page"] = max(page["cold_ms"], page["warm_ms"]) <= PAGE_REACH_MS
    command = "python benchmarks/workbench.py" + (f" --only '{options.only}'" if options.only else "")
    result = {
        "command": command,
        "processors": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "reach_ms": REACH_MS | {"page": PAGE_REACH_MS},
        "reached": reached,
        "films": films,
        "page": page,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print("not reached: " + (", ".join(k for k, v in reached.items() if not v) or "nothing"))


if __name__ == "__main__":
    main()
