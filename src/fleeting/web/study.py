"""``/api/study``: whose face a film shows, and under which condition it was filmed.

Kept as ``study.csv`` in the folder of results, with the columns film, person and condition, for R or a spreadsheet.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from fleeting.coding.agreement import read_side
from fleeting.coding.coders import MACHINE
from fleeting.coding.summary import Groups, csv_text, film_row, parse_groups, summarise
from fleeting.errors import DataError, InputError
from fleeting.export.events_csv import table_text
from fleeting.files import write_text
from fleeting.web.film_library import LibraryOf

COLUMNS = ("film", "person", "condition")
LARGEST = 5_000_000
LONGEST = 200

router = APIRouter(prefix="/api/study")


class Study:
    """The person and the condition of each film, by its name. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        try:
            self._rows = parse_groups(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, InputError):
            self._rows = {}

    def of(self, film: str) -> dict[str, str | None]:
        """Return person and condition of a film; None where they were not told."""
        row = self._rows.get(film, {})
        return {name: row.get(name) or None for name in COLUMNS[1:]}

    def rows(self) -> Groups:
        """Return all films of which something was told."""
        with self._lock:
            return {film: dict(row) for film, row in self._rows.items()}

    def change(self, told: Groups) -> None:
        """Take over what is told of some films.

        Raises
        ------
        OutputError
            Where the disk refuses.
        """
        with self._lock:
            changed = {**self._rows, **told}
            rows = ((film, row.get("person", ""), row.get("condition", "")) for film, row in changed.items())
            write_text(self._path, table_text(COLUMNS, rows))
            self._rows = changed


def study_of(request: Request) -> Study:
    """Return the study of the application that was asked."""
    study: Study = request.app.state.study
    return study


StudyOf = Annotated[Study, Depends(study_of)]


@router.get("")
def study(study: StudyOf) -> Groups:
    """Return person and condition by the name of the film."""
    return study.rows()


@router.get("/summary", response_model=None)
def summary(
    study: StudyOf, library: LibraryOf, coder: str = MACHINE, form: Annotated[str, Query(alias="format")] = "json"
) -> dict[str, Any] | Response:
    """Return events a codable minute by condition, and a row for each film (``format=csv``: these alone)."""
    rows, left = [], []
    for film in library.films().values():
        if not film.is_analysed:
            continue
        try:
            side = read_side(library.coded(film), coder)
        except DataError:
            side = None
        if side is None:
            left.append(film.name)
        else:
            rows.append(film_row(film.name, side, study.rows().get(film.name, {})))
    if form == "csv":
        headers = {"Content-Disposition": 'attachment; filename="summary.csv"'}
        return Response(csv_text(rows), media_type="text/csv; charset=utf-8", headers=headers)
    films = [asdict(row) for row in rows]
    return {"coder": coder, "conditions": summarise(rows), "films": films, "films_left_out": left}


@router.post("")
async def change(request: Request, study: StudyOf, library: LibraryOf) -> Groups:
    """Take a csv with the columns film, person and condition, or the same as JSON by the film's name or id."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise InputError("a table of at most 5 MB", "a longer one", "Check the file.")
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            rows = _checked(json.loads(body))
        except ValueError as error:
            raise InputError("JSON", str(error), "Send what GET gives.") from error
    else:
        try:
            rows = parse_groups(body.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InputError("a table in UTF-8", str(error), "Save it as UTF-8.") from error
    names = {key: film.name for film in library.films().values() for key in (film.id, film.name, _stem(film.name))}
    study.change({names.get(film, film): row for film, row in rows.items()})
    return study.rows()


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _checked(values: Any) -> Groups:
    sound = isinstance(values, dict) and all(
        isinstance(row, dict) and all(v is None or (isinstance(v, str) and len(v) <= LONGEST) for v in row.values())
        for row in values.values()
    )
    if not sound:
        raise InputError(
            "by film its person and condition as short texts", "something else", "See docs/how-to/workbench.md."
        )
    return {str(film): {c: (row.get(c) or "").strip() for c in COLUMNS[1:]} for film, row in values.items()}
