"""Where the expression networks look, by class: ``python benchmarks/studies/expression_maps.py --data ../shared/data``.

Occlusion maps (8 x 8, stride 2) and, of our own network, integrated gradients of validation faces that the network
names rightly and whose 68 points are found, at most 16 per class and nearly frontal. Every map's positive values are
split among the parts of its own face; a density of 1 means that the part holds as much as any other place of its size.
Averages per class with a 95 % bootstrap interval over faces. The check (Adebayo et al., "Sanity checks for saliency
maps", NeurIPS 2018): the same network with the numbers of each of its weight tensors shuffled must not show such a
pattern; the rank correlation of its maps with those of the network says how alike they are, beside that of two methods
on one network. Maps are drawn on the mean shape of the faces. Writes ``results/expression_maps.json``, ``.md`` and
``.png``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.evaluation.expression import NETWORKS
from fleeting.expressions.gradients import gradient_map
from fleeting.expressions.regions import region_shares
from fleeting.faces.landmarks import LandmarkNet
from fleeting.labels import SEVEN_CLASSES
from fleeting.naming.occlusion import Answers, network_answers, occlusion_map
from fleeting.records import FaceBox
from fleeting.training.expression.shipped import shipped_network
from fleeting.weights.runtime import open_network

RESULTS = Path(__file__).resolve().parents[1] / "results"
PARTS = ("mouth", "eyes", "brows", "nose", "elsewhere")
WHOLE = FaceBox(4, 8, 40, 40, 1.0)
"""Where the points of a FER-2013 face lie, roughly; the landmark network then looks again from the points it found."""

SHUFFLED = "expression, weights shuffled"
GRADIENTS = "expression, gradients"
SHUFFLED_GRADIENTS = "expression, gradients, weights shuffled"
STEPS = 48
SMOOTH_PX = 1.5
"""Gradients differ from pixel to pixel: before maps are compared, both are smoothed by this deviation."""

Mapper = Callable[[np.ndarray, int], np.ndarray]
"""From a face (48, 48) and a class to a map (48, 48)."""

LARGEST_YAW = 20.0


def found_points(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 68, 2) of tight face crops, and whether each is a nearly frontal face."""
    network = LandmarkNet()
    points, good = np.zeros((len(pictures), 68, 2)), np.zeros(len(pictures), bool)
    for i, face in enumerate(pictures):
        first = network(face, [WHOLE])[0]
        second = network.from_points(face, [first.points])[0]
        points[i] = second.points
        good[i] = second.score > 0.9 and abs(float(second.pose[0])) < LARGEST_YAW
    return points, good


def shuffled_answers(name: str, *, seed: int = 0) -> Answers:
    """Return the shipped network with the numbers of each weight tensor in another order."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(weights.folder() / f"{name}.onnx"))
    rng = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float16, np.float32) and values.size > 1:
            mixed = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    session = open_network(model.SerializeToString())
    return lambda faces: session.run(None, {"faces": faces})[0]


def occlusion(answers: Answers) -> Mapper:
    """Return maps by occlusion."""
    return lambda face, k: occlusion_map(answers, face, target=k).fall


def gradients(name: str, *, shuffled: bool = False) -> Mapper:
    """Return maps by integrated gradients, of the shipped network or of it with shuffled weights."""
    import torch

    network = shipped_network(name)
    if shuffled:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for p in network.parameters():
                p.copy_(p.flatten()[torch.randperm(p.numel(), generator=generator)].reshape(p.shape))
    return lambda face, k: gradient_map(network, face, target=k, steps=STEPS).added


def likeness(first: list[np.ndarray], second: list[np.ndarray]) -> float:
    """Mean rank correlation of maps of the same faces, both smoothed."""
    from scipy.stats import spearmanr

    pairs = [[cv2.GaussianBlur(m, (0, 0), SMOOTH_PX).ravel() for m in pair] for pair in zip(first, second, strict=True)]
    return float(np.mean([spearmanr(a, b).statistic for a, b in pairs if np.ptp(a) > 0 and np.ptp(b) > 0]))


def chosen_faces(answers: Answers, faces: fer2013.FacePictures, good: np.ndarray, most: int) -> dict[int, np.ndarray]:
    """Rows of each class that are named rightly and have good points, at most `most` of a class."""
    answered = np.concatenate([answers(faces.pictures[i : i + 64]).argmax(1) for i in range(0, len(faces), 64)])
    right = good & (answered == faces.label)
    return {k: np.flatnonzero(right & (faces.label == k))[:most] for k in range(len(SEVEN_CLASSES))}


def interval(values: np.ndarray, *, draws: int = 1000) -> list[float]:
    """95 % bootstrap interval of the mean."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return [float(np.quantile(means, q)) for q in (0.025, 0.975)]


