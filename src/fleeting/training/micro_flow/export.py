"""The trained flow network as it is shipped: ONNX with its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fleeting.training.export import compare, write_card, write_onnx
from fleeting.training.micro_flow.network import MULTIPLE, MicroFlowNetwork
from fleeting.training.people import digest_of

NAME = "micro_flow"
TOLERANCE_PX = 2e-3


def ship(
    network: MicroFlowNetwork,
    recipe: dict[str, Any],
    *,
    people: Sequence[str],
    scores: dict[str, dict[str, float]],
    out: Path,
) -> None:
    """Write ``micro_flow.onnx`` and ``micro_flow.json``; the scores are those on validation people."""
    path = out / f"{NAME}.onnx"
    example = (torch.zeros(1, 1, 96, 128), torch.zeros(1, 1, 96, 128))
    write_onnx(network, example, path, inputs=["first", "second"], outputs=["flow"], axes={2: "height", 3: "width"})
    same_flow(network, path)
    card: dict[str, Any] = {
        "name": NAME,
        "task": "dense optical flow between two pictures of a face",
        "version": 1,
        "data": "synthetic movements with exact truth on portraits (YouTube Faces frames with points, US congress and "
        "CC0 portraits); real movements without faces from the flow images of the MEGC 2019 composite set",
        "subjects": [digest_of(p) for p in people],
        "recipe": "recipes/micro_flow.toml",
        "command": "fleeting train recipes/micro_flow.toml --data ../shared/data --out runs/micro_flow",
        "preprocessing": f"grey, 0..255, continued at the border to multiples of {MULTIPLE} px (motion.learned_flow)",
        "inputs": {"first": "(1, 1, h, w) float32", "second": "(1, 1, h, w) float32"},
        "outputs": {"flow": "(1, 2, h, w) float32: u, v in pixels, where each pixel of the first went in the second"},
        "labels": ["u", "v"],
        "scores": {
            "protocol": "mean end-point error in px on pairs of validation people, by condition and largest "
            "displacement; benchmarks/results/micro_flow.md has people that nothing was chosen on",
            **scores,
        },
        "seed": recipe["seed"],
        "parameters": sum(p.numel() for p in network.parameters()),
        "settings": recipe,
        "limits": "All pictures moved synthetically. Movements beyond about 8 px, folds and what turns into sight are "
        "not known; below 0.1 px noise or compression may hide all there is.",
        "licence": "MIT; learned from data published for research use",
    }
    write_card(path, card)


def same_flow(network: MicroFlowNetwork, path: Path) -> None:
    """Make sure that the file computes what the network does, at another size than it was traced with.

    Raises
    ------
    RuntimeError
        Where it does not.
    """
    rng = np.random.default_rng(0)
    first = rng.uniform(0, 255, (1, 1, 160, 128)).astype(np.float32)
    second = np.roll(first, (1, 2), (2, 3))
    with torch.no_grad():
        expected = network(torch.from_numpy(first), torch.from_numpy(second))
    compare(path, {"first": first, "second": second}, [expected], most=TOLERANCE_PX)
