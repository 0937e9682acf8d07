"""Emotion schemes and what each data set's words become in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleeting.errors import DataError

THREE_CLASSES: tuple[str, ...] = ("negative", "positive", "surprise")
"""MEGC 2019: See et al., "MEGC 2019 - the second facial micro-expressions grand challenge", FG 2019, section III."""

FIVE_CLASSES: tuple[str, ...] = ("happiness", "disgust", "repression", "surprise", "others")
"""CASME II, 5 classes: Yan et al., "CASME II", PLoS ONE 9(1), 2014, table 3."""

SEVEN_CLASSES: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER-2013 in the order of its label codes 0..6: Goodfellow et al., ICONIP 2013."""

NEUTRAL = "neutral"
"""Of `SEVEN_CLASSES`: says something of a face, nothing of a movement."""

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

OTHERS = "others"

WORDS: frozenset[str] = frozenset(TO_THREE) | {OTHERS, "other", "neutral"}
"""Every word for an emotion that the data sets use, in small letters; a word that is none of them is an error."""

_SAME = {"angry": "anger", "happy": "happiness", "sad": "sadness", "other": OTHERS}
"""Words that mean the same in different data sets."""


def class_text(emotion: str | None, probability: float | None) -> str:
    """Return a class with its probability, such as ``positive 83 %``; empty where there is none.

    The probability beside "unsure" would be that of a class that is not named, so it is left out.
    """
    if emotion is None or probability is None or emotion == UNSURE:
        return emotion or ""
    return f"{emotion} {100 * probability:.0f} %"


def counted(count: int, noun: str) -> str:
    """Return a number of things, such as ``1 blink`` or ``3 blinks``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Scheme:
    """Classes, and what each emotion word becomes in them.

    Attributes
    ----------
    name
        Of the scheme.
    classes
        In the order of their labels.
    words
        Class of each word; a word that is missing is left out of the scheme.
    source
        Where it is from.
    """

    name: str
    classes: tuple[str, ...]
    words: Mapping[str, str]
    source: str

    def label(self, emotion: str) -> int | None:
        """Index of the class of a raw emotion; None where the scheme leaves it out."""
        found = self.words.get(emotion, self.words.get(_SAME.get(emotion, "")))
        return None if found is None else self.classes.index(found)


def _itself(*classes: str) -> dict[str, str]:
    """Each class for its own word."""
    return {name: name for name in classes}


_BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")

THREE = Scheme("3", THREE_CLASSES, TO_THREE, "MEGC 2019: See et al., FG 2019, section III")
FOUR = Scheme(
    "4",
    (*THREE_CLASSES, OTHERS),
    {**TO_THREE, OTHERS: OTHERS},
    "MEGC 2022, spot-then-recognise: negative, positive, surprise, others",
)
SCHEMES: dict[int, dict[str, Scheme]] = {
    3: {"": THREE},
    4: {"": FOUR},
    5: {
        "casme2": Scheme("casme2-5", FIVE_CLASSES, _itself(*FIVE_CLASSES), "Yan et al., PLoS ONE 9(1), 2014"),
        "samm": Scheme(
            "samm-5",
            ("happiness", "anger", "contempt", "surprise", OTHERS),
            _itself("happiness", "anger", "contempt", "surprise", OTHERS),
            "the classes of SAMM with more than ten clips, as published 5-class results on it use",
        ),
        "4dme": Scheme(
            "4dme-5",
            ("negative", "positive", "surprise", "repression", OTHERS),
            _itself("negative", "positive", "surprise", "repression", OTHERS),
            'Li et al., "4DME", IEEE Trans. Affective Computing, 2022',
        ),
    },
    7: {
        "casme3": Scheme("casme3-7", (*_BASIC, OTHERS), _itself(*_BASIC, OTHERS), 'Li et al., "CAS(ME)3", TPAMI, 2022'),
        "mmew": Scheme("mmew-7", (*_BASIC, OTHERS), _itself(*_BASIC, OTHERS), "Ben et al., TPAMI, 2021"),
        "dfme": Scheme(
            "dfme-7", (*_BASIC, "contempt"), _itself(*_BASIC, "contempt"), 'Zhao et al., "DFME", arXiv 2301.00985'
        ),
        "ckplus": Scheme(
            "ckplus-7", (*_BASIC, "contempt"), _itself(*_BASIC, "contempt"), "Lucey et al., CVPR workshops, 2010"
        ),
        "fer2013": Scheme("fer2013-7", SEVEN_CLASSES, _itself(*SEVEN_CLASSES), "Goodfellow et al., ICONIP 2013"),
    },
}
"""By number of classes, then by data set; the empty name stands for all."""


def scheme(classes: int, dataset: str) -> Scheme:
    """Return the scheme of so many classes for a data set.

    Raises
    ------
    DataError
        Where there is none.
    """
    known = SCHEMES.get(classes, {})
    found = known.get(dataset, known.get(""))
    if found is None:
        there = sorted(n for n, by_set in SCHEMES.items() if dataset in by_set or "" in by_set)
        raise DataError(
            f"a number of classes that '{dataset}' has a scheme for ({', '.join(map(str, there))})",
            str(classes),
            "Choose one of them with --classes.",
        )
    return found
