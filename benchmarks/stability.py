"""How often what was found in a film is found again in a copy of it.

    python benchmarks/stability.py                             # a few minutes
    python benchmarks/stability.py --films 2 --drawn 0 --out runs/stability

The films: those of people who talk and the smile of the shared data, in which nobody marked anything, and drawn films
of validation people whose movements are known. The copies of each:

- *rounds*: forth and back, several times over. What was found in one round is looked for in the other rounds of its
  direction; the first and the last one, whose other side was never filmed, are left out.
- *crf 10 to 28*: written anew with H.264; *mirror image*; *half the size*.
- *later start*: the first tenths of a second are missing; what lies within `EDGE_S` of the start is left out.

An event is found again where one of the same kind covers more than half of the shorter of the two. Results, by kind,
copy and confidence: ``stability.json`` and ``stability.md``. Nothing is judged right or wrong here: a false alarm that
comes again each time is stable. Of the drawn films it is also counted how many of the known movements are found.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sitters import sitters
from spotting_measurements import measure

from fleeting.errors import FleetingError
from fleeting.records import Event
from fleeting.spotting.spot import spot
from fleeting.synthesis import render
from fleeting.synthesis.film_plan import SetSettings
from fleeting.synthesis.sets import make_set
from fleeting.synthesis.truth import read_truth
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter

Pictures = list[np.ndarray]
Spot = Callable[[Path], list[Event]]

CRF = 16
RATES = (10, 19, 23, 28)
SHIFTS_S = (0.15, 0.4, 0.7)
ROUNDS = 8
"""Half of them backwards."""

EDGE_S = 0.7
"""Half of the window of rest for micro-expressions."""

BINS = (0.0, 0.8, 0.9, 0.95, 0.975, 1.0)
"""Borders of the confidences."""

SEED = 7_000


@dataclass(frozen=True)
class Trial:
    """One event that was looked for in one copy."""

    film: str
    copy: str
    kind: str
    confidence: float
    again: bool


def again(event: Event, others: Sequence[Event], *, later_s: float = 0.0) -> bool:
    """Whether one of the others, whose clock is `later_s` ahead, is this event."""

    def same(other: Event) -> bool:
        both = min(event.offset_s, other.offset_s + later_s) - max(event.onset_s, other.onset_s + later_s)
        shorter = min(event.offset_s - event.onset_s, other.offset_s - other.onset_s)
        return other.kind == event.kind and both > 0.5 * shorter

    return any(same(other) for other in others)


def write(path: Path, pictures: Sequence[np.ndarray], fps: float, *, crf: int = CRF) -> Path:
    """Write a copy, its size rounded down to even numbers."""
    height, width = (side // 2 * 2 for side in pictures[0].shape[:2])
    with VideoWriter(path, fps=fps, size=(width, height), crf=crf, preset="veryfast") as film:
        for picture in pictures:
            film.write(np.ascontiguousarray(picture[:height, :width]))
    return path


def in_rounds(name: str, pictures: Pictures, fps: float, folder: Path, spotted: Spot) -> list[Trial]:
    """Look for what was found in one round in each other one of its direction."""
    halves = [pictures if k % 2 == 0 else pictures[::-1] for k in range(ROUNDS)]
    events = spotted(write(folder / "rounds.mp4", [one for half in halves for one in half], fps))
    lasts = len(pictures) / fps
    of_round = [[e for e in events if k * lasts <= e.apex_s < (k + 1) * lasts] for k in range(ROUNDS)]
    inner = range(1, ROUNDS - 1)
    return [
        # The border between two rounds may fall on either side of an apex, so all events are asked.
        Trial(name, "rounds", e.kind, e.confidence, again(e, events, later_s=(k - other) * lasts))
        for k in inner
        for other in inner
        if other != k and (other - k) % 2 == 0
        for e in of_round[k]
    ]


def in_copies(name: str, pictures: Pictures, fps: float, folder: Path, spotted: Spot) -> list[Trial]:
    """Look for what was found in a film in its copies, and the other way round."""
    trials: list[Trial] = []
    first = spotted(write(folder / "copy.mp4", pictures, fps))

    def compare(copy: str, shown: Pictures, *, crf: int = CRF, later_s: float = 0.0) -> None:
        try:
            events = spotted(write(folder / "copy.mp4", shown, fps, crf=crf))
        except FleetingError as error:
            print(f"{name}, {copy}: {error}", flush=True)
            return
        for found, others, ahead in ((first, events, later_s), (events, first, -later_s)):
            starts = later_s if found is first else 0.0
            kept = [e for e in found if later_s == 0 or e.onset_s >= starts + EDGE_S]
            trials.extend(Trial(name, copy, e.kind, e.confidence, again(e, others, later_s=ahead)) for e in kept)

    for crf in RATES:
        compare(f"crf {crf}", pictures, crf=crf)
    compare("mirror image", [np.ascontiguousarray(one[:, ::-1]) for one in pictures])
    compare("half the size", [cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for one in pictures])
    for shift in SHIFTS_S:
        frames = round(shift * fps)
        compare("later start", pictures[frames:], later_s=frames / fps)
    return trials


def spotted(path: Path) -> list[Event]:
    """Return the events of a film's largest face."""
    return spot(measure(path))[0]


