"""Score the tables of a MEGC challenge: marked and spotted intervals as csv files, without any video.

``truth.csv`` (or ``gt.csv``) and ``predictions.csv`` (or ``pred.csv``, or the ``megc_recognition.csv`` of ``fleeting
analyse``) with the columns subject, video, onset, offset, emotion, and optionally ``type``: ``me`` or ``micro`` (where
there is no such column), ``mae`` or ``macro``. Frames of both ends are included.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.datasets.people import spelled_alike
from fleeting.errors import DataError
from fleeting.evaluation import megc
from fleeting.evaluation.megc import Marked
from fleeting.files import write_text

TRUTH = ("truth.csv", "gt.csv")
PREDICTIONS = ("predictions.csv", "pred.csv", "megc_recognition.csv")
COLUMNS = ("subject", "video", "onset", "offset", "emotion")
KINDS = {"": "micro", "me": "micro", "micro": "micro", "mae": "macro", "macro": "macro"}


def evaluate_megc(folder: str | Path, *, out: str | Path | None = None) -> dict[str, Any]:
    """Score the predictions of a folder against its truth.

    Parameters
    ----------
    folder
        Holds both tables.
    out
        Folder for ``metrics.json`` and ``intervals.csv`` (one row per marked or spotted interval); nothing is written
        where None.

    Returns
    -------
    dict
        ``micro``, ``macro``, ``all``: counts, precision, recall, F1 of spotting; ``analysis`` and ``strs`` of the
        micro-expressions (`megc.strs`); ``public_script``: what the published script gives (`megc.public_script`).

    Raises
    ------
    DataError
        Where a table is missing, or one of its columns, or a cell that must be a number.
    OutputError
        Where the results cannot be written.
    """
    truth, spotted = (read_intervals(_table(Path(folder), names)) for names in (TRUTH, PREDICTIONS))
    people = spelled_alike(np.array([m.subject for m in (*truth, *spotted)], np.str_))
    named = [replace(m, subject=str(person)) for m, person in zip((*truth, *spotted), people, strict=True)]
    truth, spotted = named[: len(truth)], named[len(truth) :]
    found = megc.strs(truth, spotted)
    scores: dict[str, Any] = {
        **megc.spotting_scores(truth, spotted),
        "analysis": found["analysis"],
        "strs": found["strs"],
        "public_script": megc.public_script(truth, spotted),
    }
    if out is not None:
        write_text(Path(out) / "intervals.csv", _intervals_text(truth, spotted))
        write_text(Path(out) / "metrics.json", json.dumps(scores, indent=2) + "\n")
    return scores


def read_intervals(path: str | Path) -> list[Marked]:
    """Read a table of intervals, in its order.

    Raises
    ------
    DataError
        As `evaluate_megc`.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("a readable table of intervals", f"{path} ({error})", "Check the path.") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise DataError(f"the columns {', '.join(COLUMNS)}", f"{path} without {', '.join(missing)}", "Add them.")
    return [_interval(row, f"{path}, line {line}") for line, row in enumerate(reader, start=2)]


def _interval(row: dict[str, Any], where: str) -> Marked:
    cells = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    kind = cells.get("type", "").lower()
    if kind not in KINDS:
        raise DataError("a type of me, mae, micro or macro", f"'{kind}' in {where}", "Correct the table.")
    try:
        onset, offset = (int(float(cells[name])) for name in ("onset", "offset"))
    except ValueError as error:
        raise DataError("frame numbers as onset and offset", f"{error} in {where}", "Correct the table.") from error
    return Marked(cells["subject"], cells["video"], onset, offset, cells["emotion"].lower(), KINDS[kind])


def _table(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(f"{names[0]} in {folder}", "no such file", f"Other names that are read: {', '.join(names[1:])}.")


def _intervals_text(truth: list[Marked], spotted: list[Marked]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    sides = [f"{side}_{name}" for side in ("truth", "spotted") for name in ("onset", "offset", "emotion")]
    writer.writerow(("subject", "video", "type", *sides, "iou"))
    for one, other in megc.matched(truth, spotted):
        place = one or other
        assert place is not None
        cells = [("", "", "") if m is None else (m.onset, m.offset, m.emotion) for m in (one, other)]
        iou = one.interval.iou(other.interval) if one and other else 0.0
        writer.writerow((place.subject, place.video, place.kind, *cells[0], *cells[1], f"{iou:.3f}"))
    return text.getvalue()
