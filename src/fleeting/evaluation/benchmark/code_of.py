"""Which code decides about the predictions of a model: its module, and all of the package that this one imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "fleeting"
_NO_MATTER = frozenset({"errors", "files"})
_ROOT = Path(__file__).resolve().parents[2]


def modules_behind(starts: Iterable[str]) -> tuple[str, ...]:
    """Return modules of the package and all that they import of it, directly or not, inside functions too.

    Parameters
    ----------
    starts
        Full names (``fleeting.recognisers.linear_svm``); of those outside the package, what they import of it.

    Returns
    -------
    tuple of str
        Names below the package (``recognisers.linear_svm``), sorted; without those that change no number.
    """
    found = {name.removeprefix(f"{PACKAGE}.") for name in _files(starts) if name.startswith(f"{PACKAGE}.")}
    return tuple(sorted(found - _NO_MATTER))


def code_outside(start: str) -> tuple[bytes, ...]:
    """Return the source of a module outside the package, and of all that it imports of its own top-level package."""
    return tuple(file.read_bytes() for name, file in sorted(_files([start]).items()) if name.split(".")[0] != PACKAGE)


def _files(starts: Iterable[str]) -> dict[str, Path]:
    """Files of modules and of all that they import of this package or of their own, by name."""
    waiting = list(starts)
    tops = {PACKAGE, *(name.split(".")[0] for name in waiting)}
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        file = _file_of(name) if name.split(".")[0] in tops and name not in found else None
        if file is None:
            continue
        found[name] = file
        inside = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = inside.rsplit(".", node.level - 1)[0] if node.level else ""
                room = ".".join(part for part in (above, node.module) if part)
                # The last name may be a module ("from fleeting.recognisers import ststnet") or something in one.
                waiting += [room, *(f"{room}.{alias.name}" for alias in node.names)]
    return found


def _file_of(name: str) -> Path | None:
    parts = name.split(".")
    if parts[0] == PACKAGE:
        file = _ROOT.joinpath(*parts[1:]).with_suffix(".py")
        return file if len(parts) > 1 and file.is_file() else None
    place = getattr(sys.modules.get(name), "__file__", None)
    if name not in sys.modules:
        try:
            spec = find_spec(name)
        except (ImportError, ValueError):  # a class in a module, not a module
            spec = None
        place = None if spec is None else spec.origin
    return Path(place) if place is not None and place.endswith(".py") else None
