"""How far the flow images of each method agree, with the truth and with each other: ``flow_agreement.py``.

``python benchmarks/studies/flow_agreement.py`` moves portraits of people on whom nothing was trained or chosen, in two
ways: by the motion of a real micro-expression (`synthesis.face.motion_transfer`), and by known action units. Both are
filmed with noise, light and what is left of head motion, and measured by every method. A transferred movement is named
by a recogniser that saw no clip of its laboratory, a movement of units by the shipped one. Writes
``results/flow_agreement.json`` and ``.md``.

The rule by which the default of ``motion.event_flow`` was decided, written before the figures: of the methods that take
less than 50 ms, the one whose images correlate best with the truth (mean over strain, v and u of the median, mean of
both sets); where two differ by less than .02, the one that names more transferred movements right.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from fleeting.datasets import composite
from fleeting.datasets.samples import from_flow_images
from fleeting.errors import SettingsError
from fleeting.faces.align import CANONICAL_WIDTH
from fleeting.motion.flow_image import CHANNELS, expression_flow, flow_image
from fleeting.naming.recogniser import Recogniser
from fleeting.recognisers.fleeting.recogniser import Fleeting
from fleeting.settings import FlowMethod
from fleeting.synthesis.face.frame import face_frame
from fleeting.synthesis.face.motion_transfer import motion_field
from fleeting.training.action_units.moved_portraits import (
    MARGIN,
    Face,
    FilmSettings,
    displacement,
    filmed,
    read_faces,
    unit_fields,
)
from fleeting.training.action_units.movements import MovementSettings, classes_of, draw

BENCHMARKS = Path(__file__).resolve().parents[1]
DATA = BENCHMARKS.parent.parent / "shared" / "data"
METHODS: tuple[FlowMethod, ...] = ("learned", "dis", "tvl1")
PEAK_PX = (1.25, 3.75)
"""Of a transferred movement: 1 to 3 pixels of a crop of 112, as `recognisers.sequences.sets`."""
PEAK_PERCENT = (0.8, 6.0)
PER_FACE = 12


class Moved(NamedTuple):
    """A filmed movement: crops at onset and apex, the exact flow image, its class, and the laboratory or empty."""

    onset: np.ndarray
    apex: np.ndarray
    truth: np.ndarray
    label: int
    laboratory: str


def transferred(faces: list[Face], flow: Path, settings: FilmSettings) -> Iterator[Moved]:
    """Move one portrait by every clip."""
    rng, images = np.random.default_rng(21), composite.read(flow)
    for row in range(len(images)):
        peak = float(np.exp(rng.uniform(*np.log(PEAK_PX))))
        field = motion_field(images.flow[row], peak_px=peak, width=CANONICAL_WIDTH)
        wide = np.pad(field, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)))
        try:
            onset, apex = filmed(faces[row % len(faces)].crop, wide, settings, rng)
        except SettingsError:  # a steep field folds
            continue
        laboratory = str(images.subject[row]).split("/", 1)[0]
        yield Moved(onset, apex, flow_image(field), int(images.label[row]), laboratory)


def by_units(faces: list[Face], settings: FilmSettings) -> Iterator[Moved]:
    """Move every portrait by action units that belong to one class."""
    rng = np.random.default_rng(22)
    for face in faces:
        fields, done = unit_fields(face.points), 0
        while done < PER_FACE:
            movement = draw(MovementSettings(), rng)
            label = int(classes_of(movement.truth[None])[0])
            peak = float(np.exp(rng.uniform(*np.log(PEAK_PERCENT)))) / 100 * face_frame(face.points).iod
            if label < 0:
                continue
            done += 1
            field = displacement(fields, movement, peak_px=peak)
            try:
                onset, apex = filmed(face.crop, field, settings, rng)
            except SettingsError:  # a turned face squeezes one half of the field until it folds
                continue
            inside = np.ascontiguousarray(field[MARGIN:-MARGIN, MARGIN:-MARGIN])
            yield Moved(onset, apex, flow_image(inside), label, "")


def correlation(one: np.ndarray, other: np.ndarray) -> list[float]:
    """Median over images of the correlation of each channel."""
    flat = [x.reshape(len(x), -1, len(CHANNELS)).astype(np.float64) for x in (one, other)]
    centred = [x - x.mean(1, keepdims=True) for x in flat]
    norms = [np.sqrt((x**2).sum(1)) for x in centred]
    found = (centred[0] * centred[1]).sum(1) / np.maximum(norms[0] * norms[1], 1e-9)
    return [round(float(v), 3) for v in np.median(found, 0)]


def measure(moved: list[Moved], names: dict[str, Any]) -> dict[str, Any]:
    """Return agreement and names of one set of movements; `names` answers for each laboratory left out."""
    images = {"truth": np.stack([m.truth for m in moved])}
    times = {}
    for method in METHODS:
        start = time.process_time()
        flows = [expression_flow(m.onset, m.apex, method=method)[0] for m in moved]
        times[method] = round(1000 * (time.process_time() - start) / len(moved), 1)
        images[method] = np.stack([flow_image(f) for f in flows])
        print(method, times[method], "ms", flush=True)
    label, place = np.array([m.label for m in moved]), np.array([m.laboratory for m in moved])
    said = {}
    for method, pictures in images.items():
        said[method] = np.zeros(len(moved), int)
        for laboratory, ask in names.items():
            rows = place == laboratory
            said[method][rows] = ask(pictures[rows]).argmax(1)
    pairs = [(a, b) for i, a in enumerate(images) for b in list(images)[i + 1 :]]
    return {
        "movements": len(moved),
        "right": {method: round(float((said[method] == label).mean()), 3) for method in images},
        "milliseconds": times,
        "pairs": {
            f"{a}, {b}": {
                "correlation": dict(zip(CHANNELS, correlation(images[a], images[b]), strict=True)),
                "same_class": round(float((said[a] == said[b]).mean()), 3),
            }
            for a, b in pairs
        },
    }


def table(results: dict[str, Any]) -> str:
    lines = ["# Flow images of each method: agreement", "", __doc__.split("\n\n", 1)[1].replace("\n", " ").strip(), ""]
    means = {
        m: np.mean([list(r["pairs"][f"truth, {m}"]["correlation"].values()) for r in results.values()]) for m in METHODS
    }
    lines += ["Mean correlation with the truth: " + ", ".join(f"`{m}` {v:.3f}" for m, v in means.items()) + ".", ""]
    for name, r in results.items():
        lines += [
            f"## {name}: {r['movements']} movements",
            "",
            "| images of | correlation of strain, v, u (median) | mean | same class |",
            "|---|---|---|---|",
        ]
        for pair, x in r["pairs"].items():
            values = list(x["correlation"].values())
            each = ", ".join(f"{v:.2f}" for v in values)
            lines.append(f"| {pair} | {each} | {np.mean(values):.3f} | {x['same_class']:.0%} |")
        lines += ["", "| named from | right | ms on one core |", "|---|---|---|"]
        lines += [f"| {m} | {v:.1%} | {r['milliseconds'].get(m, '-')} |" for m, v in r["right"].items()]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=BENCHMARKS / "results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    flow, settings = options.data / "composite_flow_three_labs.npz", FilmSettings()
    faces, samples = read_faces(options.data, "test", per_person=1), from_flow_images(composite.read(flow))
    elsewhere = {
        str(name): Fleeting().fit(samples.select(samples.dataset != name), None, seed=0).of_images
        for name in np.unique(samples.dataset)
    }
    results = {
        "Transferred motion": measure(list(transferred(faces, flow, settings)), elsewhere),
        "Action units": measure(list(by_units(faces, settings)), {"": Recogniser()}),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "flow_agreement.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = table(results)
    (options.out / "flow_agreement.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
