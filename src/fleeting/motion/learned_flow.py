"""Dense flow by the learned network (`training.micro_flow.network`), run by ONNX Runtime: no torch."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting import weights

NAME = "micro_flow"

MULTIPLE = 32
"""The network takes sides that are multiples of this; pictures are continued to them and the flow is cut again."""

LEAST = 32
"""Smallest side that the network is given."""

REACH_PX = 8.0
"""Largest displacement in pixels that the network was taught."""


@lru_cache(maxsize=4)
def _session(height: int, width: int) -> Any:
    # One session serves all threads: ONNX Runtime allows concurrent runs. Known sizes make it open three times faster.
    return weights.session(NAME, sizes={"height": height, "width": width})


def learned_flow(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Flow (h, w, 2) in pixels between two grey pictures (h, w) uint8, as `motion.flow.dense_flow` returns it."""
    height, width = first.shape
    padding = [max(-(-side // MULTIPLE) * MULTIPLE, LEAST) - side for side in (height, width)]
    # Half of what is added goes before, so that the border of one side is not further away than that of the other.
    top, left = padding[0] // 2, padding[1] // 2
    around = (top, padding[0] - top, left, padding[1] - left)

    def fed(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        continued = cv2.copyMakeBorder(picture, *around, cv2.BORDER_REPLICATE)
        return np.asarray(continued[None, None], np.float32)

    network = _session(height + padding[0], width + padding[1])
    given = network.run(None, {"first": fed(first), "second": fed(second)})
    flow = np.moveaxis(given[0][0], 0, -1)[top : top + height, left : left + width]
    return np.ascontiguousarray(flow, np.float32)
