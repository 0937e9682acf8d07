"""What was already said of a video: the same warning twice helps nobody."""

from __future__ import annotations

_SAID: set[str] = set()


def is_new(message: str) -> bool:
    """Whether a message was not yet said since `begin_anew`; from now on it was."""
    new = message not in _SAID
    _SAID.add(message)
    return new


def begin_anew() -> None:
    """Forget what was said: another video begins."""
    _SAID.clear()
