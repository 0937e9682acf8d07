"""Measure the shipped network of action units on flow images that people coded."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.datasets import composite
from fleeting.datasets.coded_clips import coded_images
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.samples import truth_of
from fleeting.errors import DataError, FleetingWarning
from fleeting.evaluation.benchmark.leakage import overlap
from fleeting.evaluation.unit_scores import UnitPredictions, unit_scores
from fleeting.files import csv_text, write_text
from fleeting.naming.action_units import MOVED, NAME, ActionUnitNet
from fleeting.records.action_units import as_text

_BATCH = 256


def evaluate_action_units(
    data: str | Path, *, out: str | Path | None = None, folder: Path | None = None, draws: int = 2000
) -> dict[str, Any]:
    """Run the network of action units on a file of flow images and score every unit.

    Parameters
    ----------
    data
        File in the layout of `datasets.composite` with ``action_units``. Clips that nobody coded are left out.
    out
        Folder for ``metrics.json`` and ``predictions.csv`` (one row per clip); nothing is written where None.
    folder
        Where the network and its card are; among the shipped ones where None.
    draws
        Bootstrap samples of subjects for the intervals.

    Returns
    -------
    dict
        Those of `unit_scores.unit_scores`; ``clips``, ``subjects``, ``left_out``; ``thresholds`` from which a unit is
        named; ``model``, ``model_sha256``, ``trained_on_these_subjects`` and ``subjects_trained_on``.

    Raises
    ------
    DataError
        Where the file cannot be used, or has no clip with units.
    WeightsError
        Where the network is missing or damaged.
    OutputError
        Where the results cannot be written.

    Warns
    -----
    FleetingWarning
        Where clips are left out, and where the network was trained on subjects of the data.
    """
    images, left_out = coded_images(composite.read(data), what=str(data))
    network = ActionUnitNet(folder=folder)
    card, units, least = network.card, network.labels, network.thresholds
    answers = np.concatenate([network(images.flow[i : i + _BATCH]) for i in range(0, len(images), _BATCH)])
    if answers.ndim != 3 or answers.shape[1] != len(units):
        raise DataError(f"answers for {len(units)} units", f"shape {answers.shape}", "Train the network anew.")
    probabilities = answers[:, :, MOVED]
    truth = truth_of(images.action_units or (), units)
    table = UnitPredictions(units, truth, probabilities, probabilities >= least, images.subject)
    shared = overlap(card["subjects"], images.subject, people=True)
    if shared:
        warnings.warn(
            f"The network was trained on {len(shared)} of these {len(np.unique(images.subject))} subjects "
            f"({', '.join(shared[:3])}, ...): these scores say nothing about new people. The card states honest ones.",
            FleetingWarning,
            stacklevel=2,
        )
    found = unit_scores([table], draws=draws) | {
        "clips": len(images),
        "subjects": len(np.unique(images.subject)),
        "left_out": left_out,
        "thresholds": {name: float(value) for name, value in zip(units, least, strict=True)},
        "model": NAME,
        "model_sha256": card["sha256"],
        "trained_on_these_subjects": bool(shared),
        "subjects_trained_on": len(shared),
    }
    if out is not None:
        write_text(Path(out) / "predictions.csv", _table_text(images, table))
        write_text(Path(out) / "metrics.json", json.dumps(found, indent=2) + "\n")
    return found


def _table_text(images: FlowImages, table: UnitPredictions) -> str:
    header = ["clip", "subject", "coded", "named", *(f"p_{unit}" for unit in table.units)]
    coded = [as_text(cell) for cell in images.action_units or ()]
    named = ["+".join(np.array(table.units)[said]) for said in table.predicted]
    rows = zip(images.clip, images.subject, coded, named, table.probabilities.tolist(), strict=True)
    return csv_text(header, [(clip, subject, *units, *shares) for clip, subject, *units, shares in rows])
