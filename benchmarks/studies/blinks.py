"""Films of eyes that close and of eyes that only narrow, on which the confidence of blinks is fitted and measured.

    nice -n 10 python benchmarks/studies/blinks.py --part train --films 60 --out runs/blinks_train
    nice -n 10 python benchmarks/studies/blinks.py --part validation --films 30 --out runs/blinks_validation

A film of 7 s shows blinks (whole, half, double), winks, squints, frowns, smiles that narrow the eyes, raised brows,
looks down, and eyes that stay shut, at 25 to 100 frames/s, behind noise and compression. People are those of one part
of `training.people`. Only the measurements and the truth are kept.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fleeting.errors import FleetingError
from fleeting.synthesis import render
from fleeting.synthesis.camera import CameraSettings
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face import profile
from fleeting.synthesis.face.action_units import Activation
from fleeting.synthesis.face.disturbances import Disturbances, HeadTurn, Saccade, draw_speech
from fleeting.synthesis.face.head import HeadSettings
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile

sys.path.append(str(Path(__file__).resolve().parents[1]))
from sitters import sitters
from spotting_measurements import measure, save_measurements

RATES = (25.0, 25.0, 30.0, 30.0, 50.0, 60.0, 100.0)
SECONDS = 7.0
NARROWING = {
    "squint": (Activation("AU07"),),
    "hard squint": (Activation("AU06"), Activation("AU07"), Activation("AU04", weight=0.6)),
    "frown": (Activation("AU04"), Activation("AU07", weight=0.4)),
    "smile": (Activation("AU06"), Activation("AU12")),
    "nose": (Activation("AU09"), Activation("AU07", weight=0.5)),
    "brows": (Activation("AU01"), Activation("AU02")),
}
EYES = ("blink", "blink", "blink", "half", "double", "wink", "wink", "slow", "shut")


def course(rng: np.random.Generator, onset_s: float, kind: str) -> Profile:
    """How long a movement of a kind lasts."""
    if kind in ("blink", "half", "double"):
        return profile.draw("blink", rng, onset_s=onset_s)
    if kind == "wink":
        drawn = profile.draw("wink", rng, onset_s=onset_s)
        return replace(drawn, offset_s=drawn.offset_s + (held := float(rng.uniform(0, 0.2))), hold_s=held)
    if kind == "slow":
        return profile.draw("blink", rng, onset_s=onset_s, range_s=(0.4, 0.75))
    length = float(rng.uniform(1.2, 3.0) if kind == "shut" else rng.uniform(0.25, 1.6))
    hold = float(rng.uniform(0.8, 0.9) if kind == "shut" else rng.uniform(0, 0.6)) * length
    rise = float(rng.uniform(0.35, 0.65)) * (length - hold)
    return Profile(onset_s, onset_s + rise, onset_s + length, hold)


def draw(rng: np.random.Generator) -> tuple[list[tuple[str, Movement]], Disturbances]:
    """Draw what happens in a film, in order, and looks, speech and turns of the head beside it."""
    found: list[tuple[str, Movement]] = []
    now = 0.4
    if rng.random() < 0.12:  # the film begins with shut eyes
        found.append(("shut", Movement("blink", Profile(-1.0, -0.9, now := float(rng.uniform(1.2, 2.5)), now + 0.7))))
    while now < SECONDS - 1.0:
        narrow = rng.random() < 0.45
        kind = str(rng.choice(sorted(NARROWING) if narrow else EYES))
        when = course(rng, now + float(rng.uniform(0.05, 0.6)), kind)
        if when.offset_s > SECONDS - 0.1:
            break
        now = when.offset_s
        if narrow:
            peak = float(np.exp(rng.uniform(np.log(1.5), np.log(5.5))))
            found.append((kind, Movement("macro", when, NARROWING[kind], peak)))
            if rng.random() < 0.3 and when.hold_s > 0.25:  # a blink within a squint
                inside = profile.draw("blink", rng, onset_s=when.apex_s, range_s=(0.12, 0.25))
                found.append(("blink", Movement("blink", inside)))
        elif kind == "wink":
            side = "left" if rng.random() < 0.5 else "right"
            found.append(("wink", Movement("wink", when, side=side, closure=float(rng.uniform(0.75, 1.0)))))
            if rng.random() < 0.7:  # who winks narrows that eye, often the cheek rises too
                units = (Activation("AU07", side), Activation("AU06", side, float(rng.uniform(0.3, 1.0))))
                found.append(("cheek", Movement("macro", when, units, float(rng.uniform(1, 3)))))
        else:
            closure = float(rng.uniform(0.3, 0.7)) if kind == "half" else 1.0
            found.append((kind, Movement("blink", when, closure=closure)))
            if kind == "double":
                gap = when.last_s - when.first_s + float(rng.uniform(0.03, 0.2))
                again = Profile(when.onset_s + gap, when.apex_s + gap, when.offset_s + gap)
                found.append((kind, Movement("blink", again)))
                now = again.offset_s
    looks, at, away = [], float(rng.exponential(1.5)), False
    while at < SECONDS:
        across, down = (0.0, 0.0) if away else (float(rng.normal(0, 2)), float(rng.normal(1.0, 2.5)))
        looks.append(Saccade(at, 0.05, across, down))
        at, away = at + 0.25 + float(rng.exponential(1.0)), not away
    speech = (draw_speech(rng, start_s=float(rng.uniform(0.3, 3.5)), seconds=3.0, percent_iod=3.0),)
    turns = (HeadTurn(float(rng.uniform(0, 5.5)), 0.5, float(rng.normal(0, 6)), float(rng.normal(0, 6))),)
    return found, Disturbances(
        saccades=tuple(looks) if rng.random() < 0.7 else (),
        speech=speech if rng.random() < 0.5 else (),
        turns=turns if rng.random() < 0.5 else (),
    )


def main() -> None:
    """Film, measure, keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--part", choices=("train", "validation"), default="train", help="never the test people")
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/blinks_train"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    render.DRAWING_THREADS = 1
    options.out.mkdir(parents=True, exist_ok=True)
    people = sitters(options.data, options.part, congress=60 if options.part == "train" else 0)
    for number in range(options.first, options.first + options.films):
        path = options.out / f"{number:04d}.mp4"
        if path.with_suffix(".npz").exists():
            continue
        rng = np.random.default_rng([31, options.part == "train", number])
        sitter = people[int(rng.integers(len(people)))]
        iod = float(rng.uniform(50, 120))
        movements, disturbances = draw(rng)
        clip = PortraitClip(
            sitter.picture,
            sitter.points,
            movements=[m for _, m in movements],
            settings=ClipSettings(
                fps=float(rng.choice(RATES)),
                seconds=SECONDS,
                width=2 * round(1.2 * iod),
                height=2 * round(1.4 * iod),
                iod_px=iod,
                head=HeadSettings().times(float(rng.uniform(0.3, 1.5))),
                camera=CameraSettings(read_noise=float(rng.uniform(0.3, 1.5)), shot_noise=float(rng.uniform(0.3, 1.5))),
            ),
            disturbances=disturbances,
            seed=number,
        )
        size, crf = (clip.settings.width, clip.settings.height), float(rng.uniform(15, 27))
        try:
            with render.VideoWriter(path, fps=clip.settings.fps, size=size, crf=crf) as film:
                for picture in clip.frames():
                    film.write(picture)
            measured = measure(path)
        except FleetingError as error:  # no face, or movements that add up to more than skin can do
            print(f"{number:04d} left out: {error}", flush=True)
            continue
        finally:
            path.unlink(missing_ok=True)
        with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as table:
            rows = csv.writer(table)
            rows.writerow(["what", "kind", "side", "closure", "onset_s", "apex_s", "offset_s"])
            for what, m in movements:
                p = m.profile
                rows.writerow([what, m.kind, m.side, m.closure, p.onset_s, p.apex_s, p.offset_s])
        save_measurements(path.with_suffix(".npz"), measured, fps=clip.settings.fps)
        print(f"{number:04d} {sitter.name} {clip.settings.fps:g} frames/s", flush=True)


if __name__ == "__main__":
    main()
