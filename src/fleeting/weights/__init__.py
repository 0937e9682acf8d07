"""The shipped networks: ``NAME.onnx`` with its card ``NAME.json``, opened with ONNX Runtime.

A card states at least: ``name``, ``task``, ``version``, ``data`` (what it was trained on), ``subjects``, ``recipe``,
``command``, ``preprocessing``, ``inputs``, ``outputs``, ``labels``, ``scores`` (honest, with protocol), ``limits``,
``licence`` and ``sha256`` of the ONNX file. `runtime` alone imports ONNX Runtime, without its telemetry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from fleeting.errors import WeightsError
from fleeting.reading import read_json, reading
from fleeting.weights.runtime import open_network


def folder() -> Path:
    """Folder of the shipped networks."""
    return Path(str(resources.files(__name__)))


_shipped = folder
"""The same under a name that an argument called folder does not hide."""


def names() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return tuple(sorted(p.stem for p in folder().glob("*.onnx")))


def has(name: str, *, folder: Path | None = None) -> bool:
    """Whether a network and its card are shipped, or lie in a folder."""
    place = folder or _shipped()
    return all((place / f"{name}.{suffix}").is_file() for suffix in ("onnx", "json"))


def card(name: str, *, folder: Path | None = None) -> dict[str, Any]:
    """Return the card of a shipped network, or of one in a folder.

    Raises
    ------
    WeightsError
        Where there is no such network, or its card is no JSON.
    """
    return _card(name, folder)


@lru_cache
def _card(name: str, folder: Path | None) -> dict[str, Any]:
    path = (folder or _shipped()) / f"{name}.json"
    if not path.exists():
        if folder is not None:
            raise WeightsError(f"{name}.json in {folder}", "no such file", "Train it with `fleeting train`.")
        known = ", ".join(names()) or "none"
        raise WeightsError(f"a shipped network ({known})", f"'{name}'", "Reinstall fleeting or correct the name.")
    with reading(path, "a card in JSON with its sha256", "Restore the file.", error=WeightsError):
        loaded: dict[str, Any] = read_json(path, most=MOST_CARD, limit="a card")
        if not isinstance(loaded["sha256"], str):
            raise TypeError("sha256 is no text")
    return loaded


MOST_CARD = 16 << 20


def checksum(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def file(name: str, *, folder: Path | None = None) -> Path:
    """Return the path of a shipped network, or of one of a folder, after its content was compared with its card.

    Raises
    ------
    WeightsError
        Where the file is missing or its SHA-256 differs from the one in its card.
    """
    expected = card(name, folder=folder)["sha256"]
    path = (folder or _shipped()) / f"{name}.onnx"
    if not path.exists() or checksum(path) != expected:
        raise WeightsError(
            f"{name}.onnx with SHA-256 {expected[:12]}…",
            "another file" if path.exists() else "no file",
            "Train it anew." if folder is not None else "The installation is damaged: reinstall fleeting.",
        )
    return path


def session(name: str, *, threads: int = 1, folder: Path | None = None, sizes: Mapping[str, int] | None = None) -> Any:
    """Open a shipped network, or one of a folder, as an ``onnxruntime.InferenceSession`` on the CPU.

    Parameters
    ----------
    name
        Of the network.
    threads
        That share the work of one call.
    folder
        Where it lies; the shipped ones where None.
    sizes
        Lengths of axes that the network leaves open, by name.

    Raises
    ------
    WeightsError
        As `file`; and where its content is no network.
    """
    path = file(name, folder=folder)
    with reading(path, "a network in ONNX", "Train it anew.", error=WeightsError):
        return _opened(card(name, folder=folder)["sha256"], path, threads, tuple((sizes or {}).items()))


@lru_cache(maxsize=16)
def _opened(sha256: str, path: Path, threads: int, sizes: tuple[tuple[str, int], ...]) -> Any:
    # Several threads may run one session; to open one takes longer than to run it.
    return open_network(path, threads=threads, sizes=dict(sizes))
