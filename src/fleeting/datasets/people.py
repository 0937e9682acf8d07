"""Who is who: names that differ only in case, blanks or leading zeros mean one person.

Tables spell the people of one data set in several ways: ``sub01`` and ``Sub01 ``, ``6`` and ``006``. Taken for two, one
person would be on both sides of a split. Taking two for one costs a little data and leaks nothing, so such names are
always one person, and that is said.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import FleetingWarning

WHY = "It differs only in case, blanks or leading zeros."


def person_key(name: str) -> str:
    """Return what all spellings of a name have in common: ``sub1`` for ``Sub01 ``, ``samm/6`` for ``SAMM/006``."""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain)


def spellings(names: Iterable[str]) -> dict[str, str]:
    """Return the usual spelling of every name that has another one than its own.

    The usual one has no outer blanks, is the most frequent, and the first in order, so that the order of rows changes
    nothing.
    """
    by_key: dict[str, Counter[str]] = {}
    for name in names:
        by_key.setdefault(person_key(name), Counter())[name] += 1
    found: dict[str, str] = {}
    for counts in by_key.values():
        usual = min(counts, key=partial(_preference, counts))
        found |= {name: usual for name in counts if name != usual}
    return found


def _preference(counts: Counter[str], name: str) -> tuple[bool, int, str]:
    return any(part != part.strip() for part in name.split("/")), -counts[name], name


def spelled_alike(names: npt.NDArray[Any], *, what: str = "subject") -> npt.NDArray[np.str_]:
    """Return (n,) names with one spelling for each person or data set.

    Warns
    -----
    FleetingWarning
        Listing the spellings that were replaced.
    """
    names = np.asarray(names).astype(str)
    usual = spellings(map(str, names))
    if not usual:
        return names
    listed = ", ".join(f"'{name}' for '{other}'" for name, other in sorted(usual.items()))
    warnings.warn(f"One {what} in several spellings, {listed}: taken for one.", FleetingWarning, stacklevel=3)
    return np.array([usual.get(str(name), str(name)) for name in names], np.str_)
