"""Measure the shipped recogniser on labelled flow images."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from fleeting import weights
from fleeting.datasets import composite
from fleeting.errors import FleetingWarning
from fleeting.evaluation.benchmark.leakage import overlap
from fleeting.evaluation.benchmark.predictions import Predictions, scores
from fleeting.files import write_text


def evaluate_recogniser(data: str | Path, *, out: str | Path | None = None, name: str = "fleeting") -> dict[str, Any]:
    """Run a shipped recogniser on a file of flow images and score it.

    Parameters
    ----------
    data
        File in the layout of `datasets.composite`.
    out
        Folder for ``metrics.json`` and ``predictions.csv`` (one row per clip); nothing is written where None.
    name
        Of the shipped network.

    Returns
    -------
    dict
        The scores of `evaluation.benchmark.predictions.scores`, ``threshold``, ``model_sha256``,
        ``trained_on_these_subjects`` (whether any subject of the data is named in the card) and how many.

    Raises
    ------
    DataError
        Where the file cannot be used.
    OutputError
        Where the results cannot be written.

    Warns
    -----
    FleetingWarning
        Where the network was trained on subjects of the data: the scores are then no estimate for new people.
    """
    images = composite.read(data)
    card = weights.card(name)
    network = weights.session(name)
    probabilities = np.concatenate(
        [network.run(None, {"flow": images.flow[i : i + 256]})[0] for i in range(0, len(images), 256)]
    )
    answered = probabilities.max(1) >= card["unsure"]["threshold"]
    fold = np.full(len(images), "shipped")
    table = Predictions(fold, images.clip, images.subject, images.label, probabilities, answered)
    shared = overlap(card["subjects"], images.subject, people=True)
    if shared:
        warnings.warn(
            f"The recogniser was trained on {len(shared)} of these {len(np.unique(images.subject))} subjects "
            f"({', '.join(shared[:3])}, ...): these scores say nothing about new people. The card states honest ones.",
            FleetingWarning,
            stacklevel=2,
        )
    found = scores(table) | {
        "model": name,
        "model_sha256": card["sha256"],
        "threshold": card["unsure"]["threshold"],
        "trained_on_these_subjects": bool(shared),
        "subjects_trained_on": len(shared),
    }
    if out is not None:
        write_text(Path(out) / "predictions.csv", _table_text(table, card["labels"]))
        write_text(Path(out) / "metrics.json", json.dumps(found, indent=2) + "\n")
    return found


def _table_text(table: Predictions, labels: list[str]) -> str:
    import pandas as pd

    rows = pd.DataFrame({"fold": table.fold, "clip": table.clip, "subject": table.subject})
    rows["truth"] = [labels[i] for i in table.truth]
    rows["predicted"] = [labels[i] for i in table.predicted]
    rows["answered"] = table.answered
    rows[[f"p_{label}" for label in labels]] = table.probabilities
    return str(rows.to_csv(index=False))
