"""What a movement must show while its face speaks.

Coders of the Facial Action Coding System discount the lower face while somebody speaks (Ekman, Friesen & Hager, "FACS
Investigator's Guide", 2002): the jaw takes lips, chin and cheeks along. So a micro-expression there must be more
probable than elsewhere. Brows and lids are judged as ever.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fleeting.settings import SpottingSettings
from fleeting.spotting.movements import Movement

LOWER_FACE = frozenset(
    ("nose", "left_cheek", "right_cheek", "left_mouth_corner", "right_mouth_corner", "upper_lip", "lower_lip", "chin")
)
"""Regions that speech moves: of talkers, the cheeks go with the jaw and the tip of the nose with the upper lip."""


def enough_evidence(
    movement: Movement, probability: float, speaking: npt.NDArray[np.bool_], settings: SpottingSettings
) -> bool:
    """Whether a movement is probable enough to be a micro-expression where and when it is seen.

    Parameters
    ----------
    movement
        In samples of a run. Its strongest region decides what part of the face it belongs to.
    probability
        That it is a micro-expression, of the judge.
    speaking
        (m,) of `speaking.speaking_in`.
    settings
        ``min_probability``, and ``min_probability_speaking`` for the lower face in any moment of speaking.
    """
    least = settings.min_probability
    if movement.regions[0] in LOWER_FACE and speaking[movement.onset : movement.offset + 1].any():
        least = max(least, settings.min_probability_speaking)
    return probability >= least
