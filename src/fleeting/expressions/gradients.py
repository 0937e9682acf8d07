"""Integrated gradients: how much each pixel adds to the probability of a class, on the way from a flat picture.

Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017, through captum. The values add up to
the difference between the face's probability and that of a flat picture (their axiom of completeness), which is how a
map can be checked.

Deviations and readings
-----------------------
- The way starts at a flat picture and leads through the *standardised* face: the networks standardise every picture, so
  that all but the first moment of a way through grey levels would look the same to them.
- Network: `training.expression.shipped.ExpressionAnswer`; what is explained is the calibrated probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from fleeting.training.expression.shipped import ExpressionAnswer


@dataclass(frozen=True, slots=True)
class GradientMap:
    """What each pixel of a face adds to one class.

    Attributes
    ----------
    target
        Index of the class.
    probability, flat_probability
        Of that class, for the face and for a flat picture.
    added
        (h, w) float32: what each pixel adds; negative where it speaks against the class. Sums to the difference of the
        two probabilities, up to the error of the sum that stands for the integral.
    """

    target: int
    probability: float
    flat_probability: float
    added: npt.NDArray[np.float32]


def gradient_map(
    network: ExpressionAnswer, face: npt.NDArray[np.uint8], *, target: int | None = None, steps: int = 128
) -> GradientMap:
    """Integrate the gradients of a class's probability along the way from a flat picture to a face.

    Parameters
    ----------
    network
        In evaluation mode.
    face
        (48, 48) uint8.
    target
        Index of the class to explain; the most probable one where None.
    steps
        Places on the way; more make the sum more exact.

    Raises
    ------
    InputError
        For a face that is no (h, w) uint8 picture.
    MissingExtraError
        Where captum is not installed.
    """
    if face.ndim != 2 or face.dtype != np.uint8:
        raise InputError("a grey picture (h, w), uint8", f"{face.dtype} {face.shape}", "Convert it first.")
    try:
        import torch
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingExtraError("research", f"gradients ({error.name})") from error
    from fleeting.recognisers.deep_emotion.network import standardise

    x = standardise(torch.from_numpy(face.astype(np.float32))[None, None])
    flat = torch.zeros_like(x)
    with torch.no_grad():
        there, nothing = network.of_standardised(x)[0], network.of_standardised(flat)[0]
    chosen = int(there.argmax()) if target is None else target
    added = IntegratedGradients(network.of_standardised).attribute(
        x, baselines=flat, target=chosen, n_steps=steps, internal_batch_size=32
    )
    return GradientMap(
        target=chosen,
        probability=float(there[chosen]),
        flat_probability=float(nothing[chosen]),
        added=added[0, 0].detach().numpy().astype(np.float32),
    )
