"""Networks as ONNX files with their cards: how every training ends.

`write_onnx` traces a network of torch; `Graph` is written node by node, for what is none.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from fleeting.files import write_text
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.weights import checksum
from fleeting.weights.runtime import open_network

log = logging.getLogger(__name__)

Axes = dict[int, str]


def write_onnx(
    network: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    axes: Axes | None = None,
) -> None:
    """Write a network as ONNX, opset 17.

    Parameters
    ----------
    network
        In the mode in which it is to be used.
    example
        Inputs by which it is traced.
    path
        To write to.
    inputs, outputs
        Names, in order.
    axes
        Names of the axes, the same for all inputs and outputs, whose length is free; the first one, ``n``, where None.
    """
    free = axes or {0: "n"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces the end of its older exporter, the one without onnxscript
        torch.onnx.export(
            network,
            example,
            str(path),
            dynamo=False,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: dict(free) for name in (*inputs, *outputs)},
            opset_version=17,
        )


def store_in_half(path: Path, *, least: int) -> None:
    """Store the weights of an ONNX file in half precision; a Cast widens each again when the file is opened.

    Parameters
    ----------
    path
        Of the file, which is written anew.
    least
        Tensors of fewer numbers stay as they are.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(path))
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < least:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{tensor.name}_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(half)
    for node in reversed(casts):
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def constants_of(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the constants of an ONNX file by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}


def compare(
    path: Path, inputs: Mapping[str, npt.NDArray[Any]], expected: Sequence[Any], *, most: float, of: str = "torch"
) -> float:
    """Return by how much the first answers of an ONNX file differ from those expected, at most.

    Parameters
    ----------
    path
        Of the file.
    inputs
        Arrays by name.
    expected
        What `of` answers to them, in the order of the file's answers; the others are not compared.
    most
        Largest difference that is right.
    of
        What the file was made from.

    Raises
    ------
    RuntimeError
        Where they differ by more.
    """
    given = open_network(path).run(None, dict(inputs))
    difference = max(float(np.abs(a - np.asarray(b)).max()) for a, b in zip(given, expected, strict=False))
    if not difference <= most:
        raise RuntimeError(f"The exported network differs from {of}'s by {difference:.3g}; {most:g} is expected.")
    return difference


def write_card(path: Path, card: Mapping[str, Any]) -> None:
    """Write the card of an ONNX file beside it, the file's SHA-256 at its end."""
    whole = {**card, "sha256": checksum(path)}
    write_text(path.with_suffix(".json"), json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    log.info("wrote %s (%d kB)", path, path.stat().st_size // 1000)


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
