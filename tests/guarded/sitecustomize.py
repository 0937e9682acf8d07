"""Found first on PYTHONPATH, this makes every Python process of a guarded run note what it reaches for (guard.py)."""

from __future__ import annotations

import os
import sys

NOTES = os.environ["FLEETING_TEST_NOTES"]
CALLS = {"socket.connect": 1, "socket.bind": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0}
CALLS |= {"socket.gethostbyname": 0, "os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "sqlite3.connect": 0}
"""Which argument of a call tells where it goes."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(event: str, arguments: tuple[object, ...]) -> None:
    where: object = None
    if event in CALLS:
        where = arguments[CALLS[event]]
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        where = arguments[0]
    if isinstance(where, tuple):  # an address of the internet; those within the machine are paths or bytes
        note(f"address {where[0]}")
    elif event.startswith("socket.get") and where:
        note(f"address {where if isinstance(where, str) else bytes(where).decode()}")  # type: ignore[call-overload]
    elif isinstance(where, str | bytes | os.PathLike) and not event.startswith("socket"):
        note(f"file {os.path.abspath(os.fsdecode(where))}")


def note(text: str) -> None:
    if text != f"file {NOTES}":
        with open(NOTES, "a", encoding="utf-8") as notes:
            notes.write(text + "\n")


sys.addaudithook(watch)
