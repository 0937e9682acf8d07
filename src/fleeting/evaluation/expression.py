"""Measure the shipped expression networks on labelled faces.

Task: a grey picture of 48 x 48, cropped to the face, gets one of seven classes.

Conventions: the most probable class counts. Accuracy is the share of right answers over all scored pictures, as is
usual for FER-2013; UF1, UAR and calibration error as in `metrics`; the log loss is the mean of minus the
natural logarithm of the true class's probability. Where a file holds test parts beside its Training part, Training is
left out: the networks were trained on it. Pictures are not checked for being near copies of training pictures.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import metrics, weights
from fleeting.datasets import fer2013
from fleeting.errors import FleetingWarning
from fleeting.evaluation.calibration_curves import reliability
from fleeting.files import csv_text, write_text
from fleeting.labels import SEVEN_CLASSES

NETWORKS: dict[str, str] = {"deep-emotion": "deep_emotion", "expression": "expression"}
"""What ``fleeting evaluate`` calls a network, and the name of its files."""


def evaluate_expression(
    data: str | Path, *, model: str = "expression", out: str | Path | None = None
) -> dict[str, Any]:
    """Run a shipped expression network on labelled faces and score it.

    Parameters
    ----------
    data
        File or folder in a layout of `datasets.fer2013`.
    model
        A key of `NETWORKS`.
    out
        Folder for ``metrics.json`` and ``predictions.csv`` (one row per picture); nothing is written where None.

    Returns
    -------
    dict
        Those of `summarise`, ``accuracy_by_part``, ``left_out`` (Training pictures that were not scored),
        ``pictures_per_s`` on one thread, ``model`` and ``model_sha256``.

    Raises
    ------
    DataError
        Where the data cannot be used.
    OutputError
        Where the results cannot be written.

    Warns
    -----
    FleetingWarning
        Where Training pictures are left out, or are all that there is.
    """
    faces = fer2013.read(data)
    training = faces.part == fer2013.TRAINING
    left_out = 0
    if training.any():
        if training.all():
            said = "The networks were trained on FER-2013's Training part: these scores say nothing about new pictures."
        else:
            left_out = int(training.sum())
            faces = faces.select(~training)
            said = f"{left_out} Training pictures are left out: the networks were trained on that part."
        warnings.warn(said, FleetingWarning, stacklevel=2)
    name = NETWORKS[model]
    network = weights.session(name)
    begun = time.perf_counter()
    probabilities = np.concatenate(
        [network.run(None, {"faces": faces.pictures[i : i + 64]})[0] for i in range(0, len(faces), 64)]
    )
    seconds = time.perf_counter() - begun
    found = summarise(probabilities, faces.label) | {
        "accuracy_by_part": {
            str(part): round(float((probabilities.argmax(1) == faces.label)[faces.part == part].mean()), 4)
            for part in np.unique(faces.part[faces.part != ""])
        },
        "left_out": left_out,
        "pictures_per_s": round(len(faces) / max(seconds, 1e-9), 1),
        "model": model,
        "model_sha256": weights.card(name)["sha256"],
    }
    if out is not None:
        write_text(Path(out) / "predictions.csv", _table(faces, probabilities))
        write_text(Path(out) / "metrics.json", json.dumps(found, indent=2) + "\n")
    return found


def summarise(probabilities: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return the scores of probabilities (n, 7) for class indices (n,).

    ``pictures``, ``accuracy``, ``uf1``, ``uar``, ``log_loss``, ``ece``; ``by_class`` with ``pictures``, ``recall``,
    ``precision`` and ``f1`` of every class that occurs; ``confusion`` (rows truth, columns prediction, in the order of
    ``classes``); ``reliability`` as `calibration_curves.reliability` gives it.
    """
    classes = len(SEVEN_CLASSES)
    predicted = np.asarray(probabilities.argmax(1), np.int64)
    counts = metrics.confusion(truth, predicted, classes=classes)
    by_class: dict[str, dict[str, float | int | None]] = {}
    for k, name in enumerate(SEVEN_CLASSES):
        right, actual, said = int(counts[k, k]), int(counts[k].sum()), int(counts[:, k].sum())
        if actual:
            by_class[name] = {
                "pictures": actual,
                "recall": round(right / actual, 4),
                "precision": round(right / said, 4) if said else None,
                "f1": round(2 * right / (actual + said), 4),
            }
    likelihood = np.maximum(probabilities[np.arange(len(truth)), truth].astype(np.float64), 1e-12)
    return {
        "pictures": len(truth),
        "accuracy": round(metrics.accuracy(truth, predicted, classes=classes), 4),
        "uf1": round(metrics.uf1(truth, predicted, classes=classes), 4),
        "uar": round(metrics.uar(truth, predicted, classes=classes), 4),
        "log_loss": round(float(-np.log(likelihood).mean()), 4),
        "ece": round(metrics.calibration_error(probabilities, truth), 4),
        "classes": list(SEVEN_CLASSES),
        "by_class": by_class,
        "confusion": counts.tolist(),
        "reliability": reliability(probabilities, truth),
    }


def _table(faces: fer2013.FacePictures, probabilities: npt.NDArray[np.float32]) -> str:
    header = ("picture", "part", "truth", "predicted", *(f"p_{name}" for name in SEVEN_CLASSES))
    truth, predicted = ([SEVEN_CLASSES[k] for k in found] for found in (faces.label, probabilities.argmax(1)))
    columns = (map("{:.5f}".format, column) for column in probabilities.T)
    return csv_text(header, zip(faces.name, faces.part, truth, predicted, *columns, strict=True))
