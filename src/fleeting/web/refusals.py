"""Errors and warnings for the page: ``{"error": "a plain sentence"}`` with the status that fits.

Python's filters of warnings belong to the whole process, so only one thread at a time may change them (`heard`);
`server` has all other warnings passed over.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteError

from fleeting.errors import DataError, FleetingError, FleetingWarning, InputError, MissingExtraError, OutputError

log = logging.getLogger(__name__)

_ALONE = threading.Lock()

STATUSES: tuple[tuple[type[FleetingError], int], ...] = (
    (DataError, 422),
    (InputError, 400),
    (OutputError, 507),
    (MissingExtraError, 501),
)


def refuse(status: int, said: str, headers: dict[str, str] | None = None) -> HTTPException:
    """Return the exception that answers with a status and a sentence."""
    return HTTPException(status, said, headers)


def answer_errors(app: FastAPI) -> None:
    """Have an application answer every error in one form."""

    @app.exception_handler(FleetingError)
    async def _fleeting(_: Request, error: FleetingError) -> JSONResponse:
        status = next((number for kind, number in STATUSES if isinstance(error, kind)), 500)
        return JSONResponse({"error": str(error)}, status)

    @app.exception_handler(StarletteError)
    async def _http(_: Request, error: StarletteError) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "; ".join(map(_said, error.errors()))}, 422)

    @app.exception_handler(Exception)
    async def _other(_: Request, error: Exception) -> JSONResponse:
        log.error("an error in Fleeting itself", exc_info=error)
        return JSONResponse({"error": f"An error in Fleeting itself ({type(error).__name__}: {error})."}, 500)


def _said(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
    return f"{where or 'request'}: {problem['msg']}"


@contextmanager
def heard(about: str) -> Iterator[list[str]]:
    """Give a list that holds, after the block, the texts of the `FleetingWarning`s that name something."""
    texts: list[str] = []
    with _ALONE, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", FleetingWarning)
        yield texts
        found = [str(w.message) for w in said if issubclass(w.category, FleetingWarning)]
        texts += [text for text in found if about in text]
