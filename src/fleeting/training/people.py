"""Which people are trained on, chosen on and measured on: one split that all networks of faces share."""

from __future__ import annotations

import hashlib
from typing import Literal

Part = Literal["train", "validation", "test"]

TRAIN_PERCENT = 70
VALIDATION_PERCENT = 15


def part_of(person: str) -> Part:
    """Part of a person, from the SHA-256 of the name alone: 70 % train, 15 % validation, 15 % test.

    The part of one person never depends on who else is in the data, so a data set may grow without anybody crossing
    over. Ids that could mean different people in different sets carry the name of their set: the names of
    ``landmarks68.npz`` are used as they are, portraits as ``congress/<file stem>`` and ``interfaces/<file stem>``.
    """
    place = int.from_bytes(hashlib.sha256(person.encode("utf-8")).digest()[:8], "big") % 100
    if place < TRAIN_PERCENT:
        return "train"
    return "validation" if place < TRAIN_PERCENT + VALIDATION_PERCENT else "test"


def digest_of(person: str) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a person's id: how cards list whom a network was trained on."""
    return hashlib.sha256(person.encode("utf-8")).hexdigest()[:12]
