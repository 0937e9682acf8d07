"""Train and write the system of flow images as it is shipped: ONNX with its card, no pickle.

``fleeting train recipes/flow_svm.toml --data ../shared/data --out runs/flow_svm``
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from fleeting import metrics
from fleeting.datasets import composite
from fleeting.datasets.samples import Samples, from_flow_images
from fleeting.files import make_folder, write_bytes
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.recognisers.flow_svm.recogniser import FittedFlowSvm, FlowSvmSettings, flow_svm_of_images
from fleeting.training import recipe as recipes
from fleeting.training.export import Graph, compare, write_card

log = logging.getLogger(__name__)

NAME = "flow_svm"
VALUES = 72
ABSTAIN = 0.5
"""Below this probability of the best class the answer is "unsure"."""


@dataclass(frozen=True, slots=True)
class FlowSvmRecipe:
    """What `fleeting train` reads from ``recipes/flow_svm.toml``.

    Attributes
    ----------
    task
        Always ``flow_svm``.
    flow
        File of flow images.
    seed
        Deals subjects to inner folds.
    """

    task: str = "flow_svm"
    flow: str = "composite_flow_casme2_smic.npz"
    seed: int = 0


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Measure by leave-one-subject-out, fit on all rows, and write ``flow_svm.onnx`` and ``flow_svm.json``.

    Raises
    ------
    DataError
        Where the flow images are missing.
    """
    how = recipes.load(FlowSvmRecipe, recipe)
    samples = from_flow_images(composite.read(data / how.flow))
    scores = held_out_scores(samples, seed=how.seed)
    log.info("leave-one-subject-out: %s", scores)
    fitted = flow_svm_of_images().fit(samples, None, seed=how.seed)
    make_folder(out)
    path = out / f"{NAME}.onnx"
    write_bytes(path, graph(fitted).SerializeToString())
    same_answers(fitted, flow_svm_of_images().features(samples), path)
    write_card(path, card(fitted, samples, scores, how))


def held_out_scores(samples: Samples, *, seed: int) -> dict[str, Any]:
    """UF1, UAR and how often it answers, each subject held out once; all choices inside the fold."""
    system = flow_svm_of_images()
    found = np.zeros((len(samples), len(samples.classes)), np.float32)
    for subject in np.unique(samples.subject):
        test = samples.subject == subject
        found[test] = system.fit(samples.select(~test), None, seed=seed).probabilities(samples.select(test))
    said, sure = found.argmax(1), found.max(1) >= ABSTAIN
    return {
        "protocol": "leave one subject out, pooled; all choices on inner folds over the other subjects",
        "uf1": round(metrics.uf1(samples.label, said, classes=len(samples.classes)), 4),
        "uar": round(metrics.uar(samples.label, said, classes=len(samples.classes)), 4),
        "answered": round(float(sure.mean()), 4),
        "right_of_answered": round(float((said == samples.label)[sure].mean()), 4),
    }


def graph(fitted: FittedFlowSvm) -> onnx.ModelProto:
    """Return the fitted machine as an ONNX graph from features (n, 72) float32 to probabilities (n, 3) float32.

    Raises
    ------
    ValueError
        Where a class had no training rows.
    """
    if len(fitted.known) != fitted.classes:
        raise ValueError("Expected training rows of every class.")
    scale, components = fitted.tail["scale"], fitted.tail["components"]
    machines = fitted.tail["machine"].estimators_
    vectors = np.concatenate([m.support_vectors_ for m in machines])
    duals = np.zeros((len(vectors), len(machines)))
    first = 0
    for column, machine in enumerate(machines):
        last = first + len(machine.support_vectors_)
        duals[first:last, column] = machine.dual_coef_[0]
        first = last
    gamma = float(machines[0].gamma)
    # One affine map does what standardisation and rotation do: (x - mean) / scale - centre, times the components.
    turn = components.components_.T / scale.scale_[:, None]
    shift = -(scale.mean_ / scale.scale_ + components.mean_) @ components.components_.T
    g = Graph()
    x = g.add("Gemm", ["features", g.constant("turn", turn), g.constant("shift", shift)], "x")
    squares = g.add("ReduceSumSquare", [x], "squares", axes=[1], keepdims=1)
    others = [g.constant("minus_twice_vectors", -2 * vectors.T), g.constant("squares_of_vectors", (vectors**2).sum(1))]
    distances = g.add("Add", [g.add("Gemm", [x, *others], "without_squares"), squares], "distances")
    kernel = g.add("Exp", [g.add("Mul", [distances, g.constant("minus_gamma", -gamma)], "exponents")], "kernel")
    offset = np.array([m.intercept_[0] for m in machines]) / fitted.temperature
    weights = [g.constant("duals", duals / fitted.temperature), g.constant("offset", offset)]
    g.add("Softmax", [g.add("Gemm", [kernel, *weights], "margins")], "probabilities", axis=1)
    return g.model(NAME, ("features", TensorProto.FLOAT, ["n", VALUES]), ("probabilities", ["n", fitted.classes]))


def same_answers(fitted: FittedFlowSvm, features: npt.NDArray[np.float32], path: Path) -> None:
    """Make sure that the file answers as scikit-learn does.

    Raises
    ------
    RuntimeError
        Where it does not.
    """
    compare(path, {"features": features}, [fitted.of_rows(features)], most=1e-3, of="scikit-learn")


def card(fitted: FittedFlowSvm, samples: Samples, scores: dict[str, Any], how: FlowSvmRecipe) -> dict[str, Any]:
    """Return the card of the written machine."""
    return {
        "name": NAME,
        "task": "recognise the emotion of a micro-expression from the main directions of its flow in 36 regions",
        "version": "1",
        "architecture": "standardised, principal components, one RBF support vector machine per class (Li et al. 2019)",
        "data": f"MEGC 2019 composite set, CASME II and SMIC parts: {len(samples)} flow images (research use; not"
        " included)",
        "subjects": sorted({str(s) for s in samples.subject}),
        "recipe": "recipes/flow_svm.toml",
        "command": "fleeting train recipes/flow_svm.toml --data ../shared/data --out runs/flow_svm",
        "preprocessing": "flow image (fleeting.motion.flow_image), then fleeting.motion.image_directions",
        "inputs": {"features": {"shape": ["n", VALUES], "dtype": "float32"}},
        "outputs": {"probabilities": {"shape": ["n", len(THREE_CLASSES)], "dtype": "float32", "calibrated": True}},
        "labels": list(THREE_CLASSES),
        "unsure": {"label": UNSURE, "threshold": ABSTAIN},
        "chosen": fitted.chosen | {"temperature": round(fitted.temperature, 3)},
        "settings": asdict(FlowSvmSettings()) | asdict(how),
        "scores": scores,
        "limits": [
            "Trained on adults who were filmed frontally, in good light, in two laboratories.",
            "A flow image has lost the size of the movement, and keeps u and v only as the strain tells them apart.",
            "Knows three classes only, and none for a movement without emotion.",
            "A micro-expression is not a lie, and about every fourth answer is wrong even on data like its own.",
        ],
        "licence": "MIT for the weights; the training data stays under its own research terms",
    }
