"""Write the linear recogniser as ONNX, with all of its preprocessing inside, and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fleeting import weights
from fleeting.files import write_bytes
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.training.linear_recogniser import LinearRecogniser

_OPSET = 13
_PIXELS = SIZE * SIZE


def graph(model: LinearRecogniser) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32.

    ONNX has no median: the 28 x 28 values of a channel are sorted down to their middle by TopK, and the two in the
    middle are averaged.
    """
    constants: dict[str, Any] = {
        "flat": np.array([0, _PIXELS, 3], np.int64),
        "half": np.array([_PIXELS // 2 + 1], np.int64),
        "from": np.array([_PIXELS // 2 - 1], np.int64),
        "to": np.array([_PIXELS // 2 + 1], np.int64),
        "pixel_axis": np.array([2], np.int64),
        "least": np.array(1e-3, np.float32),
        "low": np.array(-model.limit, np.float32),
        "high": np.array(model.limit, np.float32),
        # The features are (channel, pixel) here and (row, column, channel) in the model.
        "weights": model.weights.transpose(2, 0, 1, 3).reshape(3 * _PIXELS, -1) / np.float32(model.temperature),
        "bias": model.bias / np.float32(model.temperature),
    }
    nodes = [
        helper.make_node("Cast", ["flow"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["values", "flat"], ["pixels_last"]),
        helper.make_node("Transpose", ["pixels_last"], ["pixels"], perm=[0, 2, 1]),
        helper.make_node("TopK", ["pixels", "half"], ["upper", "places"], axis=2, largest=1, sorted=1),
        helper.make_node("Slice", ["upper", "from", "to", "pixel_axis"], ["middle"]),
        helper.make_node("ReduceMean", ["middle"], ["median"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["pixels", "median"], ["centred"]),
        helper.make_node("ReduceMean", ["centred"], ["mean"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["centred", "mean"], ["about_mean"]),
        helper.make_node("Mul", ["about_mean", "about_mean"], ["squared"]),
        helper.make_node("ReduceMean", ["squared"], ["variance"], axes=[2], keepdims=1),
        helper.make_node("Sqrt", ["variance"], ["deviation"]),
        helper.make_node("Max", ["deviation", "least"], ["spread"]),
        helper.make_node("Div", ["centred", "spread"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["cut"]),
        helper.make_node("Flatten", ["cut"], ["features"], axis=1),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    built = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("flow", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(THREE_CLASSES)])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    network = helper.make_model(built, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="fleeting")
    network.ir_version = 8
    onnx.checker.check_model(network)
    return network


def write(model: LinearRecogniser, path: Path) -> None:
    """Write the model as an ONNX file."""
    write_bytes(path, graph(model).SerializeToString())


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
        "sha256": weights.checksum(network),
    }
