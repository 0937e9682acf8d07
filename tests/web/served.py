"""The workbench of a folder, asked as its page asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fastapi.testclient import TestClient
from video_files import number_of

from fleeting.web.app import create_app

TOKEN = "a-key-that-is-long-enough"


@contextmanager
def served(folder: Path, **how: Any) -> Iterator[TestClient]:
    """A client that has opened the address with the token."""
    with unopened(folder, **how) as client:
        assert client.get("/", params={"token": TOKEN}).status_code == 200
        yield client


@contextmanager
def unopened(folder: Path, **how: Any) -> Iterator[TestClient]:
    with TestClient(create_app(folder, token=TOKEN, **how), base_url="http://127.0.0.1:8765") as client:
        yield client


def film_id(client: TestClient, name: str) -> str:
    return next(f["id"] for f in client.get("/api/films").json() if f["name"] == name)


def picture(answer: Any) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    decoded = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded


def shown_number(answer: Any) -> int:
    """The number that the bars in a picture say."""
    return number_of(cv2.cvtColor(picture(answer), cv2.COLOR_BGR2GRAY))
