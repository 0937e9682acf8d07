"""``/api/films/ID/frames``, ``times``, pictures: what is seen of a film, by the numbers of its frames."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from fleeting.errors import VideoError
from fleeting.export.media import read_faces, read_places
from fleeting.faces.align import CANONICAL_WIDTH
from fleeting.video.reader import open_video
from fleeting.video.stream import VideoReader
from fleeting.web import views
from fleeting.web.film_library import FilmFile, Library
from fleeting.web.frame_window import FrameWindow, Windows
from fleeting.web.refusals import refuse

FOLDER_FPS = 25.0
"""Rate of a folder of images before somebody has told it."""

THUMBNAIL = 320
MEDIA = "media.npz"

router = APIRouter(prefix="/api/films")


class Looks:
    """The films that are being looked at: decoders, enlargements, and where the faces are. Threads may share it."""

    def __init__(self, library: Library) -> None:
        self.films = library
        self.windows = Windows()
        self._lock = threading.Lock()
        self._places: OrderedDict[Any, dict[int, views.Places]] = OrderedDict()
        self._enlarged: OrderedDict[Any, views.Enlarged] = OrderedDict()

    def window(self, film: str) -> FrameWindow:
        """Return the frames of a film as it was analysed last."""
        found, path = self.films.playable(film)
        known = self.films.coded(found).time_s if found.is_analysed else None
        changed = path.stat().st_mtime_ns
        return self.windows.of((found.id, found.stamp, changed), lambda: FrameWindow(self.opener(found), known))

    def opener(self, film: FilmFile) -> Any:
        """Return what opens a film at the rate and turned as it was analysed."""
        run = film.run()
        path = film.path
        assert path is not None
        fps = run.get("fps") or (FOLDER_FPS if path.is_dir() else None)
        turn = self.films.coded(film).timeline.video.turn if film.is_analysed else 0

        def opened() -> VideoReader:
            reader = open_video(path, fps=fps)
            if turn in (90, 180, 270):
                reader.turn(turn)
            return reader

        return opened

    def places(self, film: FilmFile) -> dict[int, views.Places]:
        """Return where the faces of a film are; empty where no analysis has kept it."""
        key = (film.id, film.stamp)
        with self._lock:
            if key not in self._places:
                signals = self.films.coded(film).timeline.signals
                kept: dict[int, views.Places] = {s.face: s.place for s in signals if s.place is not None}
                store = None if film.results is None else film.results / MEDIA
                if not kept and store is not None and store.is_file():
                    kept |= read_places(store)
                self._places[key] = kept
                while len(self._places) > 4:
                    self._places.popitem(last=False)
            return self._places[key]

    def enlarged(self, film: FilmFile, face: int, factor: float, crop_width: int) -> views.Enlarged:
        """Return the enlarged views of a film."""
        places = self.places(film)[face]
        key = (film.id, film.stamp, face, factor)
        with self._lock:
            if key not in self._enlarged:
                self._enlarged[key] = views.Enlarged(self.opener(film), places, crop_width=crop_width, factor=factor)
                while len(self._enlarged) > 2:
                    self._enlarged.popitem(last=False)[1].close()
            self._enlarged.move_to_end(key)
            return self._enlarged[key]

    def close(self) -> None:
        """Let all decoders go."""
        self.windows.close()
        with self._lock:
            for one in self._enlarged.values():
                one.close()
            self._enlarged.clear()


def looks_of(request: Request) -> Looks:
    """Return the looks of the application that was asked."""
    looks: Looks = request.app.state.looks
    return looks


@router.get("/{film}/times")
def times(film: str, request: Request) -> Response:
    """Return the seconds of every frame as little-endian float64."""
    looks = looks_of(request)
    found = looks.films.film(film)
    seconds = looks.films.coded(found).time_s if found.is_analysed else looks.window(film).times()
    return Response(np.asarray(seconds, "<f8").tobytes(), media_type="application/octet-stream")


@router.get("/{film}/frames/{index}")
def frame(
    film: str,
    index: int,
    request: Request,
    view: Literal["whole", "face", "enlarged"] = "whole",
    face: Annotated[int, Query(ge=0)] = 0,
    factor: Annotated[float, Query(ge=views.FACTORS[0], le=views.FACTORS[1])] = 8.0,
    width: Annotated[int | None, Query(ge=16, le=8192)] = None,
) -> Response:
    """Return one frame as JPEG, with its number and its time in the headers."""
    looks = looks_of(request)
    found, path = looks.films.playable(film)
    tag = f'"{found.stamp[0]:x}-{path.stat().st_mtime_ns:x}-{index}-{view}-{face}-{factor:g}-{width}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    window = looks.window(film)
    try:
        shown = window.get(index)
    except IndexError as error:
        raise refuse(404, f"{found.name} has no frame {index}.") from error
    except TimeoutError as error:
        raise refuse(503, f"{found.name}: {error}") from error
    picture = shown.rgb if view == "whole" else _face_view(looks, found, shown.index, shown.rgb, view, face, factor)
    headers = {
        "X-Frame": str(shown.index),
        "X-Time": f"{shown.time_s:.6f}",
        "ETag": tag,
        "Cache-Control": "private, no-cache",
    }
    return Response(views.encode(views.whole(picture, width)), media_type="image/jpeg", headers=headers)


def _face_view(
    looks: Looks, film: FilmFile, index: int, picture: views.Picture, view: str, face: int, factor: float
) -> views.Picture:
    timeline = looks.films.coded(film).timeline
    places = looks.places(film).get(face)
    if places is None or len(places) != timeline.frame_count:
        raise refuse(409, f"Where face {face} of {film.name} is was not kept. Analyse the film again.")
    motion = timeline.settings.get("motion", {})
    crop_width = int(motion.get("crop_width", CANONICAL_WIDTH)) if isinstance(motion, dict) else CANONICAL_WIDTH
    shown = None
    if view == "face":
        place = views.place_at(places, index, timeline.video.fps)
        shown = None if place is None else views.face(picture, place, crop_width)
    else:
        shown = looks.enlarged(film, face, factor, crop_width).get(index)
    if shown is None:
        raise refuse(404, f"Face {face} is not seen in frame {index} of {film.name}.")
    return shown


@router.get("/{film}/picture")
def picture(film: str, request: Request) -> Response:
    """Return a small picture of a film as JPEG."""
    looks = looks_of(request)
    found, path = looks.films.playable(film)
    tag = f'"{found.stamp[0]:x}-{path.stat().st_mtime_ns:x}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    store = looks.films.state_path("pictures")
    kept = store / f"{found.id}-{path.stat().st_mtime_ns:x}-{found.stamp[0]:x}.jpg"
    if not kept.is_file():
        store.mkdir(exist_ok=True)
        kept.write_bytes(_thumbnail(looks, found))
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    return Response(kept.read_bytes(), media_type="image/jpeg", headers=headers)


def _thumbnail(looks: Looks, film: FilmFile) -> bytes:
    """Return the first frame: to look further into each of a hundred films would take long."""
    with looks.opener(film)() as reader:
        first = next(iter(reader), None)
        if first is None:
            raise VideoError("a film with frames", f"{film.name} without any", "Copy it again.")
        return views.encode(views.whole(first.rgb, THUMBNAIL))


@router.get("/{film}/faces/{face}/picture")
def face_picture(film: str, face: int, request: Request) -> Response:
    """Return the picture of a face as JPEG."""
    found = looks_of(request).films.film(film)
    store = None if found.results is None else found.results / MEDIA
    known = read_faces(store) if store is not None and store.is_file() else {}
    if face not in known:
        raise refuse(404, f"There is no picture of face {face} of {found.name}.")
    return Response(views.encode(known[face]), media_type="image/jpeg")
