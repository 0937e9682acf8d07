"""The workbench as an application: the routers, the page's files, and the guard before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles

from fleeting import weights
from fleeting.analysis.analyse import card_summary, package_version
from fleeting.coding.checks import EMOTION_SCHEMES
from fleeting.coding.coders import coders_of
from fleeting.errors import InputError
from fleeting.records import CODED_KINDS
from fleeting.report.wording import expression_score, headline
from fleeting.web import coders, comparing, exchange, films, frames, jobs, lanes, live, reports, study
from fleeting.web.coders import Desks
from fleeting.web.exchange import FORMATS
from fleeting.web.film_library import STATE, Library
from fleeting.web.frames import Looks
from fleeting.web.job_queue import JobQueue
from fleeting.web.refusals import answer_errors, refuse
from fleeting.web.safety import Guard, new_token
from fleeting.web.study import Study
from fleeting.web.summaries import Summaries
from fleeting.web.work import keep_probing, work_on

STATIC = Path(__file__).parent / "static"

UPLOAD_LIMIT = 8_000_000_000
"""Bytes of a film that is sent, unless the user says otherwise."""

NOTE = (
    "A micro-expression is a brief movement, not a lie and not proof of a feeling. Machines often miss them, find some "
    "that are not there, and name them wrongly. Look at each one yourself."
)


def create_app(
    folder: str | Path,
    *,
    token: str | None = None,
    hosts: Iterable[str] = (),
    upload_limit: int = UPLOAD_LIMIT,
    workers: int = 1,
    probe: bool = False,
) -> Guard:
    """Return the workbench of a folder of films, as an ASGI application.

    Parameters
    ----------
    folder
        Of the films. New results go into ``fleeting-output`` within it.
    token
        The key in the address that is opened first; a new one where None. ``app.token`` has it.
    hosts
        Names besides this machine's own by which the server may be called.
    upload_limit
        Most bytes of a film that is sent.
    workers
        Films that are analysed at the same time.
    probe
        Whether films that were not analysed are probed while nothing else is done.

    Raises
    ------
    InputError
        Where there is no such folder.
    OutputError
        Where nothing can be written there.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError("a folder of films", f"{folder}, which is no folder", "Check the path, or make it.")
    inner = FastAPI(title="Fleeting", openapi_url=None, docs_url=None, redoc_url=None, lifespan=_living)
    library = Library(place)
    inner.state.films = library
    inner.state.looks = Looks(library)
    inner.state.summaries = Summaries(library)
    inner.state.desks = Desks()
    inner.state.study = Study(library.output / "study.csv")
    inner.state.queue = JobQueue(
        library.output / STATE / "jobs.json", root=library.folder, work=work_on, workers=workers
    )
    inner.state.upload_limit = upload_limit
    if probe:
        keep_probing(library, inner.state.queue)
    answer_errors(inner)
    for noun in (films, frames, lanes, coders, exchange, comparing, jobs, study, reports, live):
        inner.include_router(noun.router)
    inner.add_api_route("/api/state", _state)
    inner.add_api_route("/api/{rest:path}", _nothing, methods=["GET", "POST", "PUT", "DELETE"])
    inner.add_api_route("/", _page)
    inner.mount("/static", StaticFiles(directory=STATIC, check_dir=False))
    return Guard(inner, token=token or new_token(), hosts=hosts)


@asynccontextmanager
async def _living(app: FastAPI) -> AsyncIterator[None]:
    try:
        yield
    finally:
        app.state.queue.close()
        app.state.looks.close()


def _state(request: Request) -> dict[str, Any]:
    library: Library = request.app.state.films
    known = {name for f in library.films().values() if f.results is not None for name in coders_of(f.results)}
    cards = {name: card_summary(weights.card(name)) for name in weights.names() if name in ("fleeting", "expression")}
    return {
        "version": package_version(),
        "folder": str(library.folder),
        "coders": sorted(known),
        "kinds": list(CODED_KINDS),
        "schemes": {name: list(scheme.classes) for name, scheme in EMOTION_SCHEMES.items()},
        "formats": FORMATS,
        "settings": {"upload_limit_bytes": request.app.state.upload_limit},
        "note": NOTE,
        "scores": {
            "recogniser": headline(cards.get("fleeting", {})),
            "expression": expression_score(cards.get("expression", {})),
        },
    }


def _nothing(rest: str) -> Response:
    raise refuse(404, f"There is nothing at /api/{rest}.")


def _page() -> Response:
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})
