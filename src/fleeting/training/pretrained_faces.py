"""The first layers of dlib's face recogniser, as a beginning for our own expression network.

27 thousand pictures are few to learn from what a face looks like; dlib's network has seen about three million. It tells
people apart by their faces, whatever these express, but its early layers find brows, lids and lips all the same, and
learning goes on from there. The weights are in the public domain (CC0), by Davis King; the package
``face_recognition_models`` carries them. Only their beginning is used: the first 21 of 29 convolutions, which are those
of the three finest scales, of 32, 64 and 128 channels.

Sources: King, "High quality face recognition with deep metric learning", dlib blog, 2017, for the network, a smaller
ResNet-34 of He et al. (CVPR 2016); dlib's ``dnn_face_recognition_ex.cpp`` for its layers.

Deviations and readings
-----------------------
- It expects faces of 150 pixels; ours have 48. Its first convolution, 7 x 7 at every second pixel, is turned into the
  5 x 5 at every pixel that does the same to a picture enlarged twice, and so sees faces of 96 pixels.
- It expects colours; the three weights of each place are added, which is the same for a grey picture.
- Its maps are cut at the edges where ours are padded.
- Its normalisations are fixed. Ours begin as the same maps on the training pictures, and follow them from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fleeting.errors import SettingsError
from fleeting.models.expression_net import AttentiveBlock, ExpressionNetwork
from fleeting.weights import checksum

WIDTHS, BLOCKS = (32, 64, 128), (3, 4, 3)
"""Size of the network that can begin with them."""

FILE = "dlib_face_recognition_resnet_model_v1.dat"
SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"

ORIGIN = "dlib's face recogniser by Davis King (CC0), trained on about three million faces: its first 21 convolutions"
INSTALL = "pip install face_recognition_models==0.3.0"

RANGE = 0.25
"""Deviation of the grey values of a face as the recogniser gets them, in which 1 is from black to white."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution and the fixed map of its channels behind it.

    Attributes
    ----------
    weight
        (outputs, inputs, k, k).
    bias, scale, shift
        (outputs,) each; the layer gives ``scale * (weight * x + bias) + shift``.
    """

    weight: Floats
    bias: Floats
    scale: Floats
    shift: Floats


def weights_file() -> Path:
    """Return where the installed package keeps the weights.

    Raises
    ------
    SettingsError
        Where it is not installed, or has another file.
    """
    # The package itself is not imported: it needs a module that setuptools no longer has.
    spec = find_spec("face_recognition_models")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = next((path for folder in folders if (path := Path(folder) / "models" / FILE).exists()), None)
    if found is None:
        raise SettingsError(
            "the package face_recognition_models, whose weights this recipe begins with",
            "none",
            f"Install it: {INSTALL}",
        )
    digest = checksum(found)
    if digest != SHA256:
        raise SettingsError(
            f"{FILE} with the SHA-256 {SHA256[:12]}…", f"{digest[:12]}…", f"Install the right one: {INSTALL}"
        )
    return found


def read_layers(content: bytes) -> list[Layer]:
    """Return the stem and the layers of the blocks at the three finest scales, in the order in which they run.

    dlib writes every tensor as the version 2, four sizes, and its values in single precision. A layer's parameters are
    one tensor, weights before biases, and a fixed map's one more; they are recognised by how many they are.

    Raises
    ------
    SettingsError
        Where they are not there.
    """
    place, layers = 0, []
    for outputs, inputs, side in shapes():
        weights = outputs * inputs * side**2
        values, place = _tensor(content, weights + outputs, place)
        fixed, place = _tensor(content, 2 * outputs, place)
        weight = values[:weights].reshape(outputs, inputs, side, side)
        layers.append(Layer(weight, values[weights:], fixed[:outputs], fixed[outputs:]))
    return layers


def shapes() -> list[tuple[int, int, int]]:
    """Return outputs, inputs and side of the convolutions of `read_layers`."""
    found, inputs = [(WIDTHS[0], 3, 7)], WIDTHS[0]
    for outputs, count in zip(WIDTHS, BLOCKS, strict=True):
        for _ in range(count):
            found += [(outputs, inputs, 3), (outputs, outputs, 3)]
            inputs = outputs
    return found


def _tensor(content: bytes, count: int, begin: int) -> tuple[Floats, int]:
    """Return the next tensor of so many values after a place, and where it ends."""
    header = _integer(2) + _integer(count) + _integer(1) * 3
    place = content.find(header, begin)
    end = place + len(header) + 4 * count
    if place < 0 or end > len(content):
        raise SettingsError(f"a tensor of {count} values in {FILE}", "none", f"Install the right one: {INSTALL}")
    return np.frombuffer(content, "<f4", count, place + len(header)).astype(np.float32), end


def _integer(value: int) -> bytes:
    """Return a number as dlib writes it: how many bytes it has, and these, the lowest first."""
    size = max((value.bit_length() + 7) // 8, 1)
    return bytes([size]) + value.to_bytes(size, "little")


def enlarged_twice(weight: Floats) -> Floats:
    """Return the (o, i, 5, 5) that does to a picture what an (o, i, 7, 7) at every second pixel does to its double.

    The double is interpolated in a line, pixels being areas; at the picture's edges both differ.
    """
    double = np.zeros((7, 5), np.float32)  # the pixels 2 i - 3 .. 2 i + 3 of the double from i - 2 .. i + 2
    for row, pixel in enumerate(range(-3, 4)):
        near, odd = divmod(pixel, 2)
        double[row, near + 2] = 0.75
        double[row, near + (3 if odd else 1)] = 0.25
    return np.asarray(np.einsum("oiyx,yv,xu->oivu", weight, double, double), np.float32)


@torch.no_grad()
def begin_with(network: nn.Module, layers: list[Layer], faces: Tensor) -> None:
    """Give our own network the weights of the recogniser, so that its last maps are the same.

    Parameters
    ----------
    network
        An `ExpressionNetwork` of the size `WIDTHS`, `BLOCKS` with a ``pooled`` stem.
    layers
        Of `read_layers`.
    faces
        (n, 1, 48, 48) standardised training pictures, a thousand or so: their normalisations begin as what these give.

    Raises
    ------
    SettingsError
        For another network.
    """
    if not isinstance(network, ExpressionNetwork) or (network.widths, network.blocks, network.stem_kind) != (
        WIDTHS,
        BLOCKS,
        "pooled",
    ):
        raise SettingsError(
            f"network = 'expression' of widths {list(WIDTHS)}, blocks {list(BLOCKS)} and stem = 'pooled'",
            "another",
            "Correct the recipe, or leave out pretrained.",
        )
    network.eval()
    stem, *rest = layers
    grey = Layer(enlarged_twice(stem.weight.sum(1, keepdims=True)) * RANGE, stem.bias, stem.scale, stem.shift)
    put_layer(network.stem[0], network.stem[1], grey, faces)
    maps = network.stem(faces)
    for block, first, second in zip(network.trunk, rest[::2], rest[1::2], strict=True):
        assert isinstance(block, AttentiveBlock)
        # Excitation begins as one half for every channel, from where it can grow or fall; the rest makes up for it.
        doubled = Layer(second.weight, second.bias, 2 * second.scale, 2 * second.shift)
        put_layer(block.first[0], block.first[1], first, maps)
        put_layer(block.second[0], block.second[1], doubled, torch.relu(block.first(maps)))
        last = block.excitation[2]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        last.weight.zero_()
        last.bias.zero_()
        if isinstance(block.beside, nn.Sequential):
            pool, conv, norm = block.beside
            put_layer(conv, norm, _widened(first.weight.shape[1], first.weight.shape[0]), pool(maps))
        maps = block(maps)


def _widened(inputs: int, outputs: int) -> Layer:
    """Return a layer that keeps all channels and adds empty ones, as the recogniser does beside its blocks."""
    same = np.zeros((outputs, inputs, 1, 1), np.float32)
    same[np.arange(inputs), np.arange(inputs)] = 1.0
    ones, zeros = np.ones(outputs, np.float32), np.zeros(outputs, np.float32)
    return Layer(same, zeros, ones, zeros)


@torch.no_grad()
def put_layer(conv: nn.Module, norm: nn.Module, layer: Layer, x: Tensor) -> None:
    """Set a convolution without a bias and the normalisation behind it, so that they do to `x` what `layer` does.

    Parameters
    ----------
    conv, norm
        Changed in place; what the normalisation has measured is what `x` gives, and each channel has a variance of 1.
    layer
        As many channels as `conv` has.
    x
        (n, inputs, h, w), what the convolution sees of training pictures.
    """
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    bias, scale, shift = (torch.from_numpy(v).to(x) for v in (layer.bias, layer.scale, layer.shift))
    conv.weight.copy_(torch.from_numpy(layer.weight))
    y = conv(x)
    mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=0)
    # A recogniser's weights are so small that a step of a usual length would wipe them out. What a normalisation
    # follows may have any scale: take that in which each channel has a variance of 1.
    deviation = (variance + norm.eps).sqrt()
    conv.weight.div_(deviation[:, None, None, None])
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean / deviation)
    norm.running_var.copy_(variance / deviation.square())
    norm.weight.copy_(scale * deviation * (norm.running_var + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * (mean + bias))
