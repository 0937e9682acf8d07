"""What must hold of every fold before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from fleeting.errors import DataError
from fleeting.evaluation.benchmark.data import BenchmarkData
from fleeting.evaluation.benchmark.duplicates import near_duplicates
from fleeting.evaluation.benchmark.leakage import require_disjoint, require_no_pair_across, require_unseen
from fleeting.evaluation.benchmark.splits import Fold

SIDES: tuple[str, ...] = ("train", "validation", "test")


class Checked(Protocol):
    """What is asked of a model, whatever its task."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def needs(self) -> Literal["flow", "sequence"]:
        """The array of `Samples` that is compared in search of copies."""
        ...


def require_honest(data: BenchmarkData, folds: Sequence[Fold], model: Checked) -> None:
    """Raise where a fold leaks or cannot be trained.

    Parameters
    ----------
    data
        All clips.
    folds
        Folds over its rows.
    model
        The recogniser, or spotter. Where it has an attribute ``subjects_seen`` (of a checkpoint or a card), none of
        these may be in a test.

    Raises
    ------
    LeakageError
        For a clip, subject or source video on two sides of a fold, near-duplicate clips across a split, and a test
        subject that the model was trained on before.
    DataError
        For a fold without training or test clips, a class that a fold has no training clip of, and data without what
        the recogniser reads.
    """
    samples = data.samples
    if getattr(samples, model.needs) is None:
        raise DataError(
            f"clips with '{model.needs}' for the model '{model.name}'", "clips without", "Prepare the data for it."
        )
    pairs = near_duplicates(samples)
    seen = tuple(getattr(model, "subjects_seen", ()))
    for fold in folds:
        rows = {side: getattr(fold, side) for side in SIDES}
        if not len(rows["train"]) or not len(rows["test"]):
            empty = "training" if not len(rows["train"]) else "test"
            raise DataError(f"{empty} clips in fold '{fold.id}'", "none", "Use a protocol that fits the data.")
        for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
            names = ("training" if one == "train" else one, other)
            for what in ("clip", "subject", "source_video"):
                ids = getattr(samples, what)
                require_disjoint(ids[rows[one]], ids[rows[other]], what=what.replace("_", " "), sides=names)
            require_no_pair_across(pairs, rows[one], rows[other], ids=samples.clip, sides=names)
        require_unseen(seen, samples.subject[rows["test"]], name=model.name)
        missing = set(range(len(samples.classes))) - set(np.unique(samples.label[rows["train"]]).tolist())
        if missing:
            raise DataError(
                f"training clips of every class in fold '{fold.id}'",
                f"none of {', '.join(samples.classes[i] for i in sorted(missing))}",
                "Join data sets (--protocol cde), use fewer classes or a smaller --validation.",
            )
