"""What damaged files and kills do: ``python benchmarks/robustness.py``.

Three campaigns, drawn by a seed. Films of seven kinds and files of others (tables, timelines, pictures, settings,
networks) have bytes changed, cut out or repeated; of archives, also what is packed in them, so that the damage is
behind a sound checksum. Each is either read or refused with an error that names the file; an "error in Fleeting
itself", a death of the process, or a minute without an end is a failure. Analyses are killed with signal 9 at a drawn
frame (and once in three with two processes at work); the same command then has to give the files that an
uninterrupted one gives, and no process may be left. Writes ``results/robustness.json``; exit status 1 where anything
failed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from fleeting.errors import FleetingError, FleetingWarning
from fleeting.scale.executor import Outcome, run
from fleeting.scale.job import Job
from fleeting.scale.process_pool import ProcessPool

SLOW_S = 60
FPS, FRAMES = 50, 60
CONTAINERS = {
    "mp4": "libx264",
    "mkv": "libx264",
    "avi": "mjpeg",
    "ts": "mpeg2video",
    "mpg": "mpeg1video",
    "webm": "libvpx",
    "mov": "mpeg4",
}


@lru_cache
def pictures() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Draw the demonstration's portrait with one smile, 192 x 192."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile

    smile = Movement("micro", Profile(0.4, 0.55, 0.8), activations_of("happiness"), 4.0, "happiness")
    settings = ClipSettings(fps=FPS, seconds=FRAMES / FPS, width=192, height=192, iod_px=60)
    clip = PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=[smile], settings=settings, seed=1)
    return [clip.frame(index) for index in range(FRAMES)]


def film(path: Path, *, frames: int = FRAMES, codec: str = "libx264") -> Path:
    """Write the first pictures as a film."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = 192, 192
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for picture in pictures()[:frames]:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def damaged(data: bytes, draw: np.random.Generator) -> bytes:
    """Change, cut or repeat some bytes."""
    out = bytearray(data)
    for _ in range(int(draw.integers(1, 4))):
        place, length = (int(v) for v in draw.integers(0, max(len(out), 1), 2))
        kind = draw.integers(0, 5)
        if kind == 0:
            del out[place:]
        elif kind == 1:
            out[place : place + length % 500] = b""
        elif kind == 2:
            out[place:place] = out[place : place + length % 500]
        elif kind == 3:
            out[place : place + length % 200] = bytes(length % 200)
        else:
            for where in draw.integers(0, max(len(out), 1), 1 + length % 300):
                if where < len(out):
                    out[where] = draw.integers(0, 256)
    return bytes(out)


def repacked(data: bytes, draw: np.random.Generator) -> bytes:
    """Damage one file in an archive, and pack it again with a checksum that fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    chosen = sorted(entries)[int(draw.integers(0, len(entries)))]
    entries[chosen] = damaged(entries[chosen], draw)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def read_timeline(path: Path) -> None:
    """Read a timeline and build its report, as ``fleeting report`` does."""
    from fleeting.export.media import read_faces, read_media
    from fleeting.export.timeline_json import read_timeline
    from fleeting.report.build import build_report

    timeline = read_timeline(path / "timeline.json")
    media, faces = read_media(path / "media.npz"), read_faces(path / "media.npz")
    build_report(timeline, media, path / "report.html", faces=faces)


def read_composite(path: Path) -> None:
    from fleeting.datasets import composite

    composite.read(path / "flow.npz")


def read_faces_npz(path: Path) -> None:
    from fleeting.datasets import fer2013

    fer2013.read(path / "faces.npz")


def read_faces_csv(path: Path) -> None:
    from fleeting.datasets import fer2013

    fer2013.read(path / "faces.csv")


def read_landmarks(path: Path) -> None:
    from fleeting.evaluation.landmarks import evaluate_landmarks

    evaluate_landmarks(path / "points.npz", out=path / "out", detect=lambda grey: [])


def read_excel(path: Path) -> None:
    from fleeting.datasets.tables import read_table

    read_table(path / "table.xlsx", needs=[["Subject"], ["Filename"]])


def read_manifest(path: Path) -> None:
    from fleeting.datasets.manifest_files import read_manifest

    read_manifest(path / "manifest.csv")


def read_truth(path: Path) -> None:
    from fleeting.synthesis.truth import read_truth

    read_truth(path / "truth.csv")


def read_settings(path: Path) -> None:
    from fleeting.settings import AnalyseSettings, load

    load(AnalyseSettings, path / "settings.toml")


def read_network(path: Path) -> None:
    """Open a network of one's own; the checksum in its card is made to fit."""
    from fleeting import weights

    card = path / "net.json"
    text = card.read_bytes()
    if b"SUM" in text:
        card.write_bytes(text.replace(b"SUM", weights.checksum(path / "net.onnx").encode()))
    weights.session("net", folder=path)


