"""The steps of the revised flow (`motion.revised_flow`) as transformers of scikit-learn, for a ``Pipeline``.

None of them learns anything: each row becomes a feature by itself, so they may run before the folds are cut. What
learns (the scaler, the principal components, the machine) comes after them, inside the fold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from fleeting.motion.image_directions import centred_flow
from fleeting.motion.revised_flow import FRAMES, Layout, clip_flow, region_vectors, towards_apex, without_head
from fleeting.settings import FlowMethod

Array = npt.NDArray[Any]


class Step(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A step that has nothing to fit."""

    def fit(self, X: Array, y: Array | None = None) -> Step:
        """Return itself."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class ClipFlow(Step):
    """Clips (n, t, h, w) uint8 to flow (n, frames - 1, h', w', 2): `motion.revised_flow.clip_flow`."""

    def __init__(self, method: FlowMethod = "dis", frames: int = FRAMES) -> None:
        self.method = method
        self.frames = frames

    def transform(self, X: Array) -> Array:
        """Measure."""
        return np.stack([clip_flow(clip, method=self.method, frames=self.frames) for clip in X])


class ImageFlow(Step):
    """Flow images (n, 28, 28, 3) uint8 to flow (n, 1, 28, 28, 2): no motion at 0, u against v as the strain says."""

    def transform(self, X: Array) -> Array:
        """Take back what stretching to 0..255 did."""
        return np.stack([centred_flow(image)[None] for image in X])


class WithoutHead(Step):
    """Flow (n, t, h, w, 2) without the head's own motion: `motion.revised_flow.without_head`."""

    def transform(self, X: Array) -> Array:
        """Subtract it in each frame."""
        return np.stack([without_head(flows) for flows in X])


class RegionVectors(Step):
    """Flow (n, t, h, w, 2) to main directions (n, t, 36, 2): `motion.revised_flow.region_vectors`."""

    def __init__(self, layout: Layout = "regions") -> None:
        self.layout = layout

    def transform(self, X: Array) -> Array:
        """Average over each region's main direction."""
        return np.stack([region_vectors(flows, layout=self.layout) for flows in X])


class TowardsApex(Step):
    """Main directions (n, t, 36, 2) to their mean from onset to apex (n, 36, 2): `motion.revised_flow.towards_apex`."""

    def transform(self, X: Array) -> Array:
        """Average over time."""
        return np.stack([towards_apex(vectors) for vectors in X])


class ApexFlow(Step):
    """Flow (n, t, h, w, 2) of the frame that moved furthest, (n, h, w, 2): what is not revised."""

    def transform(self, X: Array) -> Array:
        """Choose the frame of the longest flow in sum."""
        apexes = np.linalg.norm(X, axis=-1).sum((2, 3)).argmax(1)
        return np.asarray(X[np.arange(len(X)), apexes])


class Flat(Step):
    """Anything (n, ...) as rows (n, values)."""

    def transform(self, X: Array) -> Array:
        """Flatten."""
        return np.reshape(X, (len(X), -1)).astype(np.float32)
