"""``/reports/ID/``: the report of a film, in a sandbox of its own."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse, Response

from fleeting.api import REPORT_NAME
from fleeting.web.film_library import LibraryOf
from fleeting.web.refusals import refuse
from fleeting.web.safety import REPORT_POLICY

router = APIRouter(prefix="/reports")


@router.get("/{film}")
def slashed(film: str, library: LibraryOf) -> Response:
    """Lead to the address with its slash."""
    return RedirectResponse(f"/reports/{library.film(film).id}/", 308)


@router.get("/{film}/")
def report(film: str, library: LibraryOf) -> Response:
    """Return the report as the analysis wrote it."""
    found = library.film(film)
    page = None if found.results is None else found.results / REPORT_NAME
    if page is None or not page.is_file():
        raise refuse(404, f"There is no report of {found.name}.")
    headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "private, no-cache"}
    return FileResponse(page, media_type="text/html", headers=headers)
