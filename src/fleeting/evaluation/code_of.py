"""Which code decides about the predictions of a model: its module, and all of the package that this one imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

PACKAGE = "fleeting"
_NO_MATTER = frozenset({"errors", "files"})
_ROOT = Path(__file__).resolve().parents[1]


def modules_behind(starts: Iterable[str]) -> tuple[str, ...]:
    """Return modules of the package and all that they import of it, directly or not, inside functions too.

    Parameters
    ----------
    starts
        Full names (``fleeting.training.linear_svm``); those outside the package are passed over.

    Returns
    -------
    tuple of str
        Names below the package (``training.linear_svm``), sorted; without those that change no number.
    """
    waiting = [name for name in starts if _file_of(name) is not None]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        file = _file_of(name)
        if name in found or file is None:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                # The last name may be a module ("from fleeting.models import ststnet") or something in one.
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(sorted({name.removeprefix(f"{PACKAGE}.") for name in found} - _NO_MATTER))


def _file_of(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] != PACKAGE or len(parts) < 2:
        return None
    file = _ROOT.joinpath(*parts[1:]).with_suffix(".py")
    return file if file.is_file() else None
