"""Networks of PyTorch as ONNX files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

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
