"""The workbench of a folder, asked as its page asks."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
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


SERVE = "from fleeting.cli import main; main()"


@dataclass
class Started:
    """A server in a process of its own, and a browser that was there."""

    process: subprocess.Popen[str]
    root: str
    browser: urllib.request.OpenerDirector

    def get(self, path: str) -> Any:
        return json.load(self.browser.open(f"{self.root}{path}"))

    def post(self, path: str, values: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Origin": self.root}
        return json.load(
            self.browser.open(urllib.request.Request(f"{self.root}{path}", json.dumps(values).encode(), headers))
        )


@contextmanager
def started(folder: Path, *words: str, before: str = "") -> Iterator[Started]:
    """``fleeting serve FOLDER --port 0``; it is killed at the end where it still runs."""
    command = [sys.executable, "-c", before + SERVE, "serve", str(folder), "--port", "0", "--no-browser", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment, text=True)
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 240)[0], "the server did not start"
        said = process.stdout.readline()
        found = re.findall(r"http://\S+", said)
        assert found, said + (process.stderr.read() if process.stderr else "")
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        browser.open(found[0]).read()
        yield Started(process, found[0].split("/?")[0], browser)
    finally:
        process.kill()
        process.communicate()
