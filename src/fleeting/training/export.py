"""Networks as ONNX files with their cards: how every training ends."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.files import write_text
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
