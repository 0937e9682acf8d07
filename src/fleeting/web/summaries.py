"""What the list of films says of each: read from its timeline without the curves, and kept until it changes."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

from fleeting.coding.coders import TIMELINE, coders_of, log_path
from fleeting.coding.films import Film
from fleeting.errors import FleetingError
from fleeting.export.timeline_json import SCHEMAS, from_json
from fleeting.files import write_text
from fleeting.records import EVENT_KINDS
from fleeting.video.reader import open_video
from fleeting.web.coders import coder_summary
from fleeting.web.film_library import STATE, FilmFile, Library

log = logging.getLogger(__name__)

VERDICTS = ("good", "fair", "poor")
UNKNOWN: dict[str, Any] = {"seconds": None, "fps": None, "frames": None, "width": None, "height": None}


class Summaries:
    """What is known of each film. Threads may share it.

    What a file says of itself is read in a thread of its own, and kept in a file: a hundred films take a while.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._path = library.output / STATE / "films.json"
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Any]] = _stored(self._path)
        self._reviews: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._films: dict[tuple[Any, ...], Film] = {}
        self._asked: dict[str, FilmFile] = {}
        self._reader: threading.Thread | None = None

    def of(self, film: FilmFile, *, now: bool = False) -> dict[str, Any]:
        """Return what is known of a film; with `now` it is read where it is not known yet."""
        stamp = _stamp(film)
        with self._lock:
            known = self._known.get(film.id)
            if known is not None and known["stamp"] == stamp:
                return known
            if not now:
                self._asked[film.id] = film
                self._begin()
                return {**UNKNOWN, "counts": {}, "quality": None, "problem": None, "bytes": _bytes(film)}
        return self._learn(film)

    def reviewed(self, film: FilmFile) -> dict[str, dict[str, int]]:
        """Return by coder how many of the machine's proposals were decided."""
        if film.results is None or not film.is_analysed:
            return {}
        found = {}
        for coder in coders_of(film.results):
            path = log_path(film.results, coder)
            try:
                size = path.stat().st_size
            except OSError:
                continue
            key = (film.id, film.stamp, coder, size)
            if key not in self._reviews:
                try:
                    self._reviews[key] = coder_summary(self._light(film), coder)
                except FleetingError:
                    continue
            found[coder] = {k: self._reviews[key][k] for k in ("done", "total")}
        return found

    def _light(self, film: FilmFile) -> Film:
        key = (film.id, film.stamp)
        if key not in self._films:
            assert film.results is not None
            self._films[key] = Film(film.results, from_json(_values(film.results)))
        return self._films[key]

    def _begin(self) -> None:
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(target=self._read, name="fleeting-films", daemon=True)
            self._reader.start()

    def _read(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    break
                film = self._asked.pop(next(iter(self._asked)))
            self._learn(film)
        self._keep()

    def _learn(self, film: FilmFile) -> dict[str, Any]:
        try:
            found = _analysed(film) if film.is_analysed else _stated(film)
        except FleetingError as error:
            found = {**UNKNOWN, "counts": {}, "quality": None, "problem": str(error)}
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"What is known of {film.name} cannot be read ({type(error).__name__}: {error})."
            found = {**UNKNOWN, "counts": {}, "quality": None, "problem": problem}
        found |= {"stamp": _stamp(film), "bytes": _bytes(film)}
        with self._lock:
            self._known[film.id] = found
        return found

    def _keep(self) -> None:
        try:
            with self._lock:
                text = json.dumps(self._known, ensure_ascii=False)
            write_text(self._path, text + "\n")
        except FleetingError:
            log.info("the list of films could not be kept", exc_info=True)


def _values(folder: Path) -> dict[str, Any]:
    values = json.loads((folder / TIMELINE).read_text(encoding="utf-8"))
    if values["schema"] not in SCHEMAS:
        raise ValueError(f"a timeline of the layout {values['schema']!r}")
    return {**values, "signals": [], "expressions": []}


def _analysed(film: FilmFile) -> dict[str, Any]:
    assert film.results is not None
    timeline = from_json(_values(film.results))
    measures = {name: m for name, m in timeline.quality.items() if isinstance(m, dict) and m.get("verdict") in VERDICTS}
    worst = max((VERDICTS.index(m["verdict"]) for m in measures.values()), default=None)
    notes = [f"{n.replace('_', ' ')}: {m.get('advice', '')}" for n, m in measures.items() if m["verdict"] != "good"]
    return {
        "seconds": timeline.duration_s,
        "fps": timeline.video.fps,
        "frames": timeline.frame_count,
        "width": timeline.video.width,
        "height": timeline.video.height,
        "counts": {kind: len(timeline.of_kind(kind)) for kind in EVENT_KINDS},
        "quality": None if worst is None else {"verdict": VERDICTS[worst], "notes": notes},
        "problem": None,
    }


def _stated(film: FilmFile) -> dict[str, Any]:
    """Return what the file says of itself."""
    assert film.path is not None
    fps = 25.0 if film.path.is_dir() else None
    with open_video(film.path, fps=fps) as reader:
        info = reader.info
    is_folder = film.path.is_dir()
    return {
        "seconds": None if is_folder else info.duration_s,
        "fps": None if is_folder else info.fps,
        "frames": info.frame_count,
        "width": info.width,
        "height": info.height,
        "counts": {},
        "quality": None,
        "problem": None,
    }


def _stamp(film: FilmFile) -> list[int]:
    try:
        found = None if film.path is None else film.path.stat()
    except OSError:
        found = None
    return [*film.stamp, *((0, 0) if found is None else (found.st_mtime_ns, found.st_size))]


def _bytes(film: FilmFile) -> int:
    try:
        return 0 if film.path is None or film.path.is_dir() else film.path.stat().st_size
    except OSError:
        return 0


def _stored(path: Path) -> dict[str, dict[str, Any]]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return {k: v for k, v in values.items() if {"stamp", "counts", "problem", "bytes", *UNKNOWN} <= v.keys()}
    except (OSError, ValueError, AttributeError):
        return {}
