"""How well cuts are found, and whether anyone's face is taken for another's after one.

    python benchmarks/cuts.py --data ../shared/data [--uncut FILM ...]

Films of real talkers are joined in pairs at random places: hard cuts, cuts between smaller pictures in front of one
background, and dissolves. Uncut films, as they are and with flashes, lamps, shakes, hands and dropped frames drawn into
them, must show none. Where a person comes back after another one, ids are compared. Writes
``benchmarks/results/cuts.json``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.cuts import CutFinder
from fleeting.faces.detect import FaceDetector
from fleeting.faces.looks import sightings
from fleeting.faces.track import Tracker
from fleeting.video.frame import Frame
from fleeting.video.reader import open_video

Grey = npt.NDArray[np.uint8]
FPS = 25.0
SIZE = (360, 288)
LONG = 20
DISSOLVES = (5, 10)
DROPPED = (3, 6)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description="Measure how well cuts are found.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--uncut", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/cuts.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    videos = options.data / "videos"
    detector = FaceDetector()
    rng = np.random.default_rng(0)
    results: dict[str, object] = {}
    uncut = [*sorted((videos / "talkers").iterdir()), videos / "single_face.mp4", *options.uncut]
    uncut += [p for p in sorted((videos / "failing").iterdir()) if p.stem in ("large_face", "lying", "forth_and_back")]
    frames, false, seconds = 0, 0, 0.0
    for path in uncut:
        with open_video(path) as reader:
            film = [Frame(f.index, f.time_s, f.grey) for f in itertools.islice(reader, 700)]
        began = time.process_time()
        found = cuts_of(film, detector)
        seconds += time.process_time() - began
        frames, false = frames + len(film), false + len(found)
        if found:
            print(f"false: {path} {found}")
    cost = round(1000 * seconds / frames, 3)
    results["uncut"] = {"films": len(uncut), "frames": frames, "false": false, "ms_per_frame": cost}
    print(results["uncut"])
    talkers = {p.name: talker(p) for p in sorted((videos / "talkers").iterdir())}
    for name in DISTURBANCES:
        rows = [cuts_of(timed(DISTURBANCES[name](film, rng)), detector) for film in talkers.values()]
        results[name] = {"films": len(rows), "false": sum(map(len, rows))}
        print(name, results[name], [n for n, r in zip(talkers, rows, strict=True) if r])
    pairs = list(itertools.permutations(talkers, 2))
    results["cuts"] = recall(joined(talkers, pairs, rng), detector)
    print("cuts", results["cuts"])
    small = {name: before_background(film) for name, film in talkers.items()}
    results["one_background"] = recall(joined(small, pairs, rng), detector)
    print("one background", results["one_background"])
    for length in DISSOLVES:
        name = f"dissolves_of_{length}_frames"
        results[name] = recall(joined(talkers, pairs, rng, mixed=length), detector)
        print(name, results[name])
    results["identity"] = identity(talkers, pairs)
    print("identity", results["identity"])
    options.out.write_text(json.dumps(results, indent=2) + "\n")


def talker(path: Path) -> list[Grey]:
    """Read a film at one size."""
    with open_video(path) as reader:
        return [np.asarray(cv2.resize(f.grey, SIZE, interpolation=cv2.INTER_AREA), np.uint8) for f in reader]


def timed(film: Sequence[Grey]) -> list[Frame]:
    """Return pictures as frames of `FPS`."""
    return [Frame(i, i / FPS, picture) for i, picture in enumerate(film)]


def cuts_of(film: Iterable[Frame], detector: FaceDetector) -> list[tuple[int, int]]:
    """Frames of a film's cuts: onset of the change, and first frame of the new shot."""
    return [(cut.onset_frame, cut.frame) for _, cut in CutFinder(detector).marked(film) if cut is not None]


def joined(
    films: dict[str, list[Grey]], pairs: Iterable[tuple[str, str]], rng: np.random.Generator, *, mixed: int = 0
) -> Iterable[tuple[str, list[Frame], int, int]]:
    """Yield names, the film that goes from one to the other, and the first and last frame of the change."""
    for one, other in pairs:
        first, second = films[one], films[other]
        end, start = int(rng.integers(LONG, len(first) - mixed)), int(rng.integers(0, len(second) - LONG - mixed))
        shares = (np.arange(mixed) + 1) / (mixed + 1)
        between = [cv2.addWeighted(first[end + i], 1 - s, second[start + i], s, 0) for i, s in enumerate(shares)]
        film = [*first[end - LONG : end], *between, *second[start + mixed : start + mixed + LONG]]
        yield f"{one} {other}", timed(film), LONG, LONG + mixed


def recall(films: Iterable[tuple[str, list[Frame], int, int]], detector: FaceDetector) -> dict[str, int]:
    """Count cuts that are found, those whose borders are within two frames, and others."""
    count = hit = exact = false = 0
    for name, film, onset, frame in films:
        found = cuts_of(film, detector)
        right = [c for c in found if c[1] >= onset and c[0] <= frame + 4]
        count, hit, false = count + 1, hit + bool(right), false + len(found) - min(len(right), 1)
        exact += any(abs(c[0] - onset) <= 2 and -1 <= c[1] - frame <= 4 for c in right)
        if len(right) != 1 or len(found) != 1:
            print(f"  {name}: {found} for {onset}, {frame}")
    return {"cuts": count, "found": hit, "placed": exact, "false": false}


