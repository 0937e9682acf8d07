"""Train the recogniser of flow images and write it as ONNX, with all of its preprocessing inside, and its card.

Settings are chosen on inner folds and calibrated on out-of-fold scores; then everybody is fitted on.
"""

from __future__ import annotations

import itertools
import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from fleeting.datasets import composite
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.samples import Samples
from fleeting.errors import FleetingWarning
from fleeting.files import make_folder, write_bytes
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.motion.flow_image import CHANNELS, SIZE
from fleeting.recognisers.folds.inner_folds import subject_folds
from fleeting.recognisers.half_face.linear import (
    LinearRecogniser,
    LinearSettings,
    fit,
    fit_features,
    half_features,
    softmax,
)
from fleeting.settings import to_dict
from fleeting.training import recipe as recipes
from fleeting.training.calibration import fit_temperature, fit_threshold, log_loss
from fleeting.training.export import PIXELS, Graph, standardised, write_card
from fleeting.training.recipe import Count, Range, Share

log = logging.getLogger(__name__)

SCORED_AS = "logistic of half faces"
"""Its entry in the result of ``benchmarks/fleeting``."""


@dataclass(frozen=True, slots=True)
class RecogniserRecipe:
    """What `fleeting train` reads from ``recipes/half_face.toml``.

    Attributes
    ----------
    task, name
        ``half_face``, and the name of the network.
    data
        File of flow images, relative to the data folder.
    scores
        Result of the benchmark, relative to the recipe, whose entry `SCORED_AS` goes into the card; empty for none.
    seed
        Decides the dealing of subjects to inner folds; the fit itself has no chance in it.
    inner_folds, inner_repeats
        Folds over the training subjects, and how often they are dealt anew.
    blur, strength, limit
        Candidates of `LinearSettings`; every combination is tried.
    target_accuracy
        Accuracy wanted among the answers that are not "unsure".
    """

    task: str = "half_face"
    name: str = "half_face"
    data: str = "composite_flow_casme2_smic.npz"
    scores: str = ""
    seed: int = 0
    inner_folds: Annotated[int, Range(2)] = 5
    inner_repeats: Count = 2
    blur: tuple[float, ...] = (1.0, 1.5, 2.0)
    strength: tuple[float, ...] = (5e-4, 1e-3, 2e-3)
    limit: tuple[float, ...] = (3.0,)
    target_accuracy: Share = 0.9

    def candidates(self) -> tuple[LinearSettings, ...]:
        """Every combination of the candidate values."""
        grid = itertools.product(self.blur, self.strength, self.limit)
        return tuple(LinearSettings(blur=b, strength=s, limit=cut) for b, s, cut in grid)


@dataclass(frozen=True, slots=True)
class FittedRecogniser:
    """A calibrated model with its threshold, and how it was chosen.

    Attributes
    ----------
    model
        Fitted on all training rows, temperature set.
    threshold
        Below this probability of the best class the answer is "unsure".
    chosen
        The settings with the smallest inner loss.
    inner_loss
        Class-balanced log loss of every candidate on the inner folds, in nats, in the order of the candidates.
    """

    model: LinearRecogniser
    threshold: float
    chosen: LinearSettings
    inner_loss: tuple[float, ...]

    def probabilities(self, samples: Samples) -> npt.NDArray[np.float32]:
        """Return calibrated (n, classes)."""
        return self.model.probabilities(samples.flow_images())


