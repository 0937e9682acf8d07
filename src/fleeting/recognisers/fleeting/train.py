"""Train the shipped recogniser on all subjects, calibrated on out-of-fold scores; write it as ONNX with its card."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto
from torch import nn

from fleeting.datasets import composite
from fleeting.datasets.samples import from_flow_images
from fleeting.files import make_folder, write_bytes
from fleeting.labels import THREE_CLASSES
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.recognisers.fleeting.fourier_ridge import Array
from fleeting.recognisers.fleeting.network import LIMIT, SIDE, shrink_matrix
from fleeting.recognisers.fleeting.recogniser import NEVER, FittedFleeting, Fleeting, FleetingSettings
from fleeting.recognisers.half_face.train import benchmark_scores, card_of
from fleeting.settings import to_dict
from fleeting.training import recipe as recipes
from fleeting.training.export import Graph, standardised, write_card

_SMALL = len(CHANNELS) * SIDE * SIDE


def graph(model: FittedFleeting) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32."""
    g = Graph()
    cut = standardised(g, limit=LIMIT)
    image = g.add("Reshape", [cut, g.constant("image", [0, len(CHANNELS), SIZE, SIZE], np.int64)], "standardised")
    both = both_ways(g, image)
    answers = kernel_answers(g, both, model.members.features.projections, model.members.ridge)
    kernel = g.add("LogSoftmax", [answers], "kernel", axis=1)
    count = len(model.members.networks)
    small = [_network(g, both, network, f"net{i}") for i, network in enumerate(model.members.networks)]
    networks = g.add("Sum", small, "networks_sum") if count > 1 else small[0]
    share = g.constant("network_share", 1 / count)
    both_members = g.add("Add", [kernel, g.add("Mul", [networks, share], "networks")], "kernel_and_networks")
    known = g.constant("known", np.where(model.members.known, 0, 2 * NEVER))
    members = g.add("Add", [both_members, known], "members")
    logits = g.add("Mul", [members, g.constant("half_by_temperature", 0.5 / model.temperature)], "logits")
    g.add("Softmax", [logits], "probabilities", axis=1)
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("recogniser", flow, ("probabilities", ["n", len(THREE_CLASSES)]))


def _network(g: Graph, both: str, network: nn.Module, name: str) -> str:
    """Logarithms of a small network's probabilities (n, classes)."""
    logits = network_logits(g, both, network, name)
    return g.add("LogSoftmax", [mean_of_both(g, logits, len(THREE_CLASSES), name)], f"{name}_log", axis=1)


def both_ways(g: Graph, image: str) -> str:
    """`flow_inputs` of the images, and of their mirror images after them: (2 n, channel, 14, 14)."""
    shrink = shrink_matrix()
    g.add("MatMul", [g.constant("shrink_rows", shrink), image], "short")
    small = g.add("MatMul", ["short", g.constant("shrink_columns", shrink.T)], "small")
    g.add("Gather", [small, g.constant("backwards", np.arange(SIDE)[::-1], np.int64)], "turned", axis=3)
    sign = np.array([-1.0 if name == "u" else 1.0 for name in CHANNELS]).reshape(1, -1, 1, 1)
    g.add("Mul", ["turned", g.constant("sign", sign)], "mirrored")
    return g.add("Concat", [small, "mirrored"], "both_ways", axis=0)


def mean_of_both(g: Graph, values: str, width: int, name: str) -> str:
    """Mean of a row and its mirror image: (2 n, width) to (n, width)."""
    g.add("Reshape", [values, g.constant(f"{name}_pairs", [2, -1, width], np.int64)], f"{name}_both")
    return g.add("ReduceMean", [f"{name}_both"], f"{name}_mean", axes=[0], keepdims=0)


def kernel_answers(g: Graph, both: str, projections: Array, ridge: Array) -> str:
    """Answers (n, classes) of a kernel machine to `both_ways`: projections (3 * 14 * 14, m), ridge (2 m, classes)."""
    # The projections are exact in 16 bits (`fourier_features`): half the file.
    g.add("Cast", [g.constant("projections_16", projections, np.float16)], "projections", to=TensorProto.FLOAT)
    flat = g.add("Reshape", [both, g.constant("vector", [-1, _SMALL], np.int64)], "vectors")
    angle = g.add("MatMul", [flat, "projections"], "angle")
    waves = g.add("Concat", [g.add("Cos", [angle], "cosine"), g.add("Sin", [angle], "sine")], "waves", axis=1)
    count = projections.shape[1]
    mean = mean_of_both(g, waves, 2 * count, "waves")
    weights = g.constant("kernel_weights", ridge / np.sqrt(count))
    return g.add("MatMul", [mean, weights], "kernel_logits")


def network_logits(g: Graph, x: str, network: nn.Module, name: str) -> str:
    """Add a small network, and return its outputs (2 n, classes) for `both_ways`."""
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
    return x


log = logging.getLogger(__name__)

SCORED_AS = "shipped"
"""Its entry in the result of ``benchmarks/fleeting``."""


@dataclass(frozen=True, slots=True)
class FleetingRecipe:
    """What `fleeting train` reads from ``recipes/fleeting.toml``.

    Attributes
    ----------
    task, name
        ``fleeting``, and the name of the network.
    data
        File of flow images, relative to the data folder.
    scores
        Result of the benchmark, relative to the recipe, whose entry `SCORED_AS` goes into the card; empty for none.
    seed
        Of synthetic movements, projections, networks and inner folds.
    """

    task: str = "fleeting"
    name: str = "fleeting"
    data: str = "composite_flow_casme2_smic.npz"
    scores: str = ""
    seed: int = 0


def train(recipe: Path, *, data: Path, out: Path, plan: FleetingSettings | None = None) -> None:
    """Train on all subjects of the recipe's data and write ``NAME.onnx`` and its card; `plan` replaces the defaults.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(FleetingRecipe, recipe)
    images = composite.read(data / wanted.data)
    kind = Fleeting(plan or FleetingSettings())
    fitted = kind.fit(from_flow_images(images), None, seed=wanted.seed)
    log.info("temperature %.3f, threshold %.2f", fitted.temperature, fitted.threshold)
    make_folder(out)
    network = out / f"{wanted.name}.onnx"
    write_bytes(network, graph(fitted).SerializeToString())
    card = card_of(
        network,
        threshold=fitted.threshold,
        subjects=sorted(map(str, np.unique(images.subject))),
        clips=len(images),
        chosen={"temperature": fitted.temperature},
        scores=benchmark_scores(recipe.parent / wanted.scores, SCORED_AS) if wanted.scores else {},
    )
    card |= {
        "version": "2",
        "architecture": (
            "mean of the logarithms of two members' probabilities, each the same for a face and its mirror image: ridge"
            " regression on random Fourier features, and a network of two convolutions that was first trained on"
            " synthetic movements"
        ),
        "data": card["data"] + f"; {kind.plan.synthetic.count} synthetic flow images of action units, without people",
        "recipe": to_dict(wanted) | {"settings": asdict(kind.plan)},
        "command": f"fleeting train recipes/{recipe.name} --data DATA --out OUT",
    }
    write_card(network, card)
