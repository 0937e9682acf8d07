"""One file that holds a prepared data set: manifest, flow images, sequences. It needs neither frames nor cache.

An ``.npz`` of ``flow`` (n, 28, 28, 3) uint8, optionally ``sequence`` (n, frames, h, w) uint8, one text or number array
for every column of the manifest but the action units' (text), and ``settings`` as JSON. Frames that are not known are
-1.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.datasets.folders import existing
from fleeting.datasets.manifest import COLUMNS, Manifest, ManifestRow, checked
from fleeting.datasets.prepare import Prepared, arrays_of
from fleeting.errors import DataError
from fleeting.files import atomic_path
from fleeting.records import action_units

_FRAMES = ("onset", "apex", "offset")


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """What such a file holds.

    Attributes
    ----------
    manifest
        One row per clip.
    flow, sequence
        In the order of the manifest's rows; the sequence is None where there is none.
    settings
        How it was made.
    """

    manifest: Manifest
    flow: npt.NDArray[np.uint8]
    sequence: npt.NDArray[np.uint8] | None
    settings: dict[str, Any]


def write(prepared: Prepared, path: str | Path, *, settings: Mapping[str, Any]) -> Path:
    """Write prepared clips, whole or not at all.

    Raises
    ------
    DataError
        Where there is none.
    OutputError
        Where the disk refuses.
    """
    path = Path(path)
    if not prepared.rows:
        raise DataError("at least one prepared clip", f"none for {path}", "See why the clips failed.")
    columns: dict[str, npt.NDArray[Any]] = {"settings": np.array(json.dumps(dict(settings)))}
    for name in COLUMNS:
        values = [getattr(row, name) for row in prepared.rows]
        if name in (*_FRAMES, "first_number"):
            columns[name] = np.array([-1 if v is None else v for v in values], np.int64)
        elif name == "action_units":
            columns[name] = np.array([action_units.as_text(v) for v in values], np.str_)
        else:
            columns[name] = np.array(values, np.float64 if name == "fps" else np.str_)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **columns, **arrays_of(prepared))
    return path


def load(path: str | Path) -> PreparedFile:
    """Read such a file.

    Raises
    ------
    DataError
        Where it cannot be read, or an array is missing or of the wrong shape.
    """
    path = existing(path)
    hint = "Make it with: fleeting prepare NAME=PATH --out FILE.npz."
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [n for n in (*COLUMNS, "flow", "settings") if n not in stored.files]
            if missing:
                raise DataError("a file of fleeting prepare", f"{path} without {', '.join(missing)}", hint)
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("a file of fleeting prepare", f"{path} ({error})", hint) from error
    n = len(arrays["clip"])
    sequence = arrays.get("sequence")
    whole = all(arrays[name].shape == (n,) for name in COLUMNS)
    if not whole or arrays["flow"].shape != (n, 28, 28, 3) or (sequence is not None and len(sequence) != n):
        raise DataError("one row for each clip in every array", f"{path}, whose arrays differ in length", hint)
    rows = [_row({name: arrays[name][i] for name in COLUMNS}) for i in range(n)]
    settings = json.loads(str(arrays["settings"]))
    manifest = checked(rows, [], [path])
    if len(manifest) != n:
        raise DataError("every clip once", f"a clip twice in {path}", hint)
    return PreparedFile(manifest, arrays["flow"], sequence, settings)


def read(path: Path) -> Manifest:
    """Return the manifest of such a file.

    Raises
    ------
    DataError
        As `load`.
    """
    return load(path).manifest


def _row(values: Mapping[str, Any]) -> ManifestRow:
    cells: dict[str, Any] = {}
    for name, value in values.items():
        if name in _FRAMES:
            cells[name] = None if value < 0 else int(value)
        elif name == "first_number":
            cells[name] = int(value)
        elif name == "action_units":
            cells[name] = action_units.parse(str(value)).units
        else:
            cells[name] = float(value) if name == "fps" else str(value)
    return ManifestRow(**cells)
