"""Train the shipped recogniser on all subjects, calibrated on laboratories held out; write it as ONNX with its card."""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from torch import nn

from fleeting.datasets import composite
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.errors import FleetingWarning
from fleeting.files import make_folder, write_bytes
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.recognisers.fleeting.fourier_ridge import Array
from fleeting.recognisers.fleeting.network import LIMIT, SIDE, shrink_matrix
from fleeting.recognisers.fleeting.recogniser import (
    NEVER,
    PROJECTIONS,
    STARTING_WEIGHTS,
    FittedFleeting,
    Fleeting,
    FleetingSettings,
    make_start,
)
from fleeting.settings import to_dict
from fleeting.training import recipe as recipes
from fleeting.training.action_units.moved_portraits import FilmSettings, kept_images
from fleeting.training.action_units.movements import classes_of
from fleeting.training.export import Graph, standardised, write_card

log = logging.getLogger(__name__)

_SMALL = len(CHANNELS) * SIDE * SIDE

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
    agreement
        Result of ``benchmarks/studies/flow_agreement.py``, which goes into the card too; empty for none.
    seed
        Of portraits, movements, projections and inner folds.
    films
        Moved portraits, which it starts from.
    settings
        Of the recogniser.
    """

    task: str = "fleeting"
    name: str = "fleeting"
    data: str = "composite_flow_three_labs.npz"
    scores: str = ""
    agreement: str = ""
    seed: int = 0
    films: FilmSettings = field(default_factory=FilmSettings)
    settings: FleetingSettings = field(default_factory=FleetingSettings)


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train on all subjects of the recipe's data and write ``NAME.onnx`` and its card ``NAME.json``.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    wanted = recipes.load(FleetingRecipe, recipe)
    samples = from_flow_images(composite.read(data / wanted.data))
    make_folder(out)
    images, units = kept_images(data, out, wanted.films, seed=wanted.seed)
    start = make_start(images, classes_of(units), wanted.settings.fourier, seed=wanted.seed)
    fitted = Fleeting(wanted.settings, start).fit(samples, None, seed=wanted.seed)
    log.info("temperature %.3f, threshold %.2f", fitted.temperature, fitted.threshold)
    network = out / f"{wanted.name}.onnx"
    write_bytes(network, graph(fitted).SerializeToString())
    scores = benchmark_scores(recipe.parent / wanted.scores) if wanted.scores else {}
    if wanted.agreement:
        scores |= {"flow_methods": flow_agreement(recipe.parent / wanted.agreement)}
    card = _card(network.stem, fitted, samples, scores) | {
        "recipe": {k: v for k, v in to_dict(wanted).items() if k not in ("films", "settings")}
        | {"films": asdict(wanted.films), "settings": asdict(wanted.settings)},
        "command": f"fleeting train recipes/{recipe.name} --data DATA --out OUT",
    }
    write_card(network, card)


def benchmark_scores(path: Path) -> dict[str, Any]:
    """Return the entry `SCORED_AS` of ``benchmarks/results/fleeting.json`` for a card.

    Warns
    -----
    FleetingWarning
        Where there is no such file: the card then states no scores.
    """
    if not path.is_file():
        warnings.warn(
            f"No benchmark result at '{path}', so the card states no scores; run benchmarks/fleeting first.",
            FleetingWarning,
            stacklevel=3,
        )
        return {}
    scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[SCORED_AS]
    return scores


def flow_agreement(path: Path) -> dict[str, Any]:
    """Return for a card how the flow images of each method agree with the truth, and what is named from them."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return {
        kind.lower(): {
            method: {
                "correlation": row["pairs"][f"truth, {method}"]["correlation"],
                "right": row["right"][method],
            }
            for method in row["milliseconds"]
        }
        for kind, row in found.items()
    }