TABLES: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "timeline": (read_timeline, ("timeline.json",)),
    "curves": (read_timeline, ("timeline.npz",)),
    "media": (read_timeline, ("media.npz",)),
    "flow images": (read_composite, ("flow.npz",)),
    "faces npz": (read_faces_npz, ("faces.npz",)),
    "faces csv": (read_faces_csv, ("faces.csv",)),
    "landmarks": (read_landmarks, ("points.npz",)),
    "excel": (read_excel, ("table.xlsx",)),
    "manifest": (read_manifest, ("manifest.csv",)),
    "truth": (read_truth, ("truth.csv",)),
    "settings": (read_settings, ("settings.toml",)),
    "network": (read_network, ("net.onnx", "net.json")),
}
"""By kind: how it is read, and the files that are damaged."""


def originals(folder: Path, clip: Path) -> None:
    """Write a sound file of each kind of `TABLES`."""
    import openpyxl

    from fleeting import analyse, weights
    from fleeting.datasets.manifest import COLUMNS
    from fleeting.settings import AnalyseSettings, to_toml

    timeline = analyse(clip, out=folder / "analysis", formats=["report"])
    for name in ("timeline.json", "timeline.npz", "media.npz"):
        (folder / name).write_bytes((folder / "analysis" / clip.stem / name).read_bytes())
    assert timeline.events
    names = {name: np.array(["a", "b", "c"]) for name in ("subject", "clip", "dataset")}
    np.savez_compressed(folder / "flow.npz", flow=np.zeros((3, 28, 28, 3), np.uint8), label=np.arange(3), **names)
    grey = np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8)
    sheet = cv2.imencode(".webp", grey, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].reshape(-1)
    np.savez_compressed(folder / "faces.npz", webp=sheet, offsets=np.array([0, len(sheet)]), emotion=np.arange(4))
    jpeg = cv2.imencode(".jpg", grey)[1].reshape(-1)
    points = np.full((1, 68, 2), 40, np.float32)
    np.savez_compressed(folder / "points.npz", jpeg=jpeg, offsets=np.array([0, len(jpeg)]), landmarks=points)
    rows = "".join(f"{n % 7},{' '.join(map(str, grey[:48, :48].ravel()))},Training\n" for n in range(4))
    (folder / "faces.csv").write_text("emotion,pixels,Usage\n" + rows)
    book = openpyxl.Workbook()
    for row in (("Subject", "Filename", "Onset"), ("01", "EP02", 3), ("02", "EP03", 5.5)):
        book.active.append(row)
    book.save(folder / "table.xlsx")
    cells = {"dataset": "x", "subject": "s1", "clip": "c1", "path": "p", "fps": "200", "onset": "1", "offset": "9"}
    cells |= {"emotion": "happiness", "type": "micro", "first_number": "1"}
    table = ",".join(COLUMNS) + "\n" + ",".join(cells.get(name, "") for name in COLUMNS) + "\n"
    (folder / "manifest.csv").write_text(table)
    (folder / "truth.csv").write_text("file,onset,apex,offset,kind,emotion\na.mp4,3,5,9,micro,happiness\n" * 2)
    (folder / "settings.toml").write_text(to_toml(AnalyseSettings()))
    (folder / "net.onnx").write_bytes((weights.folder() / "deep_emotion.onnx").read_bytes())
    (folder / "net.json").write_text('{"name": "net", "sha256": "SUM"}')


