"""How well action units are named: ``python benchmarks/action_units.py``.

Coded clips of two laboratories (CASME II and 14 people of SAMM): trained on one and measured on the other, both ways,
and in ten folds over all people. Probabilities and the threshold of every unit are made inside the training people.
Beside it logistic regression on the same images (C = 1e-3, balanced; its threshold is a half). Then portraits of people
whom no training saw, moved by known units and measured by each method of flow: is the unit named, and its side? Writes
``results/action_units.json`` and ``results/action_units.md``.

The intervals draw people. Units are scored as coded, whatever the side; what the coders doubted is left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from fleeting import weights
from fleeting.evaluation.bootstrap import subject_interval
from fleeting.naming.action_units import MIDLINE, MOVED, UNITS, ActionUnitNet, side_of
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.settings import FlowMethod
from fleeting.training.action_units.clips import CodedClips, read_clips
from fleeting.training.action_units.model import Start, UnitSettings, fit
from fleeting.training.action_units.moved_portraits import FilmSettings, image_of, read_faces, unit_fields
from fleeting.training.action_units.movements import NAMES, UNKNOWN, Movement
from fleeting.training.action_units.train import UnitsRecipe, start_of

BENCHMARKS = Path(__file__).resolve().parent
DATA = BENCHMARKS.parent.parent / "shared" / "data"
EIGHT = ("AU01", "AU02", "AU04", "AU07", "AU12", "AU14", "AU15", "AU17")
TWELVE = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU14", "AU15", "AU17")
"""Of CD6ME (Varanka et al.)."""
FOLDS = 10
PEOPLE = f"{FOLDS} folds over people"
PEAKS = (1.5, 3.0)
MOST_FACES = 12
METHODS: tuple[FlowMethod, ...] = ("learned", "dis")

Answers = tuple[np.ndarray, np.ndarray]
"""Probabilities (n, units) and what is reported (n, units) bool."""


def protocols(clips: CodedClips) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Rows to train on and rows to test on."""
    laboratory = np.char.partition(clips.subject, "/")[:, 0]
    found = {
        f"{a} -> {b}": [(np.flatnonzero(laboratory == a), np.flatnonzero(laboratory == b))]
        for a, b in (("casme2", "samm"), ("samm", "casme2"))
    }
    return found | {PEOPLE: [(f.train, f.validation) for f in subject_folds(clips.subject, folds=FOLDS, seed=0)]}


def logistic(train: CodedClips, test: CodedClips) -> Answers:
    """Answers of the floor."""

    def features(images: np.ndarray) -> np.ndarray:
        centred = images - np.median(images, axis=(1, 2), keepdims=True)
        spread = centred.std(axis=(1, 2), keepdims=True)
        return np.asarray((centred / np.maximum(spread, 1e-3)).reshape(len(images), -1))

    scaler = StandardScaler().fit(features(train.images))
    known, asked = scaler.transform(features(train.images)), scaler.transform(features(test.images))
    said = np.zeros((len(test.images), len(UNITS)))
    for k, truth in enumerate((train.truth == 1).any(2).T):
        if truth.any():
            machine = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=2000).fit(known, truth)
            said[:, k] = machine.predict_proba(asked)[:, 1]
    return said, said > 0.5


def ours(start: Start, settings: UnitSettings) -> Callable[[CodedClips, CodedClips], Answers]:
    """Return our model."""

    def answer(train: CodedClips, test: CodedClips) -> Answers:
        model = fit(train, start, settings, seed=0)
        said = model.answers(test.images)[..., MOVED]
        return said, said >= model.fitted.thresholds

    return answer


