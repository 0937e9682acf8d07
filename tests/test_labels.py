"""What each data set's words become in each number of classes."""

from __future__ import annotations

import pytest

from fleeting.datasets.registry import DATASETS
from fleeting.errors import DataError
from fleeting.labels import FIVE_CLASSES, SCHEMES, SEVEN_CLASSES, THREE_CLASSES, WORDS, counted, scheme

ALL = [(n, name, found) for n, by_set in SCHEMES.items() for name, found in by_set.items()]


def became(classes: int, dataset: str, words: str) -> dict[str, str | None]:
    used = scheme(classes, dataset)
    labels = {word: used.label(word) for word in words.split()}
    return {word: None if label is None else used.classes[label] for word, label in labels.items()}


@pytest.mark.parametrize(("classes", "name", "found"), ALL, ids=lambda v: str(v)[:12])
def test_schemes_are_whole(classes: int, name: str, found: object) -> None:
    used = SCHEMES[classes][name]
    assert len(used.classes) == len(set(used.classes)) == classes
    assert set(used.words) <= WORDS
    assert set(used.words.values()) == set(used.classes), "every class can be reached"
    assert not name or name in DATASETS
    assert used.source


def test_three_classes() -> None:
    assert became(3, "casme2", "disgust repression happiness surprise others fear") == {
        "disgust": "negative", "repression": "negative", "happiness": "positive", "surprise": "surprise",
        "others": None, "fear": "negative",
    }  # fmt: skip
    assert became(3, "samm", "contempt other") == {"contempt": "negative", "other": None}
    assert became(3, "casme3", "happy sad") == {"happy": "positive", "sad": "negative"}
    assert became(3, "4dme", "negative negative+surprise") == {"negative": "negative", "negative+surprise": None}
    assert scheme(3, "anything").classes == THREE_CLASSES


def test_four_classes_keep_the_others() -> None:
    assert became(4, "samm", "other anger") == {"other": "others", "anger": "negative"}


def test_five_classes_are_those_of_the_set() -> None:
    assert scheme(5, "casme2").classes == FIVE_CLASSES
    assert became(5, "casme2", "others fear sadness") == {"others": "others", "fear": None, "sadness": None}
    assert became(5, "samm", "other contempt disgust") == {"other": "others", "contempt": "contempt", "disgust": None}
    with pytest.raises(DataError, match=r"'smic' has a scheme for \(3, 4\); got 5"):
        scheme(5, "smic")


def test_seven_classes_are_those_of_the_set() -> None:
    assert became(7, "casme3", "happy sad others") == {"happy": "happiness", "sad": "sadness", "others": "others"}
    assert became(7, "dfme", "contempt others") == {"contempt": "contempt", "others": None}
    assert became(7, "ckplus", "happy") == {"happy": "happiness"}
    assert scheme(7, "fer2013").classes == SEVEN_CLASSES
    assert [scheme(7, "fer2013").label(word) for word in SEVEN_CLASSES] == list(range(7))


@pytest.mark.parametrize(("count", "text"), [(0, "0 blinks"), (1, "1 blink"), (2, "2 blinks")])
def test_one_and_many(count: int, text: str) -> None:
    assert counted(count, "blink") == text