def _card(name: str, fitted: FittedFleeting, samples: Samples, scores: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "task": "recognise the emotion of a micro-expression from its flow image",
        "version": "3",
        "architecture": (
            "ridge regression on random Fourier features, the same for a face and its mirror image; its weights start"
            " from those of portraits moved by known action units"
        ),
        "data": (
            f"{len(samples)} flow images of CASME II, SMIC and SAMM from the MEGC 2019 composite set (research use; not"
            " included); portraits of landmarks68 and interfaces_cc0, moved by known units and measured by this"
            " package's flow"
        ),
        "subjects": sorted(map(str, np.unique(samples.subject))),
        "preprocessing": (
            "flow from onset to apex on the canonical crop, head motion removed, as fleeting.motion.flow_image; the"
            " network itself subtracts the median of each channel, divides by its standard deviation and cuts off"
        ),
        "inputs": {"flow": {"shape": ["n", SIZE, SIZE, 3], "dtype": "uint8", "channels": list(CHANNELS)}},
        "outputs": {"probabilities": {"shape": ["n", len(THREE_CLASSES)], "dtype": "float32", "calibrated": True}},
        "labels": list(THREE_CLASSES),
        "unsure": {"label": UNSURE, "threshold": fitted.threshold},
        "chosen": {"temperature": fitted.temperature},
        "scores": scores,
        "limits": [
            "Trained on adults who were filmed frontally, in good light, in three laboratories.",
            "Knows three classes only; 'negative' lumps disgust, fear, sadness, anger and repression together.",
            "Raised brows are called surprise, in fear and often in sadness too; one-sided movements are often unsure"
            " (benchmarks/results/recogniser_transfer.md).",
            "Has no class for a movement without emotion, such as speech, chewing or a twitch.",
            "Probabilities are calibrated on laboratories held out, for classes as frequent as there.",
            "A micro-expression is not a lie, and about every fourth answer is wrong on people of another laboratory.",
        ],
        "licence": "MIT for the weights; the training data stays under its own research terms",
    }


def graph(model: FittedFleeting) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32."""
    g = Graph()
    cut = standardised(g, limit=LIMIT)
    image = g.add("Reshape", [cut, g.constant("image", [0, len(CHANNELS), SIZE, SIZE], np.int64)], "standardised")
    start = model.start
    answers = kernel_answers(g, both_ways(g, image), start.features.projections, start.prior, model.own)
    known = g.add("Add", [answers, g.constant("known", np.where(model.known, 0, NEVER))], "answers")
    logits = g.add("Mul", [known, g.constant("by_temperature", 1 / model.temperature)], "logits")
    g.add("Softmax", [logits], "probabilities", axis=1)
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("recogniser", flow, ("probabilities", ["n", len(THREE_CLASSES)]))


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


def kernel_answers(g: Graph, both: str, projections: Array, start: Array, own: Array) -> str:
    """Answers (n, classes) of a kernel machine to `both_ways`: projections (3 * 14 * 14, m), weights (2 m, classes).

    The weights of the start and what clips added to them are stored apart, so that another training can start there.
    """
    # The projections are exact in 16 bits (`fourier_features`): half the file.
    g.add("Cast", [g.constant(PROJECTIONS, projections, np.float16)], "projections", to=TensorProto.FLOAT)
    flat = g.add("Reshape", [both, g.constant("vector", [-1, _SMALL], np.int64)], "vectors")
    angle = g.add("MatMul", [flat, "projections"], "angle")
    waves = g.add("Concat", [g.add("Cos", [angle], "cosine"), g.add("Sin", [angle], "sine")], "waves", axis=1)
    count = projections.shape[1]
    mean = mean_of_both(g, waves, 2 * count, "waves")
    parts = ((STARTING_WEIGHTS, start), ("kernel_weights_own", own))
    weights = g.add("Add", [g.constant(name, part / np.sqrt(count)) for name, part in parts], "kernel_weights")
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
            raise TypeError(f"Expected a layer of network.flow_net; got {type(layer).__name__}.")
    return x
