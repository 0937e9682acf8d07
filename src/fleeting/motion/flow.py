"""Dense optical flow between two grey images, by name of the method."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError
from fleeting.motion.learned_flow import learned_flow
from fleeting.settings import FlowMethod

_Grey = npt.NDArray[np.uint8]
_Flow = npt.NDArray[np.float32]

MIN_SIDE = 16
"""Smallest side, in pixels, of an image whose flow can be measured."""

_kept = threading.local()


def _of_thread(name: str, make: Callable[[], Any]) -> Any:
    # OpenCV's flow objects keep buffers, so threads may not share one, and building one costs as much as a small flow.
    if not hasattr(_kept, name):
        setattr(_kept, name, make())
    return getattr(_kept, name)


def _make_dis() -> Any:
    """OpenCV's medium preset, a third of its work left out that small movements do not need (benchmarks/flow.py)."""
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    method.setPatchStride(4)
    method.setGradientDescentIterations(8)
    method.setVariationalRefinementIterations(3)
    return method


def _dis(first: _Grey, second: _Grey) -> _Flow:
    # Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016.
    flow: _Flow = _of_thread("dis", _make_dis).calc(first, second, None)
    return flow


def _farneback(first: _Grey, second: _Grey) -> _Flow:
    # Farnebäck, "Two-frame motion estimation based on polynomial expansion", SCIA 2003.
    start = np.zeros((*first.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(first, second, start, 0.5, 4, 15, 5, 5, 1.1, 0)
    return np.asarray(flow, np.float32)


def _tvl1(first: _Grey, second: _Grey) -> _Flow:
    # Zach, Pock, Bischof, "A duality based approach for realtime TV-L1 optical flow", DAGM 2007.
    method = _of_thread("tvl1", cv2.optflow.createOptFlow_DualTVL1)
    flow: _Flow = method.calc(first, second, None)
    return flow


METHODS: dict[str, Callable[[_Grey, _Grey], _Flow]] = {
    "dis": _dis,
    "farneback": _farneback,
    "tvl1": _tvl1,
    "learned": learned_flow,
}
"""Every method of `dense_flow`, by name."""


def dense_flow(first: npt.NDArray[Any], second: npt.NDArray[Any], *, method: FlowMethod = "dis") -> _Flow:
    """Return where each pixel of the first image went in the second.

    Parameters
    ----------
    first, second
        (h, w) grey images of equal shape, uint8, or float in 0..255 (rounded to whole grey levels, since DIS takes
        no others).
    method
        ``dis`` (dense inverse search), ``farneback``, ``tvl1`` or ``learned`` (`training.micro_flow.network`).

    Returns
    -------
    (h, w, 2) float32
        Pixels; ``[..., 0]`` is u, positive to the right, ``[..., 1]`` is v, positive downwards: the content at (x, y)
        of `first` lies at (x + u, y + v) in `second`.

    Raises
    ------
    InputError
        For images that are not grey, differ in shape, are smaller than `MIN_SIDE`, or hold values that are not finite.
    SettingsError
        For an unknown method.
    """
    if method not in METHODS:
        raise SettingsError(f"a flow method ({', '.join(METHODS)})", repr(method), "Choose one of them.")
    if first.ndim != 2 or first.shape != second.shape or min(first.shape) < MIN_SIDE:
        raise InputError(
            f"two grey images of equal shape (h, w), each side at least {MIN_SIDE} px",
            f"shapes {first.shape} and {second.shape}",
            "Convert to grey and align both to the same crop.",
        )
    return METHODS[method](_as_uint8(first), _as_uint8(second))


def _as_uint8(image: npt.NDArray[Any]) -> _Grey:
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    if not np.issubdtype(image.dtype, np.floating) or not np.isfinite(image).all():
        raise InputError(
            "a grey image of uint8 or of finite floats in 0..255",
            f"dtype {image.dtype}" + (" with values that are not finite" if image.dtype.kind == "f" else ""),
            "Scale the image to 0..255.",
        )
    grey: _Grey = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return grey
