"""Write a trained face finder as ONNX with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fleeting.training.export import compare, store_in_half, write_card, write_onnx
from fleeting.training.face_finder.network import ALIGNMENT, FaceFinderNet
from fleeting.training.face_finder.recipe import FinderRecipe
from fleeting.training.loop import CHECKPOINT

LARGEST_DIFFERENCE = 0.05
"""Logits of the ONNX file may differ by this from torch's: its weights are stored in half precision."""


def ship(recipe: FinderRecipe, *, out: Path, faces: dict[str, int], people: dict[str, int]) -> None:
    """Write ``face_finder.onnx`` and its card of a training's best check; counts of faces and people are by part."""
    best: dict[str, Any] = torch.load(out / CHECKPOINT, weights_only=True)["best"]
    net = FaceFinderNet(width=recipe.width).eval()
    net.load_state_dict(best["weights"])
    path = out / "face_finder.onnx"
    export(net, path)
    names = ("average_precision", "threshold", "recall", "precision")
    figures = {name: round(float(best["row"][name]), 4) for name in names}
    card = {
        "name": "face_finder",
        "task": "find faces in a whole frame",
        "version": 1,
        "data": "YouTube Faces frames with key points, US congress portraits and CC0 portraits (their points from "
        "MediaPipe), composed with drawn patterns and photographs of scikit-image and scikit-learn",
        "subjects": people,
        "pictures": faces,
        "recipe": "recipes/face_finder.toml",
        "command": "fleeting train recipes/face_finder.toml --data ../shared/data --out runs/face_finder",
        "preprocessing": f"grey, scaled to a fixed number of pixels with sides that are multiples of {ALIGNMENT}",
        "inputs": {"grey": "(n, 1, h, w) float32, 0..255"},
        "outputs": {
            "heat": "(n, 1, h/8, w/8) logits that a face is centred here",
            "sides": "(n, 4, h/8, w/8) distances to the left, top, right, bottom side in pixels",
        },
        "labels": ["face: bounding box of the 68 iBUG points"],
        "threshold": figures["threshold"],
        "scores": {
            "protocol": "400 composed scenes with validation people, IoU 0.5; benchmarks/results/face_finder.md has "
            "people that nothing was chosen on",
            **figures,
        },
        "limits": "Faces under 12 px, turned by more than 45 degrees or seen from the side beyond a three-quarter view "
        "are missed more often. Trained mostly on adults in public life.",
        "licence": "MIT",
    }
    write_card(path, card)


def export(net: FaceFinderNet, path: Path) -> None:
    """Write a network as ONNX with any number and size of frames, its weights in half precision.

    Raises
    ------
    RuntimeError
        Where the file computes something else than the network.
    """
    net = net.eval()
    example = (torch.zeros(1, 1, 96, 128),)
    write_onnx(net, example, path, inputs=["grey"], outputs=["heat", "sides"], axes={0: "n", 2: "h", 3: "w"})
    store_in_half(path, least=64)
    sample = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (2, 1, 64, 160)).astype(np.float32))
    with torch.no_grad():
        compare(path, {"grey": sample.numpy()}, [net(sample)[0]], most=LARGEST_DIFFERENCE)
