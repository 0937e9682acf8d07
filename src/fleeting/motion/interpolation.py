"""Temporal interpolation: a clip of any length from a clip of another."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, SettingsError

InterpolationMethod = Literal["tim", "linear"]


def interpolate(
    frames: npt.NDArray[Any], length: int, *, method: InterpolationMethod = "tim"
) -> npt.NDArray[np.float32]:
    """Return a clip of `length` frames whose first and last frame are those of the given clip.

    Parameters
    ----------
    frames
        (n, ...) frames or features in order, any real dtype.
    length
        Number of frames wanted, more or fewer than n.
    method
        ``tim`` (temporal interpolation model, a smooth curve through all frames) or ``linear``.

    Returns
    -------
    (length, ...) float32
        In the unit of the input. ``tim`` can pass the range of the input between frames: clip before turning it into
        uint8.

    Raises
    ------
    InputError
        For an empty clip or a length below 1.
    SettingsError
        For an unknown method.

    Notes
    -----
    The model of Pfister et al., "Recognising spontaneous facial micro-expressions", ICCV 2011 (after Zhou, Zhao,
    Pietikäinen, "Towards a practical lipreading system", CVPR 2011) sees a clip as samples of a curve along a path
    graph. The eigenvectors of the graph's Laplacian are ``y_k(t) = sin(pi k t + pi (n - k) / (2 n))``, k = 1..n-1, read
    at t = 1/n, 2/n, ..., 1, and a linear map takes the curve back to pictures. At the n frames these functions are the
    cosines of the type II transform, orthogonal and complete for sequences without mean, so the map exists for every
    clip and needs no singular value decomposition: the new frames are fixed weighted sums of the old ones (`weights`),
    and the curve passes through every frame exactly.
    """
    array = np.asarray(frames)
    if array.ndim < 1 or len(array) == 0 or length < 1:
        raise InputError(
            "a clip of at least 1 frame and a length of at least 1",
            f"shape {array.shape} and length {length}",
            "Check where the clip was cut.",
        )
    matrix = weights(len(array), length, method=method).astype(np.float32)
    flat = array.reshape(len(array), -1).astype(np.float32)
    return np.asarray(matrix @ flat, np.float32).reshape(length, *array.shape[1:])


def weights(n: int, length: int, *, method: InterpolationMethod = "tim") -> npt.NDArray[np.float64]:
    """Return the share of each old frame in each new one.

    Returns
    -------
    (length, n) float64
        Rows sum to 1.

    Raises
    ------
    SettingsError
        For an unknown method.
    """
    if method not in get_args(InterpolationMethod):
        raise SettingsError(
            f"a method of interpolation ({', '.join(get_args(InterpolationMethod))})",
            repr(method),
            "Choose one of them.",
        )
    # Position in old frames, 0..n-1; a single new frame is the first.
    position = np.linspace(0, n - 1, length)
    if method == "linear":
        low = np.minimum(position.astype(int), max(n - 2, 0))
        share = position - low
        matrix = np.zeros((length, n))
        matrix[np.arange(length), low] = 1 - share
        matrix[np.arange(length), np.minimum(low + 1, n - 1)] += share
        return matrix
    k = np.arange(1, n)
    # sin(pi k t + pi (n - k) / (2 n)) with t = (position + 1) / n is cos(pi k (position + 1/2) / n).
    old = np.cos(np.pi * np.outer(np.arange(n) + 0.5, k) / n)
    new = np.cos(np.pi * np.outer(position + 0.5, k) / n)
    return np.asarray(1 / n + (2 / n) * new @ old.T, np.float64)