def onto(values: np.ndarray, points: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Move a map from one face onto the mean shape."""
    matrix, _ = cv2.estimateAffinePartial2D(points[17:].astype(np.float32), mean[17:].astype(np.float32))
    return cv2.warpAffine(values, matrix, (fer2013.SIZE, fer2013.SIZE), flags=cv2.INTER_LINEAR)


def measure_network(
    mapper: Mapper, faces: fer2013.FacePictures, points: np.ndarray, rows: dict[int, np.ndarray], mean: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray], list[np.ndarray]]:
    """Figures and mean maps by class, and all maps; the class that is explained is the face's label."""
    every: list[np.ndarray] = []
    figures: dict[str, Any] = {}
    maps: dict[str, np.ndarray] = {}
    for k, name in enumerate(SEVEN_CLASSES):
        densities: list[list[float]] = []
        parts: list[list[float]] = []
        moved: list[np.ndarray] = []
        for row in rows[k]:
            values = mapper(faces.pictures[row], k)
            every.append(values)
            if values.max() <= 0:
                continue
            shares = region_shares(values, points[row])
            densities.append([shares[part].density for part in PARTS])
            parts.append([shares[part].share for part in PARTS])
            moved.append(onto(np.maximum(values, 0) / values.max(), points[row], mean))
        if not densities:
            continue
        table = np.array(densities)
        figures[name] = {
            "faces": len(table),
            **{
                part: {
                    "density": float(table[:, i].mean()),
                    "interval": interval(table[:, i]),
                    "share": float(np.mean([row[i] for row in parts])),
                }
                for i, part in enumerate(PARTS)
            },
        }
        maps[name] = np.mean(moved, 0)
    return figures, maps, every


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# Where the expression networks look",
        "",
        f"By `{found['command']}`. Density of the map in each part of the face (1: as much as anywhere), mean and 95 %",
        "interval over faces; in brackets the share of the map. Integrated gradients where the heading says so, else",
        "occlusion.",
        "",
        "| mean rank correlation of the maps | |",
        "|---|---|",
        *(f"| {pair} | {value:.2f} |" for pair, value in found["likeness"].items()),
    ]
    for name, figures in found["networks"].items():
        lines += ["", f"## {name}", "", "| | faces | " + " | ".join(PARTS) + " |", "|---" * (len(PARTS) + 2) + "|"]
        for kind, row in figures.items():
            cells = [
                f"{row[p]['density']:.2f} [{row[p]['interval'][0]:.2f}, {row[p]['interval'][1]:.2f}] "
                f"({100 * row[p]['share']:.0f} %)"
                for p in PARTS
            ]
            lines.append(f"| {kind} | {row['faces']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figure(maps: dict[str, dict[str, np.ndarray]], face: np.ndarray, path: Path) -> None:
    """Mean maps by class over the mean face."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(len(maps), len(SEVEN_CLASSES), figsize=(2 * len(SEVEN_CLASSES), 2.2 * len(maps)))
    for line, (network, found) in zip(axes, maps.items(), strict=True):
        for axis, name in zip(line, SEVEN_CLASSES, strict=True):
            axis.imshow(face, cmap="gray")
            if name in found:
                axis.imshow(found[name], cmap="inferno", alpha=0.55)
            axis.set(xticks=[], yticks=[], title=name)
        line[0].set_ylabel(network.replace(", ", "\n"), fontsize=9)
    plt.tight_layout()
    plt.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    parser.add_argument("--faces", type=int, default=16, help="at most so many of a class")
    chosen = parser.parse_args()
    faces = fer2013.read(chosen.data / "fer2013_training_publictest.npz")
    percent = weights.card("expression")["pictures"]["validation_percent"]
    faces = faces.select(fer2013.training_rows(faces, validation_percent=percent).validation)
    points, good = found_points(faces.pictures)
    mean = points[good].mean(0)
    moved = [onto(f.astype(np.float32), p, mean) for f, p in zip(faces.pictures[good], points[good], strict=True)]
    networks: dict[str, Any] = {}
    maps: dict[str, dict[str, np.ndarray]] = {}
    every: dict[str, list[np.ndarray]] = {}
    for name in NETWORKS.values():
        answers = network_answers(name)
        rows = chosen_faces(answers, faces, good, chosen.faces)
        mappers = {name: occlusion(answers)}
        if name == "expression":
            mappers[SHUFFLED] = occlusion(shuffled_answers(name))
            mappers[GRADIENTS] = gradients(name)
            mappers[SHUFFLED_GRADIENTS] = gradients(name, shuffled=True)
        for heading, mapper in mappers.items():
            networks[heading], maps[heading], every[heading] = measure_network(mapper, faces, points, rows, mean)
            print(heading, "measured", flush=True)
    pairs = (("expression", GRADIENTS), ("expression", SHUFFLED), (GRADIENTS, SHUFFLED_GRADIENTS))
    found = {
        "command": "python benchmarks/studies/expression_maps.py --data ../shared/data",
        "likeness": {f"{a} / {b}": likeness(every[a], every[b]) for a, b in pairs},
        "networks": networks,
    }
    (RESULTS / "expression_maps.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "expression_maps.md").write_text(table(found), encoding="utf-8")
    figure(maps, np.mean(moved, 0), RESULTS / "expression_maps.png")
    print(table(found))


if __name__ == "__main__":
    main()
