"""Write the linear recogniser as ONNX, with all of its preprocessing inside, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.recognisers.half_face.linear import LinearRecogniser
from fleeting.training.onnx_graph import PIXELS, Graph, standardised


def graph(model: LinearRecogniser) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32."""
    g = Graph()
    features = g.add("Flatten", [standardised(g, limit=model.limit)], "features", axis=1)
    # The features are (channel, pixel) here and (row, column, channel) in the model.
    weights = model.weights.transpose(2, 0, 1, 3).reshape(3 * PIXELS, -1) / np.float32(model.temperature)
    given = [g.constant("weights", weights), g.constant("bias", model.bias / np.float32(model.temperature))]
    g.add("Softmax", [g.add("Gemm", [features, *given], "logits")], "probabilities", axis=1)
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("recogniser", flow, ("probabilities", ["n", len(THREE_CLASSES)]))


def card(
    network: Path,
    *,
    threshold: float,
    subjects: list[str],
    clips: int,
    chosen: dict[str, Any],
    scores: dict[str, Any],
) -> dict[str, Any]:
    """Return the card of a written network, without its recipe."""
    return {
        "name": network.stem,
        "task": "recognise the emotion of a micro-expression from its flow image",
        "version": "1",
        "architecture": "softmax of one linear map of the standardised flow image; both halves of the face alike",
        "data": f"MEGC 2019 composite set, CASME II and SMIC parts: {clips} flow images (research use; not included)",
        "subjects": subjects,
        "preprocessing": (
            "flow from onset to apex on the canonical crop, head motion removed, as fleeting.motion.flow_image; the"
            " network itself subtracts the median of each channel, divides by its standard deviation and cuts off"
        ),
        "inputs": {"flow": {"shape": ["n", SIZE, SIZE, 3], "dtype": "uint8", "channels": list(CHANNELS)}},
        "outputs": {"probabilities": {"shape": ["n", len(THREE_CLASSES)], "dtype": "float32", "calibrated": True}},
        "labels": list(THREE_CLASSES),
        "unsure": {"label": UNSURE, "threshold": threshold},
        "chosen": chosen,
        "scores": scores,
        "limits": [
            "Trained on adults who were filmed frontally, in good light, in two laboratories.",
            "Knows three classes only; 'negative' lumps disgust, fear, sadness, anger and repression together.",
            "Raised brows are called surprise, in fear and often in sadness too; one-sided movements are often unsure"
            " (benchmarks/results/recogniser_transfer.md).",
            "Has no class for a movement without emotion, such as speech, chewing or a twitch.",
            "Probabilities are calibrated for the class frequencies of its training data.",
            "A micro-expression is not a lie, and about every fifth answer is wrong even on data like its own.",
        ],
        "licence": "MIT for the weights; the training data stays under its own research terms",
    }