def identity(films: dict[str, list[Grey]], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Show two people in turn, each twice, and compare their ids."""
    count = merged = known = 0
    for one, other in pairs:
        film = timed([*films[one][:25], *films[other][:25], *films[one][-20:], *films[other][-20:]])
        tracker = Tracker()
        shots: list[set[int]] = [set(), set(), set(), set()]
        for frame, seen in sightings(film, tracker, cuts=CutFinder(tracker.detector)):
            shots[min(frame.index // 25 if frame.index < 50 else 2 + (frame.index - 50) // 20, 3)] |= {
                s.track for s in seen
            }
        count += 1
        wrong = (shots[0] | shots[2]) & (shots[1] | shots[3])
        merged += bool(wrong)
        known += bool(shots[0] & shots[2]) + bool(shots[1] & shots[3])
        if wrong:
            print(f"  merged: {one} {other} {shots} cuts {[c.frame for c in tracker.cuts]}")
    return {"films": count, "with_two_people_in_one_id": merged, "returns": 2 * count, "same_id_on_return": known}


def before_background(film: list[Grey]) -> list[Grey]:
    """Show a film smaller, in front of a picture of blocks and stripes."""
    rows, columns = np.mgrid[:360, :640]
    field = 110 + 40 * np.sin(columns / 23.0) * np.cos(rows / 17.0) + 25 * ((columns // 40 + rows // 30) % 2)
    out = []
    for picture in film:
        whole = field.astype(np.uint8)
        whole[180:, 230:455] = cv2.resize(picture, (225, 180), interpolation=cv2.INTER_AREA)
        out.append(whole)
    return out


def flash(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Make two frames nearly white."""
    at = int(rng.integers(10, len(film) - 10))
    return [np.clip(p * 1.5 + 120, 0, 255).astype(np.uint8) if i in (at, at + 1) else p for i, p in enumerate(film)]


def exposure(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Step to another exposure."""
    at, gain = int(rng.integers(10, len(film) - 10)), float(rng.choice([0.5, 0.7, 1.3, 1.5]))
    return [np.clip(p * gain, 0, 255).astype(np.uint8) if i >= at else p for i, p in enumerate(film)]


def lamp(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Switch a lamp at one side off."""
    at, side = int(rng.integers(10, len(film) - 10)), np.linspace(0.4, 1.1, SIZE[0])[None]
    return [np.clip(p * side, 0, 255).astype(np.uint8) if i >= at else p for i, p in enumerate(film)]


def flicker(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Let the light pulse by a sixth, and add the noise of a dark room."""
    gain = 1 + 0.15 * np.sin(2.4 * np.arange(len(film)))
    return [
        np.clip(p * g + rng.normal(0, 8, p.shape), 0, 255).astype(np.uint8) for p, g in zip(film, gain, strict=True)
    ]


def shake(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Knock the camera, which stays displaced."""
    at, by = int(rng.integers(10, len(film) - 10)), rng.uniform(-0.06, 0.06, 2) * SIZE
    move = np.float32([[1, 0, by[0]], [0, 1, by[1]]])
    return [
        cv2.warpAffine(p, move, SIZE, borderMode=cv2.BORDER_REPLICATE) if i >= at else p for i, p in enumerate(film)
    ]


def hand(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Hold a hand before half of the face, from one frame to the next, for ten frames."""
    at = int(rng.integers(10, len(film) - 20))
    found = FaceDetector()(film[at])
    if not found:
        return film
    box = found[0][0]
    skin = np.clip(150 + cv2.GaussianBlur(rng.normal(0, 60, film[0].shape).astype(np.float32), (0, 0), 3), 0, 255)
    mask = np.zeros(film[0].shape, np.uint8)
    middle = (int(box.x + rng.uniform(0.2, 0.8) * box.width), int(box.y + 0.75 * box.height))
    cv2.ellipse(mask, middle, (int(0.45 * box.width), int(0.5 * box.height)), 20, 0, 360, 255, -1)
    return [np.where(mask > 0, skin.astype(np.uint8), p) if at <= i < at + 10 else p for i, p in enumerate(film)]


def dropped(film: list[Grey], rng: np.random.Generator) -> list[Grey]:
    """Leave some frames out, twice."""
    first, second = sorted(int(v) for v in rng.choice(np.arange(10, len(film) - 16), 2, replace=False))
    gone = {*range(first, first + DROPPED[0]), *range(second, second + DROPPED[1])}
    return [p for i, p in enumerate(film) if i not in gone]


DISTURBANCES = {f.__name__: f for f in (flash, exposure, lamp, flicker, shake, hand, dropped)}


if __name__ == "__main__":
    main()
