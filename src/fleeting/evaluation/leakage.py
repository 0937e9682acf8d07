"""What must never cross from training into testing."""

from __future__ import annotations

from collections.abc import Iterable

from fleeting.errors import LeakageError


def require_disjoint(train: Iterable[str], test: Iterable[str], *, what: str = "subject") -> None:
    """Raise where training and test share a subject, clip or source video.

    Parameters
    ----------
    train, test
        Ids of either side.
    what
        The kind of id, for the message.

    Raises
    ------
    LeakageError
        Naming up to five ids on both sides.
    """
    shared = overlap(train, test)
    if shared:
        named = ", ".join(shared[:5]) + (f" and {len(shared) - 5} more" if len(shared) > 5 else "")
        raise LeakageError(
            f"no {what} in both training and test", f"{len(shared)} in both ({named})", f"Split by {what}."
        )


def overlap(train: Iterable[str], test: Iterable[str]) -> list[str]:
    """Return the ids that occur on both sides, sorted."""
    return sorted(set(map(str, train)) & set(map(str, test)))
