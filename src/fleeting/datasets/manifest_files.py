"""Manifests on disk: csv or parquet, with the corrections in a second table beside it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleeting.datasets.manifest import COLUMNS, CORRECTION_COLUMNS, Correction, Manifest, ManifestRow, checked
from fleeting.datasets.tables import Table
from fleeting.errors import DataError, SettingsError
from fleeting.files import atomic_path, require_parquet, write_text
from fleeting.records import action_units

SUFFIXES: tuple[str, ...] = (".csv", ".parquet")
_FRAMES = ("onset", "apex", "offset")


def corrections_path(path: str | Path) -> Path:
    """``manifest.corrections.csv`` for ``manifest.csv``: where the corrections of a manifest lie."""
    path = Path(path)
    return path.with_name(f"{path.stem}.corrections{path.suffix}")


def write_manifest(manifest: Manifest, path: str | Path) -> list[Path]:
    """Write a manifest and, beside it, its corrections; each file whole or not at all.

    Parameters
    ----------
    path
        ``.csv`` (UTF-8) or ``.parquet``.

    Raises
    ------
    SettingsError
        For another suffix.
    OutputError
        Where the disk refuses.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(
            f"a manifest file ({', '.join(SUFFIXES)})", f"'{path.name}'", "Name it for example manifest.csv."
        )
    rows = [[_cell(row, name) for name in COLUMNS] for row in manifest.rows]
    listed = [[getattr(c, name) for name in CORRECTION_COLUMNS] for c in manifest.corrections]
    beside = corrections_path(path)
    if path.suffix.lower() == ".csv":
        write_text(path, _csv_text(COLUMNS, rows))
        write_text(beside, _csv_text(CORRECTION_COLUMNS, listed))
    else:
        _write_parquet(path, COLUMNS, rows)
        _write_parquet(beside, CORRECTION_COLUMNS, listed)
    return [path, beside]


def read_manifest(path: str | Path) -> Manifest:
    """Read what `write_manifest` wrote, or a table of one's own with these columns.

    Raises
    ------
    DataError
        Where the file cannot be read, a column is missing, a value is impossible, or a clip occurs twice.
    """
    path = Path(path)
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else Table.of_csv(path)
    table.require(*(n for n in COLUMNS if n not in ("first_number", "type", "action_units", "apex", "source_video")))
    rows = [_row(record, number, path) for number, record in zip(table.numbers, table.records, strict=True)]
    return checked(rows, _read_corrections(corrections_path(path)), [path])


def _cell(row: ManifestRow, name: str) -> Any:
    value = getattr(row, name)
    return action_units.as_text(value) if name == "action_units" else value


def _csv_text(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return text.getvalue()


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    require_parquet()
    import pandas as pd

    frame = pd.DataFrame([list(row) for row in rows], columns=list(columns))
    for name in (*_FRAMES, "first_number"):
        if name in columns:
            frame[name] = frame[name].astype("Int64")
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def _read_parquet(path: Path) -> Table:
    require_parquet()
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError("a manifest (.csv or .parquet)", f"{path} ({error})", "Check the path.") from error
    records = [
        {str(k): "" if v is None or v is pd.NA or v != v else str(v) for k, v in record.items()}
        for record in frame.to_dict("records")
    ]
    return Table(path, tuple(map(str, frame.columns)), tuple(records), tuple(range(1, len(records) + 1)))


def _row(record: dict[str, str], number: int, path: Path) -> ManifestRow:
    def whole(name: str) -> int | None:
        text = record.get(name, "").strip()
        value = float(text) if text else None
        if value is not None and not value.is_integer():
            raise ValueError(f"{name} {text} is no whole frame")
        return None if value is None else int(value)

    try:
        fps = float(record["fps"] or "nan")
        if not (math.isfinite(fps) and fps >= 0):
            raise ValueError(f"fps {record['fps']!r}")
        clip = record["clip"]
        return ManifestRow(
            dataset=record["dataset"],
            subject=record["subject"],
            clip=clip,
            source_video=record.get("source_video", "") or f"{record['subject']}/{clip}",
            path=record["path"],
            fps=fps,
            onset=whole("onset"),
            apex=whole("apex"),
            offset=whole("offset"),
            action_units=action_units.parse_strictly(record.get("action_units", "")),
            emotion=record["emotion"],
            type=record.get("type", "micro"),
            first_number=whole("first_number") or 0,
        )
    except ValueError as error:
        raise DataError(
            f"a clip in row {number} of {path.name}", str(error).rstrip("."), "Correct the row; frames count from 0."
        ) from error


def _read_corrections(path: Path) -> list[Correction]:
    if not path.exists():
        return []
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else Table.of_csv(path)
    table.require(*CORRECTION_COLUMNS)
    return [Correction(**{name: record[name] for name in CORRECTION_COLUMNS}) for record in table.records]
