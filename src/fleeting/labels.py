"""Emotion schemes and what each data set's words become in them."""

from __future__ import annotations

THREE_CLASSES: tuple[str, ...] = ("negative", "positive", "surprise")
"""MEGC 2019: See et al., "MEGC 2019 - the second facial micro-expressions grand challenge", FG 2019, section III."""

FIVE_CLASSES: tuple[str, ...] = ("happiness", "disgust", "repression", "surprise", "others")
"""CASME II, 5 classes: Yan et al., "CASME II", PLoS ONE 9(1), 2014, table 3."""

SEVEN_CLASSES: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER-2013 in the order of its label codes 0..6: Goodfellow et al., ICONIP 2013."""

UNSURE = "unsure"
"""The answer of a recogniser whose best class is not probable enough."""

TO_THREE: dict[str, str] = {
    "negative": "negative",
    "anger": "negative",
    "angry": "negative",
    "contempt": "negative",
    "disgust": "negative",
    "fear": "negative",
    "repression": "negative",
    "sad": "negative",
    "sadness": "negative",
    "happiness": "positive",
    "happy": "positive",
    "positive": "positive",
    "surprise": "surprise",
}
"""To the three classes of MEGC 2019, which drops "others" and all words that are missing here."""
