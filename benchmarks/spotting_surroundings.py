"""Films of real surroundings: the measured motion of real people, as it is and with known movements put in.

The third kind of `benchmarks/spotting.py`, *real*. A judge never sees a film that it learned from: ``fleeting train
recipes/spotter.toml`` writes one without each film of a talker (``runs/spotter/without_00.onnx``, ...), and that one
judges it. What is put in is the motion of micro-expressions of SMIC and SAMM, of people who are in no training, in half
of a second and less, some of which do not come back wholly. Of a mouth that talks none is put in.

- *talkers, as they are*: nobody marked anything, and nothing was seen in them; so whatever is reported is false. The
  first seven are analysed from their videos, of the others there is the stored motion only.
- *forth and back*: half a minute made of one of the talkers; counted by itself.
- *movements put in*: the same films, three times each.
- *clips*: one movement, held still before and after it, as data sets publish them; on films of validation people,
  where ``runs/spotting_validation`` is there.

Results: ``spotting_surroundings.json``, ``.md``, ``.csv`` (a line for each film) and ``.png``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from spotting_figure import AMPLITUDES, draw_detection
from spotting_measurements import measure

from fleeting.metrics import wilson
from fleeting.settings import SpottingSettings
from fleeting.spotting.judge import Judge
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.spot import spot
from fleeting.synthesis.truth import TruthRow
from fleeting.training.spotter.courses import draw_course
from fleeting.training.spotter.examples import GAP_S, iou
from fleeting.training.spotter.films import MeasuredFilm, Times, load_films, load_real
from fleeting.training.spotter.fit import poisson_interval
from fleeting.training.spotter.patterns import Pattern, drawn, flow_patterns
from fleeting.training.spotter.surroundings import cut

VIDEOS = (
    "grid_bbaf2n.mpg",
    "grid_brbk7n.mpg",
    "grid_id2_swwp2s.mpg",
    "grid_lwbsza.mpg",
    "grid_swiz3n.mpg",
    "intel_asl_thanks.mkv",
    "intel_asl_yes.mkv",
)
"""The videos of the first films of ``real_backgrounds.npz``, whose mouths open alike to the last digit."""

FORTH_AND_BACK, ITS_TALKER = "failing/forth_and_back.mp4", 1
PEAK_PERCENT = (0.7, 4.0)
EVERY_S = 2.0
LEAST_IOU = 0.5
COPIES = 3
CLIPS = 120
SEED = {"validation": 5_000, "test": 1_000}


@dataclass
class Count:
    """Micro-expressions put in and found, with their sizes, those invented, and seconds of film."""

    film: str
    what: str
    sizes: list[tuple[float, bool]] = field(default_factory=list)
    invented: int = 0
    seconds: float = 0.0

    def row(self) -> dict[str, Any]:
        """Return the counts alone."""
        found = sum(hit for _, hit in self.sizes)
        whole = asdict(self) | {"put_in": len(self.sizes), "found": found, "seconds": round(self.seconds, 2)}
        del whole["sizes"]
        return whole


def pooled(counts: Sequence[Count], what: str) -> dict[str, Any]:
    """Count several films together, with exact Poisson intervals of what is invented in a minute."""
    chosen = [c for c in counts if c.what == what]
    sizes = [pair for c in chosen for pair in c.sizes]
    invented, seconds = sum(c.invented for c in chosen), sum(c.seconds for c in chosen)
    low, high = poisson_interval(invented)
    found = sum(hit for _, hit in sizes)
    rate = [round(60 * n / seconds, 2) for n in (invented, low, high)] if seconds else [None] * 3
    return {
        "what": what,
        "films": len(chosen),
        "seconds": round(seconds, 1),
        "put_in": len(sizes),
        "found": found,
        "found_95": [round(v, 3) for v in wilson(found, len(sizes))] if sizes else None,
        "invented": invented,
        "invented_per_minute": rate[0],
        "invented_per_minute_95": rate[1:],
    }


def put_in(
    film: MeasuredFilm, patterns: Sequence[Pattern], seed: int
) -> tuple[MeasuredFilm, list[tuple[Times, float]]]:
    """Put in a movement about every two seconds; of a mouth that talks, none."""
    rng = np.random.default_rng(seed)
    time_s = film.measured.time_s
    displacement = film.measured.displacement.astype(np.float64)
    added: list[tuple[Times, float]] = []
    for _ in range(max(1, round(float(time_s[-1]) / EVERY_S))):
        course = draw_course(rng, onset_s=float(rng.uniform(0.4, max(time_s[-1] - 0.9, 0.41))))
        onset, _, offset = course.times
        pattern = drawn(patterns, rng)
        while film.talks and pattern.lower:
            pattern = drawn(patterns, rng)
        if any(a - GAP_S < offset and onset < b + GAP_S for (a, _, b), _ in added):
            continue
        peak = float(np.exp(rng.uniform(*np.log(PEAK_PERCENT))))
        displacement += peak * course(time_s)[:, None, None] * pattern.cells
        added.append((course.times, peak))
    return replace(film, measured=replace(film.measured, displacement=displacement.astype(np.float32))), added


def clip_of(
    film: MeasuredFilm, patterns: Sequence[Pattern], seed: int
) -> tuple[MeasuredFilm, list[tuple[Times, float]]]:
    """Cut a clip to one movement, held still before and after, as data sets publish them."""
    rng = np.random.default_rng([seed, 3])
    for _ in range(40):
        course = draw_course(rng, onset_s=float(rng.uniform(0.4, film.measured.time_s[-1] - 1.2)))
        onset, apex, offset = course.times
        if not any(r.onset_s - GAP_S < offset and onset < r.offset_s + GAP_S for r in film.truth):
            break
    peak = float(np.exp(rng.uniform(*np.log(PEAK_PERCENT))))
    moved = peak * course(film.measured.time_s)[:, None, None] * drawn(patterns, rng).cells
    shown = replace(film.measured, displacement=(film.measured.displacement + moved).astype(np.float32))
    row = TruthRow("", 0, 0, 0, "micro", "", onset, apex, offset, "", "both", peak)
    clip = cut(replace(film, measured=shown, truth=(row,)), rng, share=1.0)
    return clip, [(times, peak) for times in clip.micro()]


def count(
    film: Measurements, known: Sequence[tuple[Times, float]], judge: Judge | None, *, name: str, what: str
) -> Count:
    """Spot, and compare with what is known."""
    events, _ = spot(film, SpottingSettings(), judge=judge)
    left = [e for e in events if e.kind == "micro"]
    sizes = []
    for (onset, _, offset), peak in known:
        best = max(left, key=lambda e: iou((e.onset_s, e.offset_s), (onset, offset)), default=None)
        hit = best is not None and iou((best.onset_s, best.offset_s), (onset, offset)) >= LEAST_IOU
        if best is not None and hit:
            left.remove(best)
        sizes.append((peak, hit))
    return Count(name, what, sizes, len(left), float(film.time_s[-1]))


AS_THEY_ARE, TURNED, PUT_IN, CLIP = "talkers, as they are", "forth and back", "movements put in", "clips"


def run_real(options: argparse.Namespace) -> list[Count]:
    """Spot in all films of the third kind."""
    part, seed = options.part, SEED[options.part]
    patterns = flow_patterns(options.data / "composite_flow_three_labs.npz", part)
    videos, counts = options.data / "videos", list[Count]()
    for place, film in enumerate(load_real(options.data / "real_backgrounds.npz")):
        if not film.talks:
            continue
        judge = Judge(network=options.judges / f"without_{film.real}.onnx")
        shown = film
        if place < len(VIDEOS):
            shown = replace(film, measured=measure(videos / "talkers" / VIDEOS[place]))
        counts.append(count(shown.measured, [], judge, name=film.real, what=AS_THEY_ARE))
        for copy in range(COPIES):
            busy, known = put_in(shown, patterns, seed + 100 * place + copy)
            counts.append(count(busy.measured, known, judge, name=film.real, what=PUT_IN))
        if place == ITS_TALKER:
            turned = measure(videos / FORTH_AND_BACK)
            counts.append(count(turned, [], judge, name=film.real, what=TURNED))
        print(film.real, counts[-1].row(), flush=True)
    if (options.measured / "films.csv").exists():
        films = load_films(options.measured)
        for number in range(CLIPS):
            clip, known = clip_of(films[number % len(films)], patterns, seed + number)
            counts.append(count(clip.measured, known, None, name=f"clip {number}", what=CLIP))
    return counts


def detection(counts: Sequence[Count], what: str) -> list[dict[str, Any]]:
    """Share found in each bin of size, as `spotting_figure.detection_table` gives it."""
    sizes = [pair for c in counts if c.what == what for pair in c.sizes]
    bins = []
    for low, high in zip(AMPLITUDES, AMPLITUDES[1:], strict=False):
        hits = [hit for size, hit in sizes if low <= size < high]
        least, most = wilson(sum(hits), len(hits))
        rate = sum(hits) / len(hits) if hits else None
        bins.append({"events": len(hits), "found": sum(hits), "rate": rate, "low": least, "high": most})
    return bins


def write_real(counts: Sequence[Count], options: argparse.Namespace, out: Path) -> None:
    """Write table, list, picture."""
    kinds = list(dict.fromkeys(c.what for c in counts))
    rows = [pooled(counts, what) for what in kinds]
    shown = {what: {"all": detection(counts, what)} for what in kinds if any(c.sizes for c in counts if c.what == what)}
    command = " ".join(["python benchmarks/spotting.py", *sys.argv[1:]])
    found = {"command": command, "part": options.part, "rows": rows, "detection": shown}
    (out / "spotting_surroundings.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    lines = [
        "# Spotting in real surroundings",
        "",
        f"Command: `{command}`. Measured motion of real people who talk, each film judged by a network that never saw",
        f"it; motion of micro-expressions of {options.part} people of SMIC and SAMM is put in. IoU >= 0.5; in brackets",
        "exact 95 % intervals (Poisson of what is invented in a minute), Wilson's of the share that is found.",
        "",
        "| films | seconds | invented | invented a minute | found of those put in |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row["invented_per_minute_95"]
        share = "-"
        if row["put_in"]:
            share = f"{row['found']} of {row['put_in']} ({row['found_95'][0]:.2f}-{row['found_95'][1]:.2f})"
        lines.append(
            f"| {row['what']} ({row['films']}) | {row['seconds']:.0f} | {row['invented']} "
            f"| {row['invented_per_minute']:.1f} ({low:.1f}-{high:.1f}) | {share} |"
        )
    text = "\n".join(lines) + "\n"
    (out / "spotting_surroundings.md").write_text(text, encoding="utf-8")
    with (out / "spotting_surroundings.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(counts[0].row()))
        writer.writeheader()
        writer.writerows(c.row() for c in counts)
    if shown:
        draw_detection(shown, out / "spotting_surroundings.png")
    print(text)
