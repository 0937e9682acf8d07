"""The expression networks as they answer, and the shipped ones as torch modules: ONNX Runtime gives no gradients.

The ONNX files hold what the networks learned, with each normalisation folded into the convolution before it. A network
is built, its normalisations are removed, and the layers take the weights of the file's in the order in which both are
run; `shipped_network` then holds the answers of both against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from fleeting import weights
from fleeting.errors import WeightsError
from fleeting.recognisers.deep_emotion.network import DeepEmotion, standardise
from fleeting.training.expression.network import ExpressionNetwork

SIDE = 48
CLOSE = 1e-3
"""Largest difference of a probability between the file and the module."""


@dataclass(frozen=True, slots=True)
class Views:
    """What a network sees of a picture; its answers for all of it are averaged.

    Attributes
    ----------
    flip
        The mirror image of each too.
    tilt_deg
        Where above 0, two copies tilted by so many degrees instead of the picture itself.
    zoom
        Share of the picture's sides that is seen. Below 1 the picture is interpolated, as every picture of training
        is, and less of what lies beyond a tilted picture's corners is made up.
    """

    flip: bool = True
    tilt_deg: float = 0.0
    zoom: float = 1.0

    def of(self, faces: Tensor) -> list[Tensor]:
        """Return what is seen of standardised pictures (n, 1, h, w), each of the same shape."""
        seen = [faces]
        if self.tilt_deg > 0 or self.zoom < 1:
            angles = (self.tilt_deg, -self.tilt_deg) if self.tilt_deg > 0 else (0.0,)
            seen = [standardise(_turned(faces, degrees, self.zoom)) for degrees in angles]
        return [x for face in seen for x in ([face, face.flip(3)] if self.flip else [face])]


def mean_logits(network: nn.Module, faces: Tensor, views: Views) -> Tensor:
    """Return the logits (n, 7) of standardised pictures (n, 1, h, w), the mean over what `views` shows of them."""
    seen = views.of(faces)
    # All in one batch: up to a third faster for a single face, of which the coarse maps have few places.
    logits: Tensor = network(torch.cat(seen))
    return logits.reshape(len(seen), -1, logits.shape[1]).mean(0) if len(seen) > 1 else logits


def _turned(faces: Tensor, degrees: float, zoom: float) -> Tensor:
    turn = zoom * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    theta = torch.tensor([[[turn[0], -turn[1], 0.0], [turn[1], turn[0], 0.0]]], dtype=torch.float32)
    height, width = (int(side) for side in faces.shape[2:])
    grid = functional.affine_grid(theta, [1, 1, height, width], align_corners=False).to(faces)
    grid = grid.expand(faces.shape[0], height, width, 2)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


class ExpressionAnswer(nn.Module):
    """From pictures (n, 48, 48) uint8 to probabilities (n, 7), with standardisation, `Views` and temperature."""

    def __init__(self, network: DeepEmotion | ExpressionNetwork, *, temperature: float, views: Views) -> None:
        super().__init__()
        self.network, self.temperature, self.views = network, temperature, views

    def forward(self, faces: Tensor) -> Tensor:
        """Return calibrated probabilities (n, 7) float32 in the order of `labels.SEVEN_CLASSES`."""
        return self.of_standardised(standardise(faces.unsqueeze(1).float()))

    def of_standardised(self, x: Tensor) -> Tensor:
        """Return the same for pictures (n, 1, 48, 48) that are standardised already."""
        logits = mean_logits(self.network, x, self.views)
        probabilities: Tensor = (logits / self.temperature).softmax(1)
        return probabilities


def shipped_network(name: str = "expression") -> ExpressionAnswer:
    """Return a shipped expression network as a torch module in evaluation mode.

    Parameters
    ----------
    name
        ``expression`` or ``deep_emotion``.

    Raises
    ------
    WeightsError
        Where the network is missing or damaged, or is another than this version builds.
    """
    return exported_network(weights.folder() / f"{name}.onnx", weights.card(name), weights.session(name))


def exported_network(path: Path, card: Mapping[str, Any], session: Any) -> ExpressionAnswer:
    """Return an exported expression network as a torch module in evaluation mode.

    Parameters
    ----------
    path
        The ONNX file, named as its network is: ``deep_emotion.onnx`` or ``expression.onnx``.
    card
        Its card.
    session
        A session of the file, whose answers the module's are held against.

    Raises
    ------
    WeightsError
        Where the file has other layers than this version builds, or the answers differ.
    """
    layers = _layers(path)
    try:
        network = DeepEmotion() if path.stem == "deep_emotion" else _network_like(layers)
        _fold(network)
        _fill(network, layers)
    except (ValueError, IndexError) as error:
        raise WeightsError(f"{path.name} of this version", f"other layers ({error})", "Reinstall fleeting.") from error
    answer = ExpressionAnswer(
        network.eval(), temperature=float(card["temperature"]), views=Views(**card["views"])
    ).eval()
    # Coarse blots: fine noise would be averaged away, and whatever the weights, the answers would agree.
    blots = np.random.default_rng(0).integers(0, 256, (8, 6, 6)).astype(np.uint8)
    faces = np.kron(blots, np.ones((8, 8), np.uint8))
    with torch.no_grad():
        difference = float(
            np.abs(answer(torch.from_numpy(faces)).numpy() - session.run(None, {"faces": faces})[0]).max()
        )
    if not difference <= CLOSE:
        raise WeightsError(
            f"the answers of {path.name} from its layers", f"a difference of {difference:.4f}", "Reinstall fleeting."
        )
    return answer


@dataclass(frozen=True, slots=True)
class _Layer:
    """Of a convolution or a linear layer; the stride of the latter is 1."""

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    stride: int


def _layers(path: Path) -> list[_Layer]:
    """Convolutions and linear layers in the order in which they run."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored = {t.name: np.asarray(numpy_helper.to_array(t), np.float32) for t in graph.initializer}
    origin = {name: name for name in stored}
    found: dict[str, _Layer] = {}
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in origin:
            origin[node.output[0]] = origin[node.input[0]]
        elif node.op_type in ("Conv", "Gemm"):
            weight, bias = (origin[name] for name in node.input[1:3])
            strides = next((list(a.ints) for a in node.attribute if a.name == "strides"), [1])
            found.setdefault(weight, _Layer(stored[weight], stored[bias], strides[0]))
    return list(found.values())


