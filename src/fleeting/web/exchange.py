"""``/api/films/ID/export`` and ``import``: the files of other programs."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from fleeting.coding.agreement import read_side
from fleeting.coding.exports import coded_timeline
from fleeting.coding.imports import import_file
from fleeting.errors import FleetingError
from fleeting.export import check_formats, write
from fleeting.export.media import read_media
from fleeting.report.build import render
from fleeting.report.methods import methods
from fleeting.results import portable
from fleeting.web import uploads
from fleeting.web.film_library import Library, LibraryOf
from fleeting.web.refusals import heard, refuse

IMPORT_LIMIT = 200_000_000
IMPORTED = frozenset({".eaf", ".boris", ".json", ".csv", ".tsv", ".txt", ".xlsx"})

FORMATS = {
    "csv": "Table (csv)",
    "elan": "ELAN (.eaf)",
    "boris": "BORIS (project and table)",
    "bids": "BIDS (events.tsv)",
    "megc": "MEGC tables",
    "json": "All that is known (timeline.json)",
    "report-without-faces": "Report without faces, to share",
    "methods": "Methods paragraph for a paper",
}
"""What a page offers."""

router = APIRouter(prefix="/api/films/{film}")


@router.get("/export")
def export(
    film: str, library: LibraryOf, coder: str, formats: Annotated[str, Query(alias="format")] = "csv"
) -> Response:
    """Return what a coder says of a film as a file; several files, or several formats (``a,b``), as a zip."""
    known = library.coded(film)
    if formats == "report-without-faces":
        store = known.folder / "media.npz"
        page = render(known.timeline, read_media(store) if store.exists() else {}, without_faces=True)
        return _attached(page.encode(), f"{portable(known.timeline.video.name)}-without-faces.html")
    if formats == "methods":
        return _attached(methods([known.timeline]).encode(), f"{portable(known.timeline.video.name)}-methods.txt")
    chosen = check_formats([name for name in formats.split(",") if name])
    side = read_side(known, coder)
    if side is None:
        raise refuse(404, f"{coder} has not coded this film.")
    name = portable(f"{known.timeline.video.name}-{coder}")
    with tempfile.TemporaryDirectory(prefix="fleeting-") as folder:
        paths = write(coded_timeline(side), folder, chosen)
        if len(paths) == 1:
            return _attached(paths[0].read_bytes(), f"{name}-{paths[0].name}")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths:
                archive.write(path, path.relative_to(folder).as_posix())
    return _attached(packed.getvalue(), f"{name}.zip")


@router.post("/import")
async def take(film: str, request: Request, coder: str, face: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """Read a file of annotations into a coder's log; reading it twice changes nothing."""
    library: Library = request.app.state.films
    known = await run_in_threadpool(library.coded, film)
    place = library.state_path("imports")
    received, name = await uploads.receive(request, place, limit=IMPORT_LIMIT, suffixes=IMPORTED)
    return await run_in_threadpool(_read, received, name, known.folder, coder, face)


def _read(received: Path, name: str, folder: Path, coder: str, face: int) -> dict[str, Any]:
    try:
        with heard(str(received)) as said:
            done = import_file(received, folder, coder, face=face)
    except FleetingError as error:
        text = str(error).replace(str(received), name)
        raise refuse(422, text) from error
    finally:
        received.unlink(missing_ok=True)
    notes = [text.replace(str(received), name) for text in said]
    return {"added": sum(d.added for d in done), "known": sum(d.known for d in done), "notes": notes}


def _attached(data: bytes, name: str) -> Response:
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in name)
    encoded = "".join(
        chr(b) if b < 128 and (chr(b).isalnum() or chr(b) in "-_.") else f"%{b:02X}" for b in name.encode()
    )
    headers = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"}
    return Response(data, media_type="application/octet-stream", headers=headers)
