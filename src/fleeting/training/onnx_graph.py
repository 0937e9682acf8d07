"""ONNX graphs written node by node, of what is no network of torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fleeting.motion.flow_image import CHANNELS, SIZE

_OPSET = 13
PIXELS = SIZE * SIZE


class Graph:
    """Nodes and constants, added one by one."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Any] = {}

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        self.constants[name] = np.asarray(value, dtype)
        return name

    def model(
        self, name: str, given: tuple[str, int, Sequence[Any]], found: tuple[str, Sequence[Any]]
    ) -> onnx.ModelProto:
        """Return the checked model.

        Parameters
        ----------
        name
            Of the graph.
        given
            Name, ONNX type and shape of its input.
        found
            Name and shape of its output, float32.
        """
        built = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info(*given)],
            [helper.make_tensor_value_info(found[0], TensorProto.FLOAT, found[1])],
            [numpy_helper.from_array(value, key) for key, value in self.constants.items()],
        )
        network = helper.make_model(built, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="fleeting")
        network.ir_version = 8
        onnx.checker.check_model(network)
        return network


def standardised(g: Graph, *, limit: float) -> str:
    """Add `motion.flow_image.standardised` of the input ``flow``, as (n, channel, 784).

    ONNX has no median: the values of a channel are sorted down to their middle, whose two values are averaged.
    """
    g.constant("flat", [0, PIXELS, len(CHANNELS)], np.int64)
    g.add("Reshape", [g.add("Cast", ["flow"], "values", to=TensorProto.FLOAT), "flat"], "pixels_last")
    g.add("Transpose", ["pixels_last"], "pixels", perm=[0, 2, 1])
    half = g.constant("half", [PIXELS // 2 + 1], np.int64)
    g.nodes.append(helper.make_node("TopK", ["pixels", half], ["upper", "places"], axis=2, largest=1, sorted=1))
    for name, value in (("from", PIXELS // 2 - 1), ("to", PIXELS // 2 + 1), ("pixel_axis", 2)):
        g.constant(name, [value], np.int64)
    g.add("Slice", ["upper", "from", "to", "pixel_axis"], "middle")
    g.add("Sub", ["pixels", g.add("ReduceMean", ["middle"], "median", axes=[2], keepdims=1)], "centred")
    g.add("Sub", ["centred", g.add("ReduceMean", ["centred"], "mean", axes=[2], keepdims=1)], "about_mean")
    g.add("ReduceMean", [g.add("Mul", ["about_mean", "about_mean"], "squared")], "variance", axes=[2], keepdims=1)
    g.add("Max", [g.add("Sqrt", ["variance"], "deviation"), g.constant("least", 1e-3)], "spread")
    g.add("Div", ["centred", "spread"], "scaled")
    return g.add("Clip", ["scaled", g.constant("low", -limit), g.constant("high", limit)], "cut")
