"""The log of one coder's edits of one film: every edit is a line, kept for good.

``coding/anna.jsonl`` in the film's folder of results, UTF-8, one JSON object a line. The first names the layout
(`SCHEMA`), the coder and the film. Every other has a number ``n``, the time ``at``, who made the edit (``by``) and what
to ``do``:

- ``change``: ``items`` by id, each an event as ``timeline.json`` has it (without what is at its default), or null where
  it was removed;
- ``undo``, ``redo``: the last edit that is not undone, or the last one that is;
- ``analysed``: the machine's ``proposals`` that the coder has before him, of which later ones are told apart.

A line is flushed to the disk before the edit is answered, so what was answered survives a killed program. A last line
that was cut off was never answered; it is dropped, and that is said. Nothing is ever taken out of a log, so undo and
redo reach back to the first edit, whenever the program was started.

Programs that write the same log take turns, and each reads what the others have added before it writes. They also take
turns with an analysis that puts a new folder into the place of the old one (`results.folder_lock`).
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fleeting.coding.checks import checked
from fleeting.coding.coders import coder_key, log_path
from fleeting.coding.films import Film, new_id
from fleeting.errors import DataError, FleetingWarning, InputError
from fleeting.export.timeline_json import coded_event, event_json, found_event
from fleeting.files import output_error
from fleeting.records import UNCODABLE, CodedEvent, Event
from fleeting.results import folder_lock

SCHEMA = "fleeting-coding/1"
_BLANK = event_json(CodedEvent(0, "micro", 0, 0, 0, 0.0, 0.0, 0.0))
_PLACE = ("face", "kind", "onset_frame", "apex_frame", "offset_frame", "onset_s", "apex_s", "offset_s")

Do = Literal["change", "undo", "redo", "analysed"]
Items = dict[str, CodedEvent | None]


@dataclass(frozen=True, slots=True)
class Edit:
    """One line of a log.

    Attributes
    ----------
    number
        Counted from 1.
    at, by
        When (ISO 8601, UTC) and who.
    do
        What: see the module.
    ids
        Of the items that it changed.
    """

    number: int
    at: str
    by: str
    do: Do
    ids: tuple[str, ...] = ()


class CodingLog:
    """What a coder says of a film. Programs and objects may share a log; threads may not share an object.

    Parameters
    ----------
    film
        The film; its folder of results holds the log, which is made with the first edit.
    coder
        Whose log (`coders.coder_key`).
    by
        Who edits, where it is not the coder (a consensus is edited by somebody).

    Raises
    ------
    InputError
        For a name that cannot be a coder's.
    DataError
        Where the log is damaged other than in its last line.
    """

    def __init__(self, film: Film, coder: str, *, by: str = "") -> None:
        self.film, self.coder, self.by = film, coder_key(coder), by or coder.strip()
        self.path = log_path(film.folder, coder)
        self._forget()
        with folder_lock(self.film.folder, needed=False):
            self._read()

    @property
    def items(self) -> tuple[CodedEvent, ...]:
        """All that the coder has decided: events, stretches that cannot be coded, refused proposals; by onset."""
        return tuple(sorted(self._items.values(), key=lambda e: (e.onset_frame, e.offset_frame, e.id)))

    @property
    def events(self) -> tuple[CodedEvent, ...]:
        """The coder's events, in order of onset, without what is refused and what cannot be coded."""
        return tuple(e for e in self.items if not e.refused and e.kind != UNCODABLE)

    @property
    def uncodable(self) -> tuple[CodedEvent, ...]:
        """The stretches that cannot be coded, in order of onset."""
        return tuple(e for e in self.items if e.kind == UNCODABLE)

    @property
    def refused(self) -> tuple[CodedEvent, ...]:
        """The proposals that the coder refused, in order of onset."""
        return tuple(e for e in self.items if e.refused)

    @property
    def proposals(self) -> tuple[Event, ...]:
        """The machine's proposals of the analysis that the coder has seen last; empty where that is not known."""
        return self._proposals

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All lines of the log, in order."""
        return tuple(self._edits)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone edit to do again."""
        return bool(self._undone)

    def refresh(self) -> None:
        """Read what other programs have added."""
        with folder_lock(self.film.folder, needed=False):
            self._read()

    def begin(self) -> None:
        """Make the log where there is none: the coder has looked at the film, and may find nothing.

        Raises
        ------
        OutputError
            Where the disk refuses.
        """
        with folder_lock(self.film.folder):
            self._read()
            if not self._headed:
                self._add([self._header()])

    def put(self, *events: CodedEvent) -> tuple[CodedEvent, ...]:
        """Add events, or put them in the place of those with their ids; one edit. Returns them as they are kept.

        Raises
        ------
        InputError
            For an event that lies outside of the film, or that `checks.checked` refuses.
        OutputError
            Where the disk refuses; nothing has changed then.
        """
        now = _now()
        kept = []
        for event in events:
            event = checked(replace(event, id=event.id or new_id(), coder=self.coder, changed=now))
            apex = event.apex_frame if event.apex_known else None
            kept.append(self.film.placed(event, event.onset_frame, apex, event.offset_frame))
        if kept:
            self._write({"do": "change", "items": {e.id: _short(e) for e in kept}}, now)
        return tuple(kept)

    def remove(self, *ids: str) -> None:
        """Remove events; one edit.

        Raises
        ------
        InputError
            For an id that the coder has no event of.
        OutputError
            Where the disk refuses; nothing has changed then.
        """
        self.refresh()
        for one in ids:
            if one not in self._items:
                raise InputError("the id of an event", f"'{one}'", "It was removed meanwhile, or never there.")
        if ids:
            self._write({"do": "change", "items": dict.fromkeys(ids)}, _now())

    def undo(self) -> bool:
        """Take back the last edit that is not undone; False where there is none."""
        self.refresh()
        return self.can_undo and self._write({"do": "undo"}, _now())

    def redo(self) -> bool:
        """Do the last undone edit again; False where there is none, or where another edit came after it."""
        self.refresh()
        return self.can_redo and self._write({"do": "redo"}, _now())

    def note_proposals(self, proposals: Sequence[Event]) -> None:
        """Remember what the machine proposes now, so that later an analysis' new proposals can be told.

        This is no edit: it cannot be undone. Nothing is written where it is known already.
        """
        short = [_short(p) for p in proposals]
        if short != [_short(p) for p in self._proposals]:
            self._write({"do": "analysed", "proposals": short}, _now())

    def _forget(self) -> None:
        self._items: dict[str, CodedEvent] = {}
        self._done: list[tuple[Items, Items]] = []
        self._undone: list[tuple[Items, Items]] = []
        self._edits: list[Edit] = []
        self._proposals: tuple[Event, ...] = ()
        self._headed = False
        self._length = 0
        self._file: tuple[int, int] | None = None

    def _read(self) -> None:
        """Read what was added since; all of it where the file is another one."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if (found.st_dev, found.st_ino) != self._file or found.st_size < self._length:
                    self._forget()
                self._file = (found.st_dev, found.st_ino)
                file.seek(self._length)
                added = file.read()
        except FileNotFoundError:
            self._forget()
            return
        except OSError as error:
            raise DataError("a log that can be read", f"{self.path} ({error.strerror})", "Check the disk.") from error
        *lines, last = added.split(b"\n")
        for line in lines:
            if line:
                self._take(self._parse(line))
            self._length += len(line) + 1
        if not last:
            return
        try:
            self._take(json.loads(last))  # whole, but for its line end: an editor has saved the file
            self._length += len(last)
        except (ValueError, KeyError, TypeError, AttributeError):
            warnings.warn(
                f"{self.path}: the last line was cut off when the program was stopped; that edit is dropped.",
                FleetingWarning,
                stacklevel=4,
            )

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            values = json.loads(line)
            return dict(values)
        except (ValueError, TypeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> DataError:
        return DataError(
            f"a line of a log in line {len(self._edits) + 1 + self._headed} of {self.path}",
            why,
            "Mend the line or take it out; a copy of the folder may hold the whole log.",
        )

    def _take(self, values: dict[str, Any]) -> None:
        """Apply one line; nothing has changed where it is refused."""
        if not self._headed:
            if values.get("schema") != SCHEMA:
                raise self._damaged(f"a file of the layout {values.get('schema')!r} in place of {SCHEMA}")
            self._check_film(values["film"])
            self._headed = True
            return
        do = values.get("do")
        try:
            if do == "change":
                self._change({k: None if v is None else coded_event(v) for k, v in values["items"].items()})
            elif do in ("undo", "redo"):
                self._step(do)
            elif do == "analysed":
                self._proposals = tuple(found_event(v) for v in values["proposals"])
            else:
                raise ValueError(f"the edit {do!r}, which this version does not know")
            edit = Edit(int(values["n"]), str(values["at"]), str(values["by"]), do, tuple(values.get("items", ())))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        self._edits.append(edit)

    def _check_film(self, film: Mapping[str, Any]) -> None:
        here = self.film.timeline
        if film["frame_count"] != here.frame_count:
            warnings.warn(
                f"{self.path} was coded on a film of {film['frame_count']} frames, {film['name']}; this one has "
                f"{here.frame_count}. Check that it is the same film.",
                FleetingWarning,
                stacklevel=5,
            )

    def _change(self, new: Items) -> None:
        self._done.append((new, {key: self._items.get(key) for key in new}))
        self._undone.clear()
        self._set(new)

    def _step(self, do: Literal["undo", "redo"]) -> None:
        source, target = (self._done, self._undone) if do == "undo" else (self._undone, self._done)
        if not source:
            raise ValueError(f"nothing to {do}")
        edit = source.pop()
        target.append(edit)
        self._set(edit[1] if do == "undo" else edit[0])

    def _set(self, items: Items) -> None:
        for key, event in items.items():
            if event is None:
                self._items.pop(key, None)
            else:
                self._items[key] = event

    def _write(self, values: dict[str, Any], now: str) -> bool:
        with folder_lock(self.film.folder):
            self._read()
            do = values["do"]
            if (do == "undo" and not self._done) or (do == "redo" and not self._undone):
                return False  # another program was quicker
            line = {"n": len(self._edits) + 1, "at": now, "by": self.by, **values}
            self._add([line] if self._headed else [self._header(), line])
        return True

    def _header(self) -> dict[str, Any]:
        video = self.film.timeline.video
        film = {"name": video.name, "frame_count": self.film.timeline.frame_count, "fps": video.fps}
        return {"schema": SCHEMA, "coder": self.by, "film": film}

    def _add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write lines, then apply them: what is not on the disk has not happened."""
        encoded = [json.dumps(line, ensure_ascii=False, allow_nan=False).encode() for line in lines]
        self._append(b"".join(line + b"\n" for line in encoded))
        for text, line in zip(encoded, lines, strict=True):
            self._take(line)
            self._length += len(text) + 1

    def _append(self, data: bytes) -> None:
        """Write after the last whole line, and flush; what was cut off behind it goes."""
        is_new = not self.path.exists()
        try:
            self.path.parent.mkdir(exist_ok=True)  # not its parents: the film's folder is an analysis'
            with self.path.open("r+b" if not is_new else "xb") as file:
                file.truncate(self._length)
                file.seek(max(self._length - 1, 0))
                if self._length and not is_new and file.read(1) != b"\n":
                    file.write(b"\n")
                    self._length += 1
                file.seek(self._length)
                try:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    os.ftruncate(file.fileno(), self._length)
                    raise
        except OSError as error:
            raise output_error(self.path, error) from error
        if is_new:
            found = self.path.stat()
            self._file = (found.st_dev, found.st_ino)
            _flush_folders(self.path.parent)


def _short(event: Event) -> dict[str, Any]:
    """Return an event without what is at its default."""
    plain = event_json(event)
    short = {k: v for k, v in plain.items() if k in _PLACE or v != _BLANK.get(k)}
    if isinstance(event, CodedEvent) and event.proposal is not None:
        short["proposal"] = _short(event.proposal)
    return short


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _flush_folders(folder: Path) -> None:
    """Make the new file's name, and the new folder's, last through a power cut."""
    for place in (folder, folder.parent):
        try:
            handle = os.open(place, os.O_RDONLY)
        except OSError:
            return  # not every system can open a folder
        try:
            os.fsync(handle)
        except OSError:
            pass
        finally:
            os.close(handle)