def out_of_fold_logits(
    train: FlowImages, settings: LinearSettings, recipe: RecogniserRecipe
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return logits of every training row from models that have not seen its subject.

    Returns
    -------
    logits
        (repeats * n, classes) float32.
    truth
        (repeats * n,) int64.
    """
    logits = np.empty((recipe.inner_repeats, len(train), 3), np.float32)
    features = half_features(train.flow, settings)
    for repeat in range(recipe.inner_repeats):
        for fold in subject_folds(train.subject, folds=recipe.inner_folds, seed=recipe.seed + repeat):
            model = fit_features(features[fold.train], train.label[fold.train], settings)
            logits[repeat, fold.validation] = model.logits(train.flow[fold.validation])
    return logits.reshape(-1, 3), np.tile(train.label, recipe.inner_repeats)


def fit_recogniser(train: FlowImages, recipe: RecogniserRecipe) -> FittedRecogniser:
    """Choose, calibrate and fit on training rows only.

    The candidate with the smallest class-balanced log loss on the inner folds wins (each at its own temperature):
    smoother than UF1, which jumps with single clips. Temperature and threshold come from the winner's out-of-fold
    logits. Then the winner is fitted on all rows.

    Parameters
    ----------
    train
        Training rows of at least `inner_folds` subjects. There is no test argument.
    recipe
        Candidates and folds.
    """
    outcomes = []
    for candidate in recipe.candidates():
        logits, truth = out_of_fold_logits(train, candidate, recipe)
        temperature = fit_temperature(logits, truth)
        outcomes.append((log_loss(logits, truth, temperature, balanced=True), logits, truth, temperature))
    best = int(np.argmin([o[0] for o in outcomes]))
    _, logits, truth, temperature = outcomes[best]
    chosen = recipe.candidates()[best]
    threshold = fit_threshold(softmax(logits / temperature), truth, target=recipe.target_accuracy)
    return FittedRecogniser(
        model=fit(train, chosen).with_temperature(temperature),
        threshold=threshold,
        chosen=chosen,
        inner_loss=tuple(o[0] for o in outcomes),
    )


def train(recipe: Path, *, data: Path, out: Path) -> None:
    """Train on all subjects of the recipe's data and write ``NAME.onnx`` and its card ``NAME.json``.

    Raises
    ------
    SettingsError, DataError
        Where the recipe or the data cannot be used.
    OutputError
        Where the results cannot be written.
    """
    plan = recipes.load(RecogniserRecipe, recipe)
    images = composite.read(data / plan.data)
    fitted = fit_recogniser(images, plan)
    log.info("chosen %s, temperature %.3f, threshold %.2f", fitted.chosen, fitted.model.temperature, fitted.threshold)
    make_folder(out)
    network = out / f"{plan.name}.onnx"
    write_bytes(network, graph(fitted.model).SerializeToString())
    card = card_of(
        network,
        threshold=fitted.threshold,
        subjects=sorted(map(str, np.unique(images.subject))),
        clips=len(images),
        chosen={**asdict(fitted.chosen), "temperature": fitted.model.temperature},
        scores=benchmark_scores(recipe.parent / plan.scores, SCORED_AS) if plan.scores else {},
    )
    card["recipe"] = to_dict(plan)
    card["command"] = f"fleeting train recipes/{recipe.name} --data DATA --out OUT"
    write_card(network, card)


def benchmark_scores(path: Path | None, entry: str) -> dict[str, Any]:
    """Return an entry of ``benchmarks/results/fleeting.json`` for a card.

    Warns
    -----
    FleetingWarning
        Where there is no such file: the card then states no scores.
    """
    if path is None or not path.is_file():
        warnings.warn(
            f"No benchmark result at '{path}', so the card states no scores; run benchmarks/fleeting first.",
            FleetingWarning,
            stacklevel=3,
        )
        return {}
    scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[entry]
    return scores


def graph(model: LinearRecogniser) -> onnx.ModelProto:
    """Return the model as an ONNX graph from flow images (n, 28, 28, 3) uint8 to probabilities (n, classes) float32."""
    g = Graph()
    features = g.add("Flatten", [standardised(g, limit=model.limit)], "features", axis=1)
    # The features are (channel, pixel) here and (row, column, channel) in the model.
    weights = model.weights.transpose(2, 0, 1, 3).reshape(3 * PIXELS, -1) / np.float32(model.temperature)
    given = [g.constant("weights", weights), g.constant("bias", model.bias / np.float32(model.temperature))]
    g.add("Softmax", [g.add("Gemm", [features, *given], "logits")], "probabilities", axis=1)
    flow = ("flow", TensorProto.UINT8, ["n", SIZE, SIZE, len(CHANNELS)])
    return g.model("recogniser", flow, ("probabilities", ["n", len(THREE_CLASSES)]))


def card_of(
    network: Path,
    *,
    threshold: float,
    subjects: list[str],
    clips: int,
    chosen: dict[str, Any],
    scores: dict[str, Any],
) -> dict[str, Any]:
    """Return the card of a written network, without its recipe."""
    return {
        "name": network.stem,
        "task": "recognise the emotion of a micro-expression from its flow image",
        "version": "1",
        "architecture": "softmax of one linear map of the standardised flow image; both halves of the face alike",
        "data": f"MEGC 2019 composite set, CASME II and SMIC parts: {clips} flow images (research use; not included)",
        "subjects": subjects,
        "preprocessing": (
            "flow from onset to apex on the canonical crop, head motion removed, as fleeting.motion.flow_image; the"
            " network itself subtracts the median of each channel, divides by its standard deviation and cuts off"
        ),
        "inputs": {"flow": {"shape": ["n", SIZE, SIZE, 3], "dtype": "uint8", "channels": list(CHANNELS)}},
        "outputs": {"probabilities": {"shape": ["n", len(THREE_CLASSES)], "dtype": "float32", "calibrated": True}},
        "labels": list(THREE_CLASSES),
        "unsure": {"label": UNSURE, "threshold": threshold},
        "chosen": chosen,
        "scores": scores,
        "limits": [
            "Trained on adults who were filmed frontally, in good light, in two laboratories.",
            "Knows three classes only; 'negative' lumps disgust, fear, sadness, anger and repression together.",
            "Raised brows are called surprise, in fear and often in sadness too; one-sided movements are often unsure"
            " (benchmarks/results/recogniser_transfer.md).",
            "Has no class for a movement without emotion, such as speech, chewing or a twitch.",
            "Probabilities are calibrated for the class frequencies of its training data.",
            "A micro-expression is not a lie, and about every fifth answer is wrong even on data like its own.",
        ],
        "licence": "MIT for the weights; the training data stays under its own research terms",
    }