def scores(truth: np.ndarray, said: np.ndarray, reported: np.ndarray, people: np.ndarray) -> dict[str, Any]:
    """Scores of every unit, and their means with intervals."""
    units: dict[str, Any] = {}
    for k, name in enumerate(UNITS):
        known = truth[:, k] != UNKNOWN
        shows = truth[known, k] == 1
        if 0 < shows.sum() < len(shows):
            units[name] = {
                "f1": round(float(f1_score(shows, reported[known, k], zero_division=0)), 4),
                "auc": round(float(roc_auc_score(shows, said[known, k])), 4),
                "average_precision": round(float(average_precision_score(shows, said[known, k])), 4),
                "count": int(shows.sum()),
            }
    found: dict[str, Any] = {"clips": len(truth), "people": len(np.unique(people)), "units": units}
    for label, names in (("eight", EIGHT), ("twelve", TWELVE)):
        there = [n for n in names if n in units]
        columns = [UNITS.index(n) for n in there]

        def mean_f1(t: np.ndarray, p: np.ndarray, columns: list[int] = columns) -> float:
            return float(np.mean([_f1(t[:, k], p[:, k]) for k in columns if (t[:, k] == 1).any()]))

        interval = subject_interval(mean_f1, truth, reported, people, draws=1000)
        found[label] = {
            "units": len(there),
            "f1": round(mean_f1(truth, reported), 4),
            "f1_interval": [round(v, 4) for v in interval],
            "auc": round(float(np.mean([units[n]["auc"] for n in there])), 4),
            "average_precision": round(float(np.mean([units[n]["average_precision"] for n in there])), 4),
        }
    return found


def _f1(truth: np.ndarray, reported: np.ndarray) -> float:
    known = truth != UNKNOWN
    both = 2 * int((reported & (truth == 1)).sum())
    return both / max(int(reported[known].sum()) + int((truth == 1).sum()), 1)


def calibration(truth: np.ndarray, said: np.ndarray) -> list[dict[str, float]]:
    """How often units of a probability were coded, over all units."""
    known = truth != UNKNOWN
    p, shows = said[known], truth[known] == 1
    edges = (0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0001)
    rows = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (p >= low) & (p < high)
        if inside.any():
            rows.append(
                {"said": round(float(p[inside].mean()), 3), "coded": round(float(shows[inside].mean()), 3),
                 "count": int(inside.sum())}
            )  # fmt: skip
    return rows


def moved(data: Path, network: ActionUnitNet, method: FlowMethod, peak: float) -> dict[str, Any]:
    """Ask the shipped network about test people who are moved by one unit at a time, on both sides and on the left."""
    found: dict[str, list[tuple[bool, bool, int]]] = {}
    chance = np.random.default_rng(5)
    films = FilmSettings(noise=1.0, blur=0.5)
    for face in read_faces(data, "test", per_person=1)[:MOST_FACES]:
        fields = unit_fields(face.points)
        for name in UNITS:
            for side in ("both",) if name in MIDLINE else ("both", "left"):
                image = image_of(face, fields, _single(name, side), peak, method, films, chance)
                if image is None:
                    continue
                answer = network(image[None])[0]
                named = network.name(answer)
                hit = any(unit.unit == name for unit in named)
                right = side_of(name, answer[UNITS.index(name)]) == side
                found.setdefault(name, []).append((hit, right, len(named)))
    return {
        name: {
            "named": round(float(np.mean([h for h, _, _ in rows])), 3),
            "side": round(float(np.mean([r for h, r, _ in rows if h] or [np.nan])), 3),
            "units": round(float(np.mean([n for _, _, n in rows])), 2),
            "films": len(rows),
        }
        for name, rows in found.items()
    }


def _single(name: str, side: str) -> Movement:
    sizes = np.zeros((len(NAMES), 2), np.float32)
    sizes[NAMES.index(name)] = (1, 0) if side == "left" else (1, 1)
    return Movement(sizes, np.zeros((len(UNITS), 2), np.int64))


def milliseconds(network: ActionUnitNet, images: np.ndarray) -> float:
    """Return the median time of one image on one core."""
    took = []
    for image in images[:100]:
        began = time.perf_counter()
        network(image[None])
        took.append(time.perf_counter() - began)
    return round(1000 * float(np.median(took)), 2)


