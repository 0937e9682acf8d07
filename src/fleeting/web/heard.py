"""What the rooms below warn of, for the page.

Python's filters of warnings belong to the whole process, so only one thread at a time may change them; `server` has
all other warnings passed over.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from fleeting.errors import FleetingWarning

_ALONE = threading.Lock()


@contextmanager
def heard(about: str) -> Iterator[list[str]]:
    """Give a list that holds, after the block, the texts of the `FleetingWarning`s that name something."""
    texts: list[str] = []
    with _ALONE, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", FleetingWarning)
        yield texts
        found = [str(w.message) for w in said if issubclass(w.category, FleetingWarning)]
        texts += [text for text in found if about in text]
