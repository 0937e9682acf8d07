"""``/api/jobs``: analyses and calibrations that wait, run or have ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from fleeting.analysis.chosen_faces import check_faces
from fleeting.errors import SettingsError
from fleeting.settings import AnalyseSettings, from_dict
from fleeting.web.film_library import LibraryOf
from fleeting.web.job_queue import SILENT, JobQueue, WebJob
from fleeting.web.refusals import refuse

BEAT_S = 15.0
"""A stream without news says so that often, or it would be taken for dead."""

router = APIRouter(prefix="/api/jobs")


class JobAsked(BaseModel):
    """A job: `settings` as a settings file has them, `fps` as ``--fps``."""

    model_config = ConfigDict(extra="forbid")

    film: str
    kind: Literal["analyse", "calibrate"] = "analyse"
    settings: dict[str, Any] = Field(default_factory=dict)
    fps: float | None = Field(None, gt=0, le=100_000)


def queue_of(request: Request) -> JobQueue:
    """Return the queue of the application that was asked."""
    queue: JobQueue = request.app.state.queue
    return queue


QueueOf = Annotated[JobQueue, Depends(queue_of)]


@router.get("")
def jobs(queue: QueueOf) -> list[dict[str, Any]]:
    """Return all jobs, the first one first."""
    return [job.told() for job in queue.jobs() if job.kind not in SILENT]


@router.post("")
def add(asked: JobAsked, library: LibraryOf, queue: QueueOf) -> JSONResponse:
    """Put a film into the queue."""
    film, path = library.playable(asked.film)
    run = film.run()
    fps = asked.fps or run.get("fps")
    if path.is_dir() and fps is None:
        raise SettingsError(f"a frame rate for the image folder {film.name}", "none", "Give the camera's rate.")
    settings = asked.settings or (dict(run.get("settings", {})) if asked.kind == "calibrate" else {})
    if settings:
        check_faces(from_dict(AnalyseSettings, settings).faces)
    place = library.place_for(film)
    return JSONResponse(
        queue.add(film.id, asked.kind, video=path, folder=place, settings=settings, fps=fps).told(), 201
    )


@router.delete("/{job}")
def cancel(job: str, queue: QueueOf) -> dict[str, Any]:
    """Take a job out of the queue, or stop it."""
    found = queue.cancel(job)
    if found is None:
        raise refuse(404, "There is no such job.")
    return found.told()


@router.get("/stream")
def stream(queue: QueueOf) -> StreamingResponse:
    """Tell of every change of a job, as server-sent events; all jobs that are not done come first."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(queue), media_type="text/event-stream", headers=headers)


async def _changes(queue: JobQueue) -> AsyncIterator[str]:
    told: dict[str, WebJob] = {}
    seen = -1
    while not queue.closed:
        now = {job.id: job for job in queue.jobs() if job.kind not in SILENT}
        for job in now.values():
            ended_before = not told and seen < 0 and job.state not in ("queued", "running")
            if told.get(job.id) != job and not ended_before:
                yield f"data: {json.dumps(job.told(), ensure_ascii=False)}\n\n"
        told, before = now, seen
        seen = await run_in_threadpool(queue.wait, queue.version if before < 0 else seen, BEAT_S)
        if seen == before:
            yield ": still here\n\n"
        await asyncio.sleep(0)
