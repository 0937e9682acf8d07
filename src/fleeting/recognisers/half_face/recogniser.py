"""The logistic recogniser of half faces (`recognisers.half_face.train`) as a model of the benchmark."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from fleeting.datasets.composite import FlowImages
from fleeting.datasets.samples import Samples, joined
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES
from fleeting.recognisers.half_face.train import FittedRecogniser, RecogniserRecipe, fit_recogniser


@dataclass(frozen=True, slots=True)
class HalfFace:
    """Smoothed half faces and balanced logistic regression; smoothing, penalty, temperature, threshold by inner folds.

    Attributes
    ----------
    recipe
        Candidates and inner folds; the recipe's seed is replaced by that of the fit.
    """

    recipe: RecogniserRecipe = field(default_factory=RecogniserRecipe)
    name: str = "linear-half-face"
    needs: Literal["flow", "sequence"] = "flow"

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> FittedRecogniser:
        """Choose and calibrate on inner folds over the subjects of `train` and `validation` together, fit on both.

        With fewer subjects than inner folds, each subject is an inner fold.

        Raises
        ------
        DataError
            Where the rows carry no flow images, or other than the three classes.
        """
        if train.classes != THREE_CLASSES:
            raise DataError(f"the classes {', '.join(THREE_CLASSES)}", ", ".join(train.classes), "Use --classes 3.")
        given = train if validation is None else joined([train, validation])
        rows = FlowImages(given.flow_images(), given.label, given.subject, given.clip)
        folds = min(self.recipe.inner_folds, len(np.unique(rows.subject)))
        return fit_recogniser(rows, replace(self.recipe, seed=seed, inner_folds=folds))

    def settings(self) -> dict[str, Any]:
        """Return candidates and inner folds as plain values."""
        used = ("inner_folds", "inner_repeats", "blur", "strength", "limit", "target_accuracy")
        recipe = asdict(self.recipe)
        return {"name": self.name} | {key: recipe[key] for key in used}
