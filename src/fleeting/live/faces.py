"""The faces of a live recording's last seconds: the class of an event is read from what they showed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.faces.align import CANONICAL_WIDTH, align, rescaled
from fleeting.faces.crop import Transform, cut
from fleeting.naming.expression_net import SIZE, expression_transform
from fleeting.spotting.measurements import MeasurementLog
from fleeting.video.frame import Frame


@dataclass(frozen=True, slots=True)
class KeptFace:
    """A face in a frame: (h, w) uint8 canonical crop, and (48, 48) uint8 the whole face as expressions are read."""

    crop: npt.NDArray[np.uint8]
    whole: npt.NDArray[np.uint8]


class KeptFaces:
    """Keeps the faces of the last seconds.

    Parameters
    ----------
    seconds
        How long.
    crop_width
        Of the crops whose transforms are logged (`settings.MotionSettings.crop_width`).
    """

    def __init__(self, *, seconds: float, crop_width: int) -> None:
        self._seconds, self._crop_width = seconds, crop_width
        self._kept: dict[int, deque[tuple[int, float, KeptFace]]] = {}

    def __len__(self) -> int:
        """Return the number of frames kept of the face of which most are."""
        return max(map(len, self._kept.values()), default=0)

    def add(self, frame: Frame, logs: Mapping[int, MeasurementLog]) -> None:
        """Keep the faces of a frame that was measured last, and let go of what is too long ago."""
        for face, log in logs.items():
            kept = self._kept.setdefault(face, deque())
            if log.last_frame == frame.index:
                transform = self._transform(log)
                whole = cut(frame.grey, expression_transform(transform), size=SIZE)
                kept.append((frame.index, frame.time_s, KeptFace(align(frame.grey, transform), whole)))
            while kept and kept[0][1] < frame.time_s - self._seconds:
                kept.popleft()

    def at(self, face: int, frame: int) -> KeptFace | None:
        """Return a face as it was in a frame, or None where it is not kept."""
        return next((one for index, _, one in self._kept.get(face, ()) if index == frame), None)

    def _transform(self, log: MeasurementLog) -> Transform:
        last = log.since(log.last_frame).collect(np.zeros(1)).transform[0]
        width = self._crop_width
        return last if width == CANONICAL_WIDTH else rescaled(last, CANONICAL_WIDTH / width)
