"""Write the recogniser ``fleeting`` as ONNX, with all of its preprocessing inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fleeting.labels import THREE_CLASSES
from fleeting.models.flow_net import SIDE
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.training.fleeting_recogniser import NEVER, FittedFleeting
from fleeting.training.flow_inputs import LIMIT, shrink_matrix

_OPSET = 13
_PIXELS = SIZE * SIZE
_SMALL = len(CHANNELS) * SIDE * SIDE


class _Graph:
    """Nodes and constants, added one by one."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Any] = {}

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        self.constants[name] = np.asarray(value, dtype)
        return name


def graph(model: FittedFleeting) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32."""
    g = _Graph()
    both = _both_ways(g, _standardised(g))
    kernel = _kernel(g, both, model)
    count = len(model.members.networks)
    small = [_network(g, both, network, f"net{i}") for i, network in enumerate(model.members.networks)]
    networks = g.add("Sum", small, "networks_sum") if count > 1 else small[0]
    share = g.constant("network_share", 1 / count)
    both_members = g.add("Add", [kernel, g.add("Mul", [networks, share], "networks")], "kernel_and_networks")
    known = g.constant("known", np.where(model.members.known, 0, 2 * NEVER))
    members = g.add("Add", [both_members, known], "members")
    logits = g.add("Mul", [members, g.constant("half_by_temperature", 0.5 / model.temperature)], "logits")
    g.add("Softmax", [logits], "probabilities", axis=1)
    built = helper.make_graph(
        g.nodes,
        "recogniser",
        [helper.make_tensor_value_info("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(THREE_CLASSES)])],
        [numpy_helper.from_array(value, name) for name, value in g.constants.items()],
    )
    network = helper.make_model(built, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="fleeting")
    network.ir_version = 8
    onnx.checker.check_model(network)
    return network


def _standardised(g: _Graph) -> str:
    """`motion.flow_image.standardised`, as (n, channel, 28, 28).

    ONNX has no median: the values of a channel are sorted down to their middle, whose two values are averaged.
    """
    g.constant("flat", [0, _PIXELS, len(CHANNELS)], np.int64)
    g.add("Reshape", [g.add("Cast", ["flow"], "values", to=TensorProto.FLOAT), "flat"], "pixels_last")
    g.add("Transpose", ["pixels_last"], "pixels", perm=[0, 2, 1])
    half = g.constant("half", [_PIXELS // 2 + 1], np.int64)
    g.nodes.append(helper.make_node("TopK", ["pixels", half], ["upper", "places"], axis=2, largest=1, sorted=1))
    for name, value in (("from", _PIXELS // 2 - 1), ("to", _PIXELS // 2 + 1), ("pixel_axis", 2)):
        g.constant(name, [value], np.int64)
    g.add("Slice", ["upper", "from", "to", "pixel_axis"], "middle")
    g.add("Sub", ["pixels", g.add("ReduceMean", ["middle"], "median", axes=[2], keepdims=1)], "centred")
    g.add("Sub", ["centred", g.add("ReduceMean", ["centred"], "mean", axes=[2], keepdims=1)], "about_mean")
    g.add("ReduceMean", [g.add("Mul", ["about_mean", "about_mean"], "squared")], "variance", axes=[2], keepdims=1)
    g.add("Max", [g.add("Sqrt", ["variance"], "deviation"), g.constant("least", 1e-3)], "spread")
    g.add("Div", ["centred", "spread"], "scaled")
    g.add("Clip", ["scaled", g.constant("low", -LIMIT), g.constant("high", LIMIT)], "cut")
    return g.add("Reshape", ["cut", g.constant("image", [0, len(CHANNELS), SIZE, SIZE], np.int64)], "standardised")


def _both_ways(g: _Graph, image: str) -> str:
    """`flow_inputs` of the images, and of their mirror images after them: (2 n, channel, 14, 14)."""
    shrink = shrink_matrix()
    g.add("MatMul", [g.constant("shrink_rows", shrink), image], "short")
    small = g.add("MatMul", ["short", g.constant("shrink_columns", shrink.T)], "small")
    g.add("Gather", [small, g.constant("backwards", np.arange(SIDE)[::-1], np.int64)], "turned", axis=3)
    sign = np.array([-1.0 if name == "u" else 1.0 for name in CHANNELS]).reshape(1, -1, 1, 1)
    g.add("Mul", ["turned", g.constant("sign", sign)], "mirrored")
    return g.add("Concat", [small, "mirrored"], "both_ways", axis=0)


def _mean_of_both(g: _Graph, values: str, width: int, name: str) -> str:
    """Mean of a row and its mirror image: (2 n, width) to (n, width)."""
    g.add("Reshape", [values, g.constant(f"{name}_pairs", [2, -1, width], np.int64)], f"{name}_both")
    return g.add("ReduceMean", [f"{name}_both"], f"{name}_mean", axes=[0], keepdims=0)


def _kernel(g: _Graph, both: str, model: FittedFleeting) -> str:
    """Logarithms of the kernel machine's probabilities (n, classes)."""
    # The projections are exact in 16 bits (`fourier_features`): half the file.
    projections = model.members.features.projections
    g.add("Cast", [g.constant("projections_16", projections, np.float16)], "projections", to=TensorProto.FLOAT)
    flat = g.add("Reshape", [both, g.constant("vector", [-1, _SMALL], np.int64)], "vectors")
    angle = g.add("MatMul", [flat, "projections"], "angle")
    waves = g.add("Concat", [g.add("Cos", [angle], "cosine"), g.add("Sin", [angle], "sine")], "waves", axis=1)
    count = projections.shape[1]
    mean = _mean_of_both(g, waves, 2 * count, "waves")
    weights = g.constant("kernel_weights", model.members.ridge / np.sqrt(count))
    return g.add("LogSoftmax", [g.add("MatMul", [mean, weights], "kernel_logits")], "kernel", axis=1)


def _network(g: _Graph, both: str, network: nn.Module, name: str) -> str:
    """Logarithms of a small network's probabilities (n, classes)."""
    x = both
    for i, layer in enumerate(network.children()):
        out = f"{name}_{i}"
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight, bias = (
                g.constant(f"{out}_{part}", getattr(layer, part).detach().numpy()) for part in ("weight", "bias")
            )
            if isinstance(layer, nn.Conv2d):
                margin = int(layer.padding[0])
                x = g.add("Conv", [x, weight, bias], out, pads=[margin] * 4, kernel_shape=list(layer.kernel_size))
            else:
                x = g.add("Gemm", [x, weight, bias], out, transB=1)
        elif isinstance(layer, nn.ReLU):
            x = g.add("Relu", [x], out)
        elif isinstance(layer, nn.AvgPool2d):
            side = [int(layer.kernel_size)] * 2  # type: ignore[arg-type]
            x = g.add("AveragePool", [x], out, kernel_shape=side, strides=side)
        elif isinstance(layer, nn.Flatten):
            x = g.add("Flatten", [x], out, axis=1)
        elif not isinstance(layer, nn.Dropout):
            raise TypeError(f"Expected a layer of models.flow_net; got {type(layer).__name__}.")
    return g.add("LogSoftmax", [_mean_of_both(g, x, len(THREE_CLASSES), name)], f"{name}_log", axis=1)
