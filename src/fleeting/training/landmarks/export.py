"""Write a trained landmark network as ONNX with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fleeting.faces.crop import MARGIN, SIZE
from fleeting.training.export import compare, store_in_half, write_card, write_onnx
from fleeting.training.landmarks.crops import CropSource
from fleeting.training.landmarks.network import ExportedLandmarkNetwork, LandmarkNetwork
from fleeting.training.landmarks.recipe import LandmarkRecipe
from fleeting.training.people import digest_of

LARGEST_DIFFERENCE = 0.1
"""Pixels (of 80) by which points of the ONNX file may differ from torch's: its weights are stored in half precision."""


def export(network: LandmarkNetwork, path: Path) -> float:
    """Write the network as ONNX with weights in half precision, cast to single when the file is opened.

    Returns
    -------
    float
        Largest difference of a point from torch's, in pixels of the crop, on crops of noise and gradients.

    Raises
    ------
    RuntimeError
        Where that difference exceeds `LARGEST_DIFFERENCE`.
    """
    wrapped = ExportedLandmarkNetwork(network).eval()
    example = torch.zeros((2, 1, SIZE, SIZE), dtype=torch.uint8)
    write_onnx(wrapped, (example,), path, inputs=["crops"], outputs=["points", "states"])
    store_in_half(path, least=64)

    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, SIZE, dtype=np.float32)
    crops = rng.integers(0, 256, (8, 1, SIZE, SIZE)).astype(np.float32) * rng.uniform(0, 1, (8, 1, 1, 1))
    crops = np.clip((crops + ramp) / 2, 0, 255).astype(np.uint8)
    with torch.no_grad():
        points, _ = wrapped(torch.from_numpy(crops))
    return compare(path, {"crops": crops}, [points], most=LARGEST_DIFFERENCE)


def ship(
    network: LandmarkNetwork,
    recipe: LandmarkRecipe,
    *,
    out: Path,
    validation: dict[str, float],
    test: dict[str, float],
    source: CropSource,
) -> None:
    """Write ``landmarks.onnx`` and ``landmarks.json`` into a training's folder; to ship, copy both to ``weights/``."""
    path = out / "landmarks.onnx"
    difference = export(network, path)
    pictures = {"landmarks68": len(source.labelled), **{k: len(v) for k, v in source.taught.items()}}
    people = {"landmarks68": len({s.person for s in source.labelled})}
    people |= {k: len({s.person for s in v}) for k, v in source.taught.items() if k != "fer2013"}
    card: dict[str, Any] = {
        "name": "landmarks",
        "task": "68 landmarks, head pose, eye and mouth opening of a face crop, and whether it is a face",
        "version": 1,
        "data": "YouTube Faces frames with 68 points; US congress portraits, CC0 portraits and FER-2013 faces with "
        "points from MediaPipe (mapped to the convention of the former); face-free pictures of scikit-image and "
        "scikit-learn",
        "subjects": people,
        "pictures": pictures,
        "trained_on": sorted({digest_of(s.person) for s in source.labelled}),
        "recipe": "recipes/landmarks.toml",
        "command": "fleeting train recipes/landmarks.toml --data ../shared/data --out runs/landmarks",
        "preprocessing": f"grey square crop of {SIZE} px, {MARGIN} times the longer side of the points' box, 0..255",
        "inputs": {"crops": f"(n, 1, {SIZE}, {SIZE}) uint8"},
        "outputs": {
            "points": "(n, 68, 2) float32, pixels of the crop",
            "states": "(n, 7) float32: yaw, pitch, roll (degrees), opening of left eye, right eye, mouth, P(face)",
        },
        "labels": ["iBUG 68 points"],
        "scores": {
            "protocol": "landmarks68 split by person (70/15/15 by hash of the name); crops from the labelled box with "
            "an error of 6 % in place and scale; percent of the inter-ocular distance (outer eye corners)",
            "validation": validation,
            "test": test,
            "onnx_difference_px": round(difference, 5),
        },
        "seed": recipe.seed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "limits": "Trained on faces of 20 px and more with a roll of up to 40 degrees. Profiles, masks and hands over "
        "the face lower the face probability. Pose and openings are learned from MediaPipe and inherit its errors; "
        "closed eyes were mostly simulated.",
        "licence": "MIT; learned from data published for research use",
    }
    write_card(path, card)
