"""Occlusion maps: cover a part of a face, and see what the network then says.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2; Minaee et al.,
"Deep-Emotion", Sensors 21(9), 2021, section 4.4, who blank an N x N square, slide it over the face, and mark where the
prediction becomes wrong.

Deviations and readings
-----------------------
- N = 8 and a stride of 2 on a picture of 48 x 48; the paper does not print them.
- The square takes the mean of the picture, not black: black on a bright face is itself a change that a network reacts
  to.
- Beside the paper's yes or no, the map keeps by how much the probability falls, which does not depend on how sure the
  network was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

Answers = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]
"""From pictures (n, h, w) uint8 to probabilities (n, classes)."""


@dataclass(frozen=True, slots=True)
class OcclusionMap:
    """What covering parts of one face does to one class.

    Attributes
    ----------
    target
        Index of the class: the one that the whole face was given, unless another was asked for.
    probability
        Of that class, for the whole face.
    fall
        (h, w) float32: by how much its probability falls when the pixel is covered, averaged over the squares that
        cover it; negative where covering helps.
    wrong
        (h, w) float32, 0..1: share of these squares that make another class the most probable one.
    """

    target: int
    probability: float
    fall: npt.NDArray[np.float32]
    wrong: npt.NDArray[np.float32]


def squares(height: int, width: int, *, size: int, stride: int) -> npt.NDArray[np.int64]:
    """Return (k, 2) rows and columns of the squares' upper left corners; the last ones end at the picture's edge."""
    rows, columns = (sorted({*range(0, side - size + 1, stride), side - size}) for side in (height, width))
    return np.array([(y, x) for y in rows for x in columns], np.int64)


def occlusion_map(
    answers: Answers, face: npt.NDArray[np.uint8], *, target: int | None = None, size: int = 8, stride: int = 2
) -> OcclusionMap:
    """Cover every square of a face in turn; all of them go through the network in one batch.

    Parameters
    ----------
    answers
        The network.
    face
        (h, w) uint8.
    target
        Index of the class to explain; the most probable one where None.
    size, stride
        Side of the square, and step between squares, in pixels.

    Raises
    ------
    InputError
        For a face that is no (h, w) uint8 picture, or squares that do not fit into it.
    """
    if face.ndim != 2 or face.dtype != np.uint8:
        raise InputError("a grey picture (h, w), uint8", f"{face.dtype} {face.shape}", "Convert it first.")
    if not 1 <= size <= min(face.shape) or stride < 1:
        raise InputError(
            f"a square of 1 to {min(face.shape)} pixels and a stride of at least 1",
            f"{size} and {stride}",
            "Choose a smaller square.",
        )
    corners = squares(*face.shape, size=size, stride=stride)
    batch = np.repeat(face[None], len(corners) + 1, axis=0)
    mean = np.uint8(round(float(face.mean())))
    for picture, (y, x) in zip(batch[1:], corners, strict=True):
        picture[y : y + size, x : x + size] = mean
    found = np.asarray(answers(batch), np.float64)
    chosen = int(found[0].argmax()) if target is None else target
    falls, lost = found[0, chosen] - found[1:, chosen], found[1:].argmax(1) != chosen
    return OcclusionMap(
        target=chosen,
        probability=float(found[0, chosen]),
        fall=_spread(falls, corners, face.shape, size),
        wrong=_spread(lost, corners, face.shape, size),
    )


def _spread(
    values: npt.NDArray[Any], corners: npt.NDArray[np.int64], shape: tuple[int, ...], size: int
) -> npt.NDArray[np.float32]:
    """Give every pixel the mean of the values (k,) of the squares that cover it."""
    total, count = np.zeros(shape), np.zeros(shape)
    for value, (y, x) in zip(values, corners, strict=True):
        total[y : y + size, x : x + size] += value
        count[y : y + size, x : x + size] += 1
    return np.asarray(np.divide(total, count, out=np.zeros(shape), where=count > 0), np.float32)


def network_answers(name: str = "expression", *, threads: int = 1) -> Answers:
    """Open a shipped expression network as a function of pictures (n, 48, 48) uint8.

    Raises
    ------
    WeightsError
        Where the network is missing or damaged.
    """
    from fleeting import weights

    session = weights.session(name, threads=threads)

    def answers(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
        found: npt.NDArray[np.floating] = session.run(None, {"faces": faces})[0]
        return found

    return answers
