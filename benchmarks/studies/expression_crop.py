"""How a face is framed for the expression networks.

    python benchmarks/studies/expression_crop.py --data ../shared/data

Validation pictures of FER-2013 whose 68 points are found are cut anew by `naming.expression_net`, at several scales and
heights, and named; beside it the pictures as they come. What the crop uses was chosen here. What lies beyond the
picture's edge repeats the edge, so that wide crops are somewhat worse here than of whole photographs. Writes
``results/expression_crop.json`` and ``.md``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from expression_maps import found_points

from fleeting import weights
from fleeting.datasets import fer2013
from fleeting.naming import expression_net as expression

RESULTS = Path(__file__).resolve().parents[1] / "results"
NETWORKS = ("deep_emotion", "expression")
SCALES = (0.19, 0.205, 0.22, 0.235, 0.25)
HEIGHTS = (26.7, 27.7, 28.7)


def accuracy(network: expression.ExpressionNet, pictures: np.ndarray, label: np.ndarray) -> float:
    """Share of the pictures (n, 48, 48) that are named as labelled."""
    found = np.concatenate([network(pictures[i : i + 64]).argmax(1) for i in range(0, len(pictures), 64)])
    return float((found == label).mean())


def cut(pictures: np.ndarray, points: np.ndarray, scale: float, height: float) -> np.ndarray:
    """Cut all faces anew."""
    with patch.multiple(expression, SCALE=scale, CENTRE=(expression.CENTRE[0], height)):
        return np.stack([expression.expression_crop(f, p) for f, p in zip(pictures, points, strict=True)])


def measure(data: Path) -> dict[str, Any]:
    """All figures."""
    faces = fer2013.read(data / "fer2013_training_publictest.npz")
    percent = weights.card("expression")["pictures"]["validation_percent"]
    faces = faces.select(fer2013.training_rows(faces, validation_percent=percent).validation)
    points, good = found_points(faces.pictures)
    faces, points = faces.select(good), points[good]
    networks = {name: expression.ExpressionNet(name) for name in NETWORKS}
    rows = [
        {"scale": scale, "height": height}
        | {
            name: accuracy(network, crops, faces.label)
            for crops in [cut(faces.pictures, points, scale, height)]
            for name, network in networks.items()
        }
        for scale in SCALES
        for height in HEIGHTS
    ]
    return {
        "command": "python benchmarks/studies/expression_crop.py --data ../shared/data",
        "faces": len(faces),
        "used": {"scale": expression.SCALE, "height": expression.CENTRE[1]},
        "as they come": {name: accuracy(network, faces.pictures, faces.label) for name, network in networks.items()},
        "cut anew": rows,
    }


def table(found: dict[str, Any]) -> str:
    """Markdown of the results."""
    lines = [
        "# How a face is framed",
        "",
        f"By `{found['command']}`. Accuracy in percent on {found['faces']} validation pictures of FER-2013",
        f"whose points are found. In use: scale {found['used']['scale']}, height {found['used']['height']}.",
        "",
        "| | " + " | ".join(NETWORKS) + " |",
        "|---" * (1 + len(NETWORKS)) + "|",
        "| as they come | " + " | ".join(f"{100 * found['as they come'][n]:.1f}" for n in NETWORKS) + " |",
    ]
    for row in found["cut anew"]:
        cells = " | ".join(f"{100 * row[n]:.1f}" for n in NETWORKS)
        lines.append(f"| scale {row['scale']}, height {row['height']} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of fer2013_training_publictest.npz")
    found = measure(parser.parse_args().data)
    (RESULTS / "expression_crop.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "expression_crop.md").write_text(table(found), encoding="utf-8")
    print(table(found))


if __name__ == "__main__":
    main()
