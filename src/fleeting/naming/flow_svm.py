"""The system of revised flow and a support vector machine (`motion.revised_flow`), as it names events."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.motion.image_directions import image_directions
from fleeting.naming.event_frames import EventView

NAME = "flow_svm"


class FlowSvmSystem:
    """The machine that was trained on the published flow images.

    Parameters
    ----------
    folder
        Of ``flow_svm.onnx`` and its card; the shipped ones where None.

    Raises
    ------
    WeightsError
        Where the file is missing or is another one than its card says.
    """

    needs_frames = False

    def __init__(self, folder: Path | None = None) -> None:
        self.card: dict[str, Any] = weights.card(NAME, folder=folder)
        self._session = weights.session(NAME, folder=folder)
        self.labels: tuple[str, ...] = tuple(self.card["labels"])
        self.threshold = float(self.card["unsure"]["threshold"])

    def probabilities(self, events: Sequence[EventView]) -> npt.NDArray[np.float32]:
        """Return (n, 3) of flow images."""
        if not events:
            return np.zeros((0, len(self.labels)), np.float32)
        features = np.stack([image_directions(event.flow_image) for event in events])
        return np.asarray(self._session.run(None, {"features": features})[0], np.float32)