def lines(results: dict[str, Any]) -> Iterator[str]:
    """Write the results as Markdown."""
    yield from ("# Action units", "", results["note"], "")
    yield "| trained -> measured | model | clips, people | F1 over eight units | AUC | F1 over twelve | AUC |"
    yield "|---" * 7 + "|"
    for protocol, by_model in results["protocols"].items():
        for model, row in by_model.items():
            e, t = row["eight"], row["twelve"]
            yield (
                f"| {protocol} | {model} | {row['clips']}, {row['people']} | {e['f1']:.3f} [{e['f1_interval'][0]:.3f},"
                f" {e['f1_interval'][1]:.3f}] | {e['auc']:.3f} | {t['f1']:.3f} [{t['f1_interval'][0]:.3f},"
                f" {t['f1_interval'][1]:.3f}] ({t['units']} units) | {t['auc']:.3f} |"
            )
    yield ""
    yield "The eight are " + ", ".join(EIGHT) + "; the twelve are CD6ME's. In brackets the 95 % interval over people."
    for protocol, by_model in results["protocols"].items():
        yield from (
            "",
            f"## {protocol}",
            "",
            "| unit | clips | F1 | AUC | average precision | F1 of logistic regression | its AUC |",
        )
        yield "|---" * 7 + "|"
        floor = by_model["logistic regression"]["units"]
        for name, row in by_model["action_units"]["units"].items():
            yield (
                f"| {name} | {row['count']} | {row['f1']:.2f} | {row['auc']:.2f} | {row['average_precision']:.2f} |"
                f" {floor[name]['f1']:.2f} | {floor[name]['auc']:.2f} |"
            )
    yield from ("", f"## Calibration, {PEOPLE}", "", "| said | coded | answers |", "|---|---|---|")
    for row in results["calibration"]:
        yield f"| {row['said']:.2f} | {row['coded']:.2f} | {row['count']} |"
    yield from ("", "## Moved portraits of test people", "")
    yield "Share of films whose unit is named, and of these the share with the right side; the shipped network."
    yield from ("", "| unit | " + " | ".join(f"{m}, {p} %" for m in METHODS for p in PEAKS) + " |")
    yield "|---" * (1 + len(METHODS) * len(PEAKS)) + "|"
    for name in UNITS:
        cells = [results["moved"][m][str(p)].get(name) for m in METHODS for p in PEAKS]
        yield (
            f"| {name} | "
            + " | ".join("-" if c is None else f"{c['named']:.0%} ({c['side']:.0%})" for c in cells)
            + " |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--start", type=Path, default=Path("runs/action_units"), help="Folder of moved portraits.")
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    parser.add_argument("--only-moved", action="store_true", help="Keep the figures of the clips, measure the rest.")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    recipe, path = UnitsRecipe(), options.out / "action_units.json"
    clips = read_clips(options.data / recipe.data, options.data / recipe.table)
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if options.only_moved else {}
    if not options.only_moved:
        results = measured(clips, start_of(recipe, options.data, options.start), recipe.settings)
        options.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if weights.has("action_units"):
        network = ActionUnitNet()
        results["milliseconds"] = milliseconds(network, clips.images)
        results["moved"] = {m: {str(p): moved(options.data, network, m, p) for p in PEAKS} for m in METHODS}
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (options.out / "action_units.md").write_text("\n".join(lines(results)) + "\n", encoding="utf-8")


def measured(clips: CodedClips, start: Start, settings: UnitSettings) -> dict[str, Any]:
    """Scores of all models by all protocols."""
    truth = np.where((clips.truth == 1).any(2), 1, np.where((clips.truth == UNKNOWN).any(2), UNKNOWN, 0))
    results: dict[str, Any] = {"note": __doc__.split("\n\n")[1].replace("\n", " "), "protocols": {}}
    by_model: dict[str, Answers] = {}
    for protocol, folds in protocols(clips).items():
        results["protocols"][protocol] = {}
        for model, answer in (("logistic regression", logistic), ("action_units", ours(start, settings))):
            said, reported = np.zeros(truth.shape), np.zeros(truth.shape, bool)
            tested = np.concatenate([test for _, test in folds])
            for train, test in folds:
                said[test], reported[test] = answer(clips.select(train), clips.select(test))
            by_model[model] = said, reported
            row = scores(truth[tested], said[tested], reported[tested], clips.subject[tested])
            results["protocols"][protocol][model] = row
            print(protocol, model, row["eight"], row["twelve"], flush=True)
        if protocol == PEOPLE:
            results["calibration"] = calibration(truth, said)
            for name in ("casme2", "samm"):
                own = np.char.startswith(clips.subject, name)
                results["protocols"][f"{protocol}, {name} alone"] = {
                    model: scores(truth[own], said[own], reported[own], clips.subject[own])
                    for model, (said, reported) in by_model.items()
                }
    return results


if __name__ == "__main__":
    main()
