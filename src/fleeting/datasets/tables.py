"""Annotation tables as text: csv, white space or Excel, whatever row the header is in and however columns are spelled.

Every cell becomes text as a person would read it (``1`` for an Excel number 1.0), since the tables of the field mix
numbers and text in one column. Names of columns are compared without case, blanks and punctuation.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleeting.errors import DataError, MissingExtraError
from fleeting.reading import check_size, reading
from fleeting.settings import nearest

HEADER_ROWS = 40
"""Rows at the top of a sheet among which the header is looked for."""

MOST_EXCEL = 256 << 20
"""Bytes to which an Excel file may unpack; the largest tables of the field have 2 MB."""

EXCEL: tuple[str, ...] = (".xlsx", ".xlsm")

Row = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text.

    Attributes
    ----------
    path
        Where it is from.
    columns
        Names, in order.
    records
        One dictionary a row, with every column; rows without any text are left out.
    numbers
        Number of each record's row in the file, counted from 1, as a spreadsheet shows it.
    """

    path: Path
    columns: tuple[str, ...]
    records: tuple[dict[str, str], ...]
    numbers: tuple[int, ...]

    @classmethod
    def of_csv(cls, path: str | Path) -> Table:
        """Read a csv file whose first row is the header; its delimiter may be a comma, semicolon or tab.

        Raises
        ------
        DataError
            Where it cannot be read or is empty.
        """
        path = Path(path)
        rows = _delimited(path)
        return _table(path, rows, 0)

    def require(self, *names: str) -> None:
        """Check that columns are there.

        Raises
        ------
        DataError
            Naming each missing one.
        """
        missing = [n for n in names if n not in self.columns]
        if missing:
            raise missing_columns(missing, self.columns, self.path)

    def renamed(self, names: Mapping[str, Sequence[str]], *, optional: Iterable[str] = ()) -> Table:
        """Return the table with the given names for its columns.

        Parameters
        ----------
        names
            By new name, the spellings that it may have in the file.
        optional
            New names that may be missing; they are then empty everywhere.

        Raises
        ------
        DataError
            Naming each other column that is missing.
        """
        have = {plain(c): c for c in reversed(self.columns)}
        found = {new: next((have[plain(s)] for s in old if plain(s) in have), None) for new, old in names.items()}
        missing = [names[new][0] for new, old in found.items() if old is None and new not in set(optional)]
        if missing:
            raise missing_columns(missing, self.columns, self.path)
        records = tuple({new: r[old] if old is not None else "" for new, old in found.items()} for r in self.records)
        return Table(self.path, tuple(names), records, self.numbers)

    def has(self, *spellings: str) -> bool:
        """Whether there is a column of one of these names."""
        have = {plain(c) for c in self.columns}
        return any(plain(s) in have for s in spellings)


def plain(name: str) -> str:
    """Small letters and digits alone: ``Onset Frame`` and ``OnsetFrame`` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def missing_columns(missing: Sequence[str], have: Sequence[str], path: Path) -> DataError:
    """Error for columns that a table lacks."""
    there = [c for c in have if c]
    hint = f"{nearest(missing[0], there)} Rename or add it." if there else "Give the table its header row."
    return DataError(f"the columns {', '.join(missing)}", f"{path} with {', '.join(there) or 'none'}", hint)


def read_table(path: str | Path, *, needs: Sequence[Sequence[str]], sheets: Sequence[str] = ()) -> Table:
    """Read a csv or Excel table; the header is the first row that has all the needed columns.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt``, ``.xlsx`` or ``.xlsm``.
    needs
        Spellings of each column that the header must have.
    sheets
        Names of the sheets to look in, in this order; all where none of them is there.

    Raises
    ------
    DataError
        Where the file cannot be read or no row has all columns.
    MissingExtraError
        For Excel without openpyxl.
    """
    path = Path(path)
    best: tuple[int, Sequence[str]] = (-1, ())
    for rows in sheets_of(path, sheets):
        for index, row in enumerate(rows[:HEADER_ROWS]):
            names = {plain(cell) for cell in row}
            hits = sum(any(plain(s) in names for s in spellings) for spellings in needs)
            if hits == len(needs):
                return _table(path, rows, index)
            if hits > best[0]:
                best = (hits, row)
    have = {plain(cell) for cell in best[1]}
    missing = [spellings[0] for spellings in needs if not any(plain(s) in have for s in spellings)]
    raise missing_columns(missing, best[1] if best[0] > 0 else (), path)


def read_headerless(path: str | Path, names: Sequence[str], *, sheets: Sequence[str] = ()) -> Table:
    """Read a table without a header, whose columns are the given ones in this order; further columns are ignored.

    Raises
    ------
    DataError
        Where the file cannot be read or a row has too few cells.
    MissingExtraError
        For Excel without openpyxl.
    """
    path = Path(path)
    rows = sheets_of(path, sheets)[0]
    records, numbers = [], []
    for number, row in enumerate(rows, start=1):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) < len(names):
            raise DataError(
                f"{len(names)} columns ({', '.join(names)})", f"{len(row)} in row {number} of {path}", "Mend the row."
            )
        records.append(dict(zip(names, row, strict=False)))
        numbers.append(number)
    return Table(path, tuple(names), tuple(records), tuple(numbers))


def sheets_of(path: Path, sheets: Sequence[str] = ()) -> list[list[Row]]:
    """Return the cells of the named sheets that there are, else of all; a csv file is one sheet."""
    if path.suffix.lower() not in EXCEL:
        return [_delimited(path)]
    book = _excel(path)
    wanted = [name for want in sheets for name in book if plain(name) == plain(want)]
    return [book[name] for name in wanted or book]


def _table(path: Path, rows: list[Row], header: int) -> Table:
    if len(rows) <= header:
        raise DataError("a table with a header", f"{path}, which is empty", "Check the file.")
    columns = [c.strip() for c in rows[header]]
    records, numbers = [], []
    for number, row in enumerate(rows[header + 1 :], start=header + 2):
        if any(cell.strip() for cell in row):
            padded = [*row, *[""] * (len(columns) - len(row))]
            # The first column of a name counts: tables repeat blank names.
            records.append(dict(reversed(list(zip(columns, padded, strict=False)))))
            numbers.append(number)
    return Table(path, tuple(columns), tuple(records), tuple(numbers))


def _delimited(path: Path) -> list[Row]:
    with reading(path, "a readable table in UTF-8", "Save it as UTF-8 csv."):
        return _cells(path.read_bytes().decode("utf-8-sig"))


def _cells(text: str) -> list[Row]:
    lines = text.splitlines()
    # Notes may stand above the header, and what is in quotes may hold any of them.
    top = re.sub(r'"[^"]*"', "", "\n".join(lines[:HEADER_ROWS]))
    delimiter = max(",;\t", key=lambda d: (sum(d in line for line in top.splitlines()), top.count(d)))
    if delimiter not in top:
        return [line.split() for line in lines]
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _excel(path: Path) -> dict[str, list[Row]]:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("research", "Excel tables") from error
    with reading(path, "a readable Excel table", "Save it again as .xlsx."):
        with zipfile.ZipFile(path) as archive:
            check_size("an Excel table", sum(entry.file_size for entry in archive.infolist()), MOST_EXCEL)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            return {
                sheet.title: [[_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
                for sheet in book
            }
        finally:
            book.close()


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
