"""The action units of each emotion.

Prototypes after EMFACS (W. V. Friesen and P. Ekman, "EMFACS-7: Emotional Facial Action Coding System", 1983, as listed
in D. Matsumoto, D. Keltner, M. N. Shiota, M. O'Sullivan and M. Frank, "Facial expressions of emotion", Handbook of
Emotions, 3rd ed., 2008, table 13.1). A micro-expression rarely shows a whole prototype, so each emotion has several
sets, of which one is drawn. The weights of the units beside each other are ours.
"""

from __future__ import annotations

import numpy as np

from fleeting.errors import SettingsError
from fleeting.labels import TO_THREE
from fleeting.synthesis.face.action_units import ACTION_UNITS, Activation, Side

EMOTION_ACTION_UNITS: dict[str, tuple[tuple[str, ...], ...]] = {
    "happiness": (("AU06", "AU12"), ("AU12",)),
    "surprise": (("AU01", "AU02", "AU05", "AU26"), ("AU01", "AU02", "AU05"), ("AU01", "AU02")),
    "disgust": (("AU09", "AU10"), ("AU09", "AU15"), ("AU10", "AU17")),
    "anger": (("AU04", "AU05", "AU07", "AU23"), ("AU04", "AU07")),
    "sadness": (("AU01", "AU04", "AU15"), ("AU01", "AU15", "AU17")),
    "fear": (("AU01", "AU02", "AU04", "AU05", "AU20", "AU26"), ("AU01", "AU02", "AU04", "AU20")),
    "contempt": (("AU12", "AU14"), ("AU14",)),
}
"""Sets of action units by emotion; contempt is shown on one side of the face only."""

ONE_SIDED: frozenset[str] = frozenset({"contempt"})

_SMALL = {"AU05": 0.45, "AU06": 0.6, "AU07": 0.5, "AU23": 0.6, "AU26": 0.8}
"""Weight beside units of weight 1: the lids move less than brows and mouth corners."""


def activations_of(emotion: str, *, variant: int = 0, side: Side = "both") -> tuple[Activation, ...]:
    """Return the action units of an emotion.

    Parameters
    ----------
    emotion
        A key of `EMOTION_ACTION_UNITS`.
    variant
        Which of its sets, counted from 0; the first one is the full prototype.
    side
        Side of the units that have one; a one-sided emotion cannot be shown on both.

    Raises
    ------
    SettingsError
        For an unknown emotion, a set that it does not have, or contempt on both sides.
    """
    if emotion not in EMOTION_ACTION_UNITS:
        known = ", ".join(EMOTION_ACTION_UNITS)
        raise SettingsError(f"an emotion of {known}", f"'{emotion}'", "Correct the word.")
    sets = EMOTION_ACTION_UNITS[emotion]
    if not 0 <= variant < len(sets):
        raise SettingsError(f"a set 0 to {len(sets) - 1} of {emotion}", f"{variant}", "Choose one of these.")
    if emotion in ONE_SIDED and side == "both":
        raise SettingsError(f"a side for {emotion}, which is one-sided", "both", "Choose left or right.")
    return tuple(
        Activation(unit, "both" if ACTION_UNITS[unit].midline else side, _SMALL.get(unit, 1.0))
        for unit in sets[variant]
    )


def draw(emotion: str, rng: np.random.Generator, *, one_sided: float = 0.2) -> tuple[tuple[Activation, ...], Side]:
    """Draw a set of an emotion and a side.

    Parameters
    ----------
    emotion
        A key of `EMOTION_ACTION_UNITS`.
    rng
        Source of chance.
    one_sided
        Probability that an emotion which may show on both sides shows on one.
    """
    chance = rng.random()
    side: Side = "left" if rng.random() < 0.5 else "right"
    if emotion not in ONE_SIDED and chance >= one_sided:
        side = "both"
    return activations_of(
        emotion, variant=int(rng.integers(len(EMOTION_ACTION_UNITS.get(emotion, (0,))))), side=side
    ), side


def three_class(emotion: str) -> str:
    """Class of an emotion in `labels.THREE_CLASSES`."""
    return TO_THREE[emotion]