def try_one(job: Job, shared: None) -> dict[str, Any]:
    """Read one damaged film or file, in a process of its own."""
    from fleeting.analysis.analyse import analyse_video

    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError))
    signal.alarm(SLOW_S)
    path = Path(job.content["path"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if job.content["kind"] == "film":
                analyse_video(path, pictures=False)
            else:
                TABLES[job.content["kind"]][0](path)
    except FleetingError as error:
        named = any(name in str(error) for name in job.content["names"])
        return {"outcome": "refused" if named or job.content["kind"] == "settings" else f"not named: {error}"}
    except TimeoutError:
        return {"outcome": "no end"}
    except Exception as error:
        return {"outcome": f"error in Fleeting itself: {type(error).__name__}: {error}"[:300]}
    finally:
        signal.alarm(0)
    return {"outcome": "read"}


def campaign(jobs: list[Job], workers: int) -> dict[str, Any]:
    """Try all and count what became of each."""
    counts: Counter[str] = Counter()
    failed: list[str] = []

    def done(outcome: Outcome) -> None:
        said = outcome.result["outcome"] if outcome.result is not None else f"died: {outcome.error}"
        counts[said.split(":")[0]] += 1
        if said not in ("read", "refused"):
            failed.append(f"{outcome.job.name}: {said}")

    with warnings.catch_warnings(action="ignore", category=FleetingWarning):
        run(jobs, try_one, engine=ProcessPool(workers=workers), on_done=done)
    return {"tried": len(jobs), **dict(sorted(counts.items())), "failures": sorted(failed)}


def films(folder: Path, count: int, seed: int, workers: int) -> dict[str, Any]:
    sound = [film(folder / f"sound.{kind}", frames=30, codec=codec).read_bytes() for kind, codec in CONTAINERS.items()]
    jobs = []
    for number in range(count):
        kind = list(CONTAINERS)[number % len(CONTAINERS)]
        path = folder / f"film{number}.{kind}"
        path.write_bytes(damaged(sound[number % len(sound)], np.random.default_rng((seed, 0, number))))
        jobs.append(Job("film", {"kind": "film", "path": str(path), "names": [path.name]}, name=path.name))
    return campaign(jobs, workers)


def tables(folder: Path, count: int, seed: int, workers: int) -> dict[str, Any]:
    whole = folder / "whole"
    whole.mkdir()
    originals(whole, film(folder / "clip.mp4"))
    jobs = []
    for number in range(count):
        draw = np.random.default_rng((seed, 1, number))
        kind = list(TABLES)[number % len(TABLES)]
        place = folder / f"table{number}"
        place.mkdir()
        for file in (f for f in whole.iterdir() if f.is_file()):
            os.link(file, place / file.name)
        name = TABLES[kind][1][number // len(TABLES) % len(TABLES[kind][1])]
        data = (whole / name).read_bytes()
        inside = name.endswith((".npz", ".xlsx")) and draw.random() < 0.5
        (place / name).unlink()
        (place / name).write_bytes(repacked(data, draw) if inside else damaged(data, draw))
        names = list({*TABLES[kind][1], "media.npz" if kind in ("timeline", "curves") else name})
        jobs.append(Job("table", {"kind": kind, "path": str(place), "names": names}, name=f"{number} {kind}"))
    return campaign(jobs, workers)


KILLED = """
import os, signal, sys
from fleeting.analysis import first_look, kept_look
frame, kept_look.KEEP_S = int(sys.argv.pop(1)), 0.05
true = first_look.FirstLook.follow
def add(self, shown, seen):
    if shown.index == frame:
        os.kill(os.getpid(), signal.SIGKILL)
    true(self, shown, seen)
first_look.FirstLook.follow = add
from fleeting.cli import main
main()
"""
DATED = ("run.json", "events.eaf", "events.boris", "boris_events.csv")
"""These hold the day, or sums of what does."""


def kills(folder: Path, count: int, seed: int) -> dict[str, Any]:
    if not count:
        return {"tried": 0, "failures": []}
    clip = film(folder / "clip.mp4")
    second = folder / "second.mp4"
    second.write_bytes(clip.read_bytes())
    program = [sys.executable, "-m", "fleeting", "analyse"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*program, str(clip), str(second), "--out", str(folder / "whole")], check=True, **quiet)
    begun = time.perf_counter()
    subprocess.run([*program, str(clip), str(second), "--out", str(folder / "timed"), "--jobs", "2"], **quiet)
    lasts = time.perf_counter() - begun
    failures, counts = [], Counter[str]()
    for number in range(count):
        draw = np.random.default_rng((seed, 2, number))
        out = folder / f"out{number}"
        if number % 3:
            words = ["analyse", str(clip), "--out", str(out)]
            done = subprocess.run([sys.executable, "-c", KILLED, str(draw.integers(0, FRAMES)), *words], **quiet)
            dead = done.returncode == -signal.SIGKILL
        else:
            words = ["analyse", str(clip), str(second), "--out", str(out), "--jobs", "2"]
            process = subprocess.Popen([sys.executable, "-m", "fleeting", *words], **quiet)
            time.sleep(float(draw.uniform(0.2, lasts)))
            process.kill()
            dead = process.wait() == -signal.SIGKILL
        counts["killed" if dead else "ended before"] += 1
        half = [p.name for p in out.glob("*") if not p.name.startswith(".") and not (p / "run.json").exists()]
        again = subprocess.run([sys.executable, "-m", "fleeting", *words], capture_output=True, text=True, check=False)
        names = sorted(p.name for p in out.iterdir())
        same = names == (["clip"] if number % 3 else ["clip", "second"]) and all(
            (out / name / file.name).read_bytes() == file.read_bytes()
            for name in names
            for file in (folder / "whole" / name).iterdir()
            if file.name not in DATED
        )
        if again.returncode or half or not same:
            failures.append(f"kill {number}: status {again.returncode}, halves {half}, left {names}, same {same}")
    return {"tried": count, **dict(sorted(counts.items())), "same results": count - len(failures), "failures": failures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=300)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results" / "robustness.json")
    options = parser.parse_args()
    found: dict[str, Any] = {"command": "python benchmarks/robustness.py", "seed": options.seed}
    for name, count in (("films", options.films), ("tables", options.tables), ("kills", options.kills)):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            if name == "kills":
                found[name] = kills(folder, count, options.seed)
            else:
                how = films if name == "films" else tables
                found[name] = how(folder, count, options.seed, options.jobs)
        print(name, {k: v for k, v in found[name].items() if k != "failures"}, *found[name]["failures"], sep="\n  ")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if any(found[name]["failures"] for name in ("films", "tables", "kills")):
        sys.exit(1)


if __name__ == "__main__":
    main()
