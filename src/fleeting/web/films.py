"""``/api/films``: the films of the folder, one of them, a new one, and the file itself for watching."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from fleeting.records import Timeline
from fleeting.web import uploads
from fleeting.web.browser_copy import copy_path, plays
from fleeting.web.film_library import FilmFile, Library, LibraryOf
from fleeting.web.job_queue import SILENT, JobQueue, WebJob
from fleeting.web.refusals import refuse
from fleeting.web.study import Study
from fleeting.web.summaries import Summaries
from fleeting.web.work import probed

router = APIRouter(prefix="/api/films")


@router.get("")
def films(request: Request, library: LibraryOf) -> list[dict[str, Any]]:
    """Return all films of the folder."""
    return [told(request, film) for film in library.films().values()]


@router.post("")
async def add(request: Request) -> JSONResponse:
    """Take a film into the folder."""
    library: Library = request.app.state.films
    limit: int = request.app.state.upload_limit
    received, name = await uploads.receive(request, library.folder, limit=limit, suffixes=uploads.FILMS)
    path = await run_in_threadpool(uploads.settle, received, library.folder, name)
    found = next((f for f in library.films(anew=True).values() if f.path == path), None)
    if found is None:
        raise refuse(500, f"{path.name} was taken, but is not seen in the folder.")
    return JSONResponse(await run_in_threadpool(lambda: told(request, found, now=True)), 201)


@router.get("/{film}")
def film(film: str, request: Request, library: LibraryOf) -> dict[str, Any]:
    """Return one film, with its faces, cuts and warnings where it was analysed."""
    found = library.film(film)
    values = told(request, found, now=True)
    if not found.is_analysed:
        return values | {"faces": [], "cuts": [], "warnings": [], "duration_s": values["seconds"]}
    timeline = library.coded(found).timeline
    return values | {
        "faces": _faces(found.id, timeline),
        "cuts": [{"frame": cut.frame, "time_s": cut.time_s} for cut in timeline.cuts],
        "warnings": list(timeline.warnings),
        "duration_s": timeline.duration_s,
    }


@router.get("/{film}/video")
def video(film: str, request: Request, library: LibraryOf) -> Response:
    """Return the film for watching: the file where browsers play it, else a copy with the same times.

    The copy is made once; until it is there, its progress is answered with the status 202.
    """
    found, path = library.playable(film)
    fps = found.run().get("fps")
    turn = library.coded(found).timeline.video.turn if found.is_analysed else 0
    if path.is_file() and fps is None and turn == 0 and plays(path):
        return FileResponse(path, headers={"Cache-Control": "private, no-cache"})
    copy = copy_path(library.state_path("copies"), found.id, path, fps, turn)
    if copy.is_file():
        return FileResponse(copy, media_type="video/mp4", headers={"Cache-Control": "private, no-cache"})
    queue: JobQueue = request.app.state.queue
    last = queue.of(found.id, "copy")
    if last is not None and last.state == "failed" and request.query_params.get("again") is None:
        raise refuse(422, last.problem or f"No copy of {found.name} could be made.")
    job = queue.add(found.id, "copy", video=path, folder=copy, fps=fps, turn=turn)
    return JSONResponse({"progress": job.progress}, 202)


def told(request: Request, film: FilmFile, *, now: bool = False) -> dict[str, Any]:
    """Return what the list of films says of one."""
    summaries: Summaries = request.app.state.summaries
    queue: JobQueue = request.app.state.queue
    study: Study = request.app.state.study
    known = summaries.of(film, now=now)
    if known["quality"] is None and film.path is not None and not film.is_analysed:
        known = known | {"quality": probed(request.app.state.films, film)}
    job = next((j for j in reversed(queue.jobs()) if j.film == film.id and j.kind not in SILENT), None)
    state, problem = _state(film, job)
    if film.path is None:
        problem = f"The film does not lie in the folder that is served. Move it there to see it: {film.run_path()}"
    return {
        "id": film.id,
        "name": film.name,
        **{k: v for k, v in known.items() if k != "stamp"},
        "state": state,
        "progress": job.progress if job is not None and state == "running" else None,
        "problem": problem or known["problem"],
        "reviewed": summaries.reviewed(film),
        **study.of(film.name),
    }


def _state(film: FilmFile, job: WebJob | None) -> tuple[str, str | None]:
    if job is not None and job.state in ("queued", "running"):
        return job.state, None
    if job is not None and job.state == "failed":  # results of before are there still
        return ("done" if film.is_analysed else "failed"), job.problem
    if film.is_analysed:
        return "done", None
    return ("cancelled" if job is not None and job.state == "cancelled" else "new"), None


def _faces(film: str, timeline: Timeline) -> list[dict[str, Any]]:
    analysed = {s.face for s in timeline.signals}
    faces = [t for t in timeline.tracks if t.id in analysed] or list(timeline.tracks)
    rate = timeline.video.fps or 1.0
    return [
        {"id": t.id, "picture_url": f"/api/films/{film}/faces/{t.id}/picture", "seconds": t.frame_count / rate}
        for t in faces
    ]