def _network_like(layers: list[_Layer]) -> ExpressionNetwork:
    """Build our own network in the size that the weights have.

    Raises
    ------
    ValueError
        Where there are not three scales.
    """
    stem, *trunk = (layer for layer in layers if layer.weight.shape[2:] in ((3, 3), (5, 5)))
    widths, blocks = [stem.weight.shape[0]], [0]
    for first in trunk[::2]:  # every block has two convolutions; the first of a scale halves the resolution
        if first.stride > 1:
            widths.append(first.weight.shape[0])
            blocks.append(0)
        blocks[-1] += 1
    (a, b, c), (d, e, f) = widths, blocks
    pooled = stem.weight.shape[2:] == (5, 5)
    return ExpressionNetwork(widths=(a, b, c), blocks=(d, e, f), stem="pooled" if pooled else "unshuffled")


def normalised(network: nn.Module) -> Iterator[tuple[str, nn.Sequential, int]]:
    """Yield each convolution with a normalisation behind it: name and module of the sequence of both, and its place."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            for place, (conv, norm) in enumerate(pairwise(module)):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    yield name, module, place


def _fold(network: nn.Module) -> None:
    """Give every convolution before a normalisation a bias, and remove the normalisation."""
    for _, sequence, place in list(normalised(network)):
        conv = sequence[place]
        assert isinstance(conv, nn.Conv2d)
        conv.bias = nn.Parameter(torch.zeros(conv.out_channels))
        sequence[place + 1] = nn.Identity()


def _fill(network: nn.Module, layers: list[_Layer]) -> None:
    """Put weights into the layers in the order in which these run.

    Raises
    ------
    ValueError
        Where number or shapes differ.
    """
    order: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda m, *_: order.append(m) if m not in order else None)
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, SIDE, SIDE))
        for hook in hooks:
            hook.remove()
        # The head of the votes teaches only; it is not in the file.
        answering = [module for module in order if module is not getattr(network, "votes", None)]
        for module, layer in zip(answering, layers, strict=True):
            assert isinstance(module, (nn.Conv2d, nn.Linear))
            assert module.bias is not None
            if module.weight.shape != layer.weight.shape:
                raise ValueError(f"{tuple(module.weight.shape)} and {layer.weight.shape}")
            module.weight.copy_(torch.from_numpy(layer.weight.copy()))
            module.bias.copy_(torch.from_numpy(layer.bias.copy()))
