"""Fit how probable a blink or a wink is, on the films of ``benchmarks/studies/blinks.py``.

    python benchmarks/studies/blinks_fit.py

Fitted on the films of the training people, with the penalty that does best on films left out, and measured on
validation people: how many blinks and winks are found, how many are invented, and how often a confidence is right.
Squints as they are read in real films are put on top of all films, and shut eyes on two noisier copies of them. Writes
coefficients and scores to ``src/fleeting/spotting/blinks.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from fleeting.settings import SpottingSettings
from fleeting.spotting import blinks
from fleeting.spotting.candidates import find_candidates
from fleeting.spotting.cells import cells_of
from fleeting.spotting.judge import BLINK, Judge
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.run_signals import Runs, noise_of
from fleeting.synthesis.face.profile import Profile
from fleeting.training.spotter.examples import iou

sys.path.append(str(Path(__file__).resolve().parents[1]))
from spotting_measurements import load_measurements

LABELS = ("neither", "blink", "wink")
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0)
SLACK_S = 0.04
SQUINTS = 5
NOISES = (0.0, 0.01, 0.025)
"""Standard deviations added to the eyes' opening, as poor recordings have it; the flow gets ten times as many %."""


def truths(path: Path) -> list[tuple[float, float, float, int, str]]:
    """Onset, apex, offset, label and name of what a film shows of the eyes; long closures are neither."""
    with path.open(newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    found = []
    for row in rows:
        if row["kind"] in ("blink", "wink"):
            times = [float(row[name]) for name in ("onset_s", "apex_s", "offset_s")]
            label = 0 if row["what"] == "shut" else LABELS.index(row["kind"])
            found.append((times[0], times[1], times[2], label, row["what"], row["side"]))
    return found


def noisier(measured: Measurements, noise: float, seed: int) -> Measurements:
    """Measurements of a worse recording: the landmarks flutter, for both eyes much alike, and so does the flow."""
    rng = np.random.default_rng([seed, round(1000 * noise)])
    n = len(measured.time_s)
    flutter = rng.normal(0, noise, (n, 1)) + rng.normal(0, noise / 3, (n, 2))
    return replace(
        measured,
        eye_opening=(measured.eye_opening + flutter).astype(np.float32),
        displacement=(measured.displacement + rng.normal(0, 10 * noise, measured.displacement.shape)).astype(
            np.float32
        ),
    )


def squinting(measured: Measurements, known: list, seed: int) -> Measurements:
    """Measurements with squints, frowns and smiles that are read as in real films.

    Drawn ones hardly move what the landmark network reads; real ones narrow the eyes by a tenth to a half, mostly for
    longer than a blink, while brows and cheeks move by some percent and the upper lids hardly come down.
    """
    rng = np.random.default_rng([seed, 7])
    time_s, opening, place = measured.time_s, measured.eye_opening.copy(), measured.displacement.copy()
    taken = [(first - 0.2, last + 0.2) for first, _, last, *_ in known]
    for _ in range(SQUINTS):
        length = float(np.exp(rng.uniform(np.log(0.25), np.log(1.6))))
        start = float(rng.uniform(0.2, time_s[-1] - length - 0.1))
        if any(a < start + length and start < b for a, b in taken):
            continue
        taken.append((start, start + length))
        hold = float(rng.uniform(0, 0.6)) * length
        rise = float(rng.uniform(0.3, 0.6)) * (length - hold)
        when = Profile(start, start + rise, start + length, hold)
        course = np.array([when(float(t)) for t in time_s])[:, None]
        narrower = float(rng.uniform(0.08, 0.5))
        opening *= 1 - narrower * (1 + rng.normal(0, 0.1, 2)) * course
        down = float(rng.uniform(-0.8, 1.6))
        moves = {"left_lid": down + rng.normal(0, 0.4), "right_lid": down + rng.normal(0, 0.4)}
        brows, cheeks = float(rng.normal(0, 3)), -abs(float(rng.normal(0, 1.5)))
        moves |= dict.fromkeys(("left_brow", "right_brow", "between_brows"), brows)
        moves |= dict.fromkeys(("left_cheek", "right_cheek"), cheeks)
        for name, amount in moves.items():
            place[:, cells_of(name), 1] += amount * course
    return replace(measured, eye_opening=opening.astype(np.float32), displacement=place.astype(np.float32))


def shutting(measured: Measurements, known: list, seed: int) -> Measurements:
    """Measurements in which eyes that close are read as in real films.

    The landmark network reads a drawn lid as half open; of a real shut eye it reads `blinks.SHUT`, but the flow often
    loses the real lid.
    """
    rng = np.random.default_rng([seed, 11])
    time_s, opening, place = measured.time_s, measured.eye_opening.copy(), measured.displacement.copy()
    for first, apex, last, label, what, side in known:
        when = Profile(first, min(apex, last - 1e-3), last)
        course = np.array([when(float(t)) for t in time_s])
        part = float(rng.uniform(0.3, 0.7) if what == "half" else 1.0)
        for eye, name in enumerate(("left", "right")):
            closes = label == 1 or name == side
            deeper = part * float(rng.uniform(0.3, 1.0) if closes else rng.uniform(0.0, 0.4)) * course
            opening[:, eye] += deeper * np.minimum(blinks.SHUT - opening[:, eye], 0)
            cells = cells_of(f"{name}_lid")
            span = np.flatnonzero((time_s >= first - 0.05) & (time_s <= last + 0.05))
            if label and len(span) > 1:
                ends = place[span[[0, -1]]][:, cells]
                share = np.linspace(0, 1, len(span))[:, None, None]
                line = ends[0] + share * (ends[1] - ends[0])
                place[np.ix_(span, cells)] = line + rng.uniform(0.2, 1.0) * (place[np.ix_(span, cells)] - line)
    return replace(measured, eye_opening=opening.astype(np.float32), displacement=place.astype(np.float32))


def examples(folder: Path, noise: float) -> list[dict]:
    """Candidates of each film, with features and labels (-1 for what lies beside a closing's apex), and its truth."""
    judge, settings, films = Judge(), SpottingSettings(), []
    for path in sorted(folder.glob("*.npz")):
        known = truths(path.with_suffix(".csv"))
        measured = squinting(load_measurements(path), known, int(path.stem) + round(1e6 * noise))
        if noise:  # the films as they are, and twice as real ones are read
            measured = shutting(measured, known, int(path.stem) + round(1e6 * noise))
        measured = noisier(measured, noise, int(path.stem))
        runs = Runs(measured, settings)
        quiet = noise_of(runs)
        for run in runs:
            candidates = find_candidates(run, quiet, settings)
            spans = [(c.movement.onset, c.movement.apex, c.movement.offset) for c in candidates]
            said = list(zip(spans, judge(candidates)[0][:, BLINK].tolist(), strict=True))
            spans, features, _ = blinks.describe(run.shut, run.quick, run.period, said)
            told = [label_of(*(float(run.grid[s]) for s in span), known) for span in spans]
            # Several candidates of one closing count as one.
            share = [1 / sum(t == other for other in told) if t[1] is not None else 1.0 for t in told]
            labels = [label for label, _ in told]
            film = {"name": path.stem, "run": run, "said": said, "x": features, "y": labels, "share": share}
            films.append({**film, "truth": known})
    return films


def label_of(onset_s: float, apex_s: float, offset_s: float, known: list) -> tuple[int, float | None]:
    """Return what a candidate shows, and the apex of the closing that it shows."""
    for first, apex, last, label, *_ in known:
        shared = min(last, offset_s) - max(first, onset_s)
        if label and abs(apex_s - apex) <= 0.4 * (last - first) + SLACK_S and shared > 0.3 * (offset_s - onset_s):
            return label, apex
        if label and shared > 0.3 * min(last - first, offset_s - onset_s):
            return -1, None
    return 0, None


def fit(x: np.ndarray, y: np.ndarray, share: np.ndarray, penalty: float) -> tuple[np.ndarray, ...]:
    """Centre, spread, weights and bias of the model."""
    from sklearn.linear_model import LogisticRegression

    centre, spread = np.average(x, axis=0, weights=share), np.maximum(x.std(axis=0), 1e-6)
    model = LogisticRegression(C=penalty, max_iter=5000).fit((x - centre) / spread, y, share)
    return centre, spread, model.coef_.T, model.intercept_


def log_loss(model: tuple[np.ndarray, ...], x: np.ndarray, y: np.ndarray, share: np.ndarray) -> float:
    """Mean over candidates, nats."""
    blinks._model = lambda: model  # type: ignore[assignment]
    return float(np.average(-np.log(np.maximum(blinks.probabilities(x)[np.arange(len(y)), y], 1e-9)), weights=share))


def scores(films: list[dict]) -> dict:
    """Count what is found and invented in films, by what it was, and how often a confidence is right."""
    found: dict[str, list[int]] = {}
    invented = {"blink": 0, "wink": 0, "while shut": 0}
    sure: list[tuple[float, bool]] = []
    overlaps: list[float] = []
    for film in films:
        run = film["run"]
        closings = blinks.find_closings(run.shut, run.quick, run.period, film["said"])
        kinds = [1 if c.side == "both" else 2 for c in closings]
        hits = set()
        for first, _, last, label, what, _ in film["truth"]:
            if not label:
                continue
            at = [
                i
                for i, c in enumerate(closings)
                if kinds[i] == label and first - SLACK_S <= run.grid[c.apex] <= last + SLACK_S and i not in hits
            ]
            hits.update(at[:1])
            overlaps += [iou((first, last), tuple(run.grid[list(closings[i][:3:2])])) for i in at[:1]]
            row = found.setdefault(what, [0, 0])
            row[0] += bool(at)
            row[1] += 1
        for i, closing in enumerate(closings):
            sure.append((closing.confidence, i in hits))
            if i not in hits:
                at_s = run.grid[closing.apex]
                shut = any(w == "shut" and a <= at_s <= b for a, _, b, _, w, _ in film["truth"])
                invented["while shut" if shut else LABELS[kinds[i]]] += 1
    bins = [(0.5, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.01)]
    right = {
        f"{low:g}-{min(high, 1):g}": [len(part), round(float(np.mean([r for _, r in part])), 3) if part else None]
        for low, high in bins
        for part in [[s for s in sure if low <= s[0] < high]]
    }
    return {
        "films": len(films),
        "found": {k: f"{a} of {b}" for k, (a, b) in sorted(found.items())},
        "invented": invented,
        "overlap of at least half": round(float(np.mean(np.array(overlaps) >= 0.5)), 3),
        "confidence: reported, share right": right,
    }


def main() -> None:
    """Fit, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, default=Path("runs/blinks_train"))
    parser.add_argument("--validation", type=Path, default=Path("runs/blinks_validation"))
    parser.add_argument("--out", type=Path, default=Path("src/fleeting/spotting/blinks.json"))
    options = parser.parse_args()
    train = [f for noise in NOISES for f in examples(options.train, noise)]
    held = {noise: examples(options.validation, noise) for noise in NOISES}
    film = np.concatenate([np.full(len(f["y"]), int(f["name"])) for f in train])
    x, y = np.concatenate([f["x"] for f in train]), np.concatenate([f["y"] for f in train])
    used = y >= 0
    share = np.concatenate([f["share"] for f in train])[used]
    film, x, y = film[used], x[used], y[used].astype(int)
    print("candidates:", {name: round(share[y == k].sum()) for k, name in enumerate(LABELS)})
    folds = {}
    for penalty in PENALTIES:
        parts = []
        for k in range(5):
            out = film % 5 == k
            parts.append(log_loss(fit(x[~out], y[~out], share[~out], penalty), x[out], y[out], share[out]))
        folds[penalty] = float(np.mean(parts))
    penalty = min(folds, key=folds.__getitem__)
    print("log loss by penalty, films left out:", {p: round(v, 4) for p, v in folds.items()})
    model = fit(x, y, share, penalty)
    blinks._model = lambda: model  # type: ignore[assignment]
    measured = {
        "training people": scores(train),
        **{f"validation people, noise {n:g}": scores(f) for n, f in held.items()},
    }
    for name, row in zip(blinks.FEATURES, model[2], strict=True):
        print(f"{name:28s}", np.round(row, 2))
    for name, row in measured.items():
        print(name, json.dumps(row))
    card = {
        "what": "logistic model of blinks and winks on the features of spotting.blinks.FEATURES",
        "command": " ".join(["python benchmarks/studies/blinks_fit.py", *sys.argv[1:]]),
        "films": "benchmarks/studies/blinks.py",
        "labels": LABELS,
        "features": blinks.FEATURES,
        "scores": {k: v for k, v in measured.items() if k != "training people"},
        **{n: np.round(v, 5).tolist() for n, v in zip(("centre", "spread", "weights", "bias"), model, strict=True)},
    }
    options.out.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
