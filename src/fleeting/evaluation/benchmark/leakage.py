"""What must never cross from training into testing.

What a fitted model may have seen of held-out clips on other ways (a scaler fitted on everything, say) is found by
`evaluation.benchmark.independence`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from fleeting.datasets.people import person_key
from fleeting.errors import LeakageError

SIDES = ("training", "test")


def require_disjoint(
    train: Iterable[str], test: Iterable[str], *, what: str = "subject", sides: tuple[str, str] = SIDES
) -> None:
    """Raise where training and test share a subject, clip or source video.

    Parameters
    ----------
    train, test
        Ids of either side.
    what
        The kind of id, for the message.
    sides
        Names of the sides, for the message.

    Raises
    ------
    LeakageError
        Naming up to five ids on both sides.
    """
    shared = overlap(train, test, people=what == "subject")
    if shared:
        raise LeakageError(
            f"no {what} in both {sides[0]} and {sides[1]}",
            f"{len(shared)} in both ({_named(shared)})",
            f"Split by {what}.",
        )


def require_no_pair_across(
    pairs: npt.NDArray[np.int64],
    train: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
    *,
    ids: npt.NDArray[np.str_],
    sides: tuple[str, str] = SIDES,
) -> None:
    """Raise where one of two near-duplicate clips is trained on and the other tested.

    Parameters
    ----------
    pairs
        (m, 2) rows of near-duplicates (`duplicates.near_duplicates`).
    train, test
        Rows of either side.
    ids
        (n,) clip of every row.
    sides
        Names of the sides, for the message.

    Raises
    ------
    LeakageError
        Naming up to five pairs.
    """
    if not len(pairs):
        return
    one, other = (np.isin(pairs, rows) for rows in (train, test))
    across = (one[:, 0] & other[:, 1]) | (one[:, 1] & other[:, 0])
    if across.any():
        named = _named([f"{ids[a]} and {ids[b]}" for a, b in pairs[across]])
        raise LeakageError(
            f"no near-duplicate of a {sides[0]} clip in {sides[1]}",
            f"{int(across.sum())} ({named})",
            "Remove the copies, or give both the same subject if they show the same person.",
        )


def require_unseen(seen: Iterable[str], test: Iterable[str], *, name: str) -> None:
    """Raise where a model was trained before on a subject of the test, as its checkpoint or card says.

    Raises
    ------
    LeakageError
        Naming up to five of the subjects.
    """
    shared = overlap(seen, test, people=True)
    if shared:
        raise LeakageError(
            f"a model '{name}' that has not seen the test subjects",
            f"{len(shared)} that it was trained on ({_named(shared)})",
            "Test it on other people, or train it anew inside each fold.",
        )


def overlap(train: Iterable[str], test: Iterable[str], *, people: bool = False) -> list[str]:
    """Return the ids that occur on both sides, sorted and as the test has them.

    Parameters
    ----------
    people
        Whether the ids are people, who are the same in every spelling (`datasets.people`).
    """
    key = person_key if people else str
    there = {key(name) for name in set(map(str, train))}
    return sorted(name for name in set(map(str, test)) if key(name) in there)


def _named(items: list[str]) -> str:
    return ", ".join(items[:5]) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