def row(trials: Sequence[Trial]) -> dict[str, float | int | None]:
    """Count how many were found again."""
    found = sum(t.again for t in trials)
    return {"looked_for": len(trials), "again": found, "share": round(found / len(trials), 3) if trials else None}


def summary(trials: Sequence[Trial]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """Shares by kind: in all copies, by copy, by confidence."""
    result: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for kind in ("micro", "macro", "blink"):
        own = [t for t in trials if t.kind == kind]
        parts = {"all": own} | {copy: [t for t in own if t.copy == copy] for copy in dict.fromkeys(t.copy for t in own)}
        for low, high in zip(BINS, BINS[1:], strict=False):
            chosen = [t for t in own if low <= t.confidence < high or t.confidence == high == 1]
            if chosen:
                parts[f"confidence {low:g} to {high:g}"] = chosen
        result[kind] = {part: row(chosen) for part, chosen in parts.items()}
    return result


def drawn_films(
    options: argparse.Namespace, folder: Path
) -> tuple[list[Path], dict[str, list[tuple[str, float, float]]]]:
    """Draw films, and return them with kind, onset and offset of what moves in each."""
    if not options.drawn:
        return [], {}
    people = sitters(options.data, "validation")[: options.drawn]
    settings = SetSettings(kind="hard", fps=30.0, clips=options.drawn, seed=SEED, quiet_every=options.drawn + 1)
    make_set(folder, people, settings)
    truth: dict[str, list[tuple[str, float, float]]] = {}
    for one in read_truth(folder / "truth.csv"):
        truth.setdefault(one.file, []).append((one.kind, one.onset_s, one.offset_s))
    return sorted(folder.glob("*.mp4")), truth


def known_found(events: Sequence[Event], truth: Sequence[tuple[str, float, float]]) -> list[tuple[str, bool]]:
    """Whether each known movement was found, as its kind."""
    return [
        (kind, any(e.kind == kind and min(e.offset_s, b) - max(e.onset_s, a) > 0.5 * (b - a) for e in events))
        for kind, a, b in truth
    ]


def run(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Copy and spot."""
    videos = options.data / "videos"
    films = [videos / "single_face.mp4", *sorted((videos / "talkers").glob("*.m*"))]
    films = [path for path in films if path.exists()][: options.films]
    drawn, truth = drawn_films(options, folder / "drawn")
    trials: dict[str, list[Trial]] = {"real": [], "drawn": []}
    counts: dict[str, dict[str, int]] = {}
    known: list[tuple[str, bool]] = []
    for path in [*films, *drawn]:
        with open_video(path) as reader:
            fps = float(reader.info.fps)
            pictures = [frame.rgb.copy() for frame in reader]
        found = in_rounds(path.name, pictures, fps, folder, spotted) + in_copies(
            path.name, pictures, fps, folder, spotted
        )
        trials["drawn" if path in drawn else "real"] += found
        events = spotted(path)
        counts[path.name] = {kind: sum(e.kind == kind for e in events) for kind in ("micro", "macro", "blink")}
        known += known_found(events, truth.get(path.name, []))
        shares = {kind: parts["all"] for kind, parts in summary(found).items()}
        print(f"{path.name}: {counts[path.name]}, {shares}", flush=True)
    return {
        "command": " ".join(["python benchmarks/stability.py", *sys.argv[1:]]),
        "found_in_the_films": counts,
        "known_movements": {
            kind: {"found": sum(f for k, f in known if k == kind), "of": sum(k == kind for k, _ in known)}
            for kind in ("micro", "macro", "blink")
        },
        **{name: summary(some) for name, some in trials.items()},
    }


def table(results: dict[str, object]) -> str:
    """Markdown tables of the results."""
    lines = [
        "# How often an event is found again in copies of its film",
        "",
        f"Command: `{results['command']}`. What is looked for, what counts as found and how the copies are made: "
        "`benchmarks/stability.py`. This says nothing of right or wrong: a false alarm that comes each time is stable.",
        "",
    ]
    for name, about in (("real", "Real people, nothing marked"), ("drawn", "Drawn films of validation people")):
        lines += [f"{about}:", "", "| kind | copies | looked for | found again | share |", "|---|---|---|---|---|"]
        for kind, parts in results[name].items():  # type: ignore[attr-defined]
            for part, counted in parts.items():
                share = "-" if counted["share"] is None else f"{counted['share']:.2f}"
                lines.append(f"| {kind} | {part} | {counted['looked_for']} | {counted['again']} | {share} |")
        lines.append("")
    known = results["known_movements"].items()  # type: ignore[attr-defined]
    lines.append(
        "Known movements found in the drawn films: " + ", ".join(f"{k} {v['found']} of {v['of']}" for k, v in known)
    )
    lines += ["", "| film | micro | macro | blink |", "|---|---|---|---|"]
    for film, counted in results["found_in_the_films"].items():  # type: ignore[attr-defined]
        lines.append(f"| `{film}` | {counted['micro']} | {counted['macro']} | {counted['blink']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Copy, spot, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--films", type=int, default=8, help="real films")
    parser.add_argument("--drawn", type=int, default=3, help="drawn films")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    render.DRAWING_THREADS = 1
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        results = run(options, Path(folder))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "stability.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (options.out / "stability.md").write_text(table(results), encoding="utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
