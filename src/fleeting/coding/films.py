"""A film that is coded: its timeline, the true times of its frames, and how a place in it is set."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fleeting.coding.coders import TIMELINE
from fleeting.errors import InputError
from fleeting.export.timeline_json import read_timeline
from fleeting.records import UNCODABLE, CodedEvent, EventKind, Timeline

E = TypeVar("E", bound=CodedEvent)


@dataclass(frozen=True)
class Film:
    """One film's results.

    Attributes
    ----------
    folder
        Of its results.
    timeline
        What the machine found in it.
    """

    folder: Path
    timeline: Timeline

    @classmethod
    def open(cls, folder: str | Path) -> Film:
        """Read a film's timeline.

        Raises
        ------
        DataError
            Where there is none that can be read.
        """
        return cls(Path(folder), read_timeline(Path(folder) / TIMELINE))

    @cached_property
    def time_s(self) -> npt.NDArray[np.float64]:
        """(n,) seconds of every frame: true times where the analysis kept them, else by the rate."""
        n = self.timeline.frame_count
        for signals in self.timeline.signals:
            if len(signals.time_s) == n:
                return signals.time_s
        return np.arange(n) / (self.timeline.video.fps or 1.0)

    def frame_at(self, seconds: float) -> int:
        """Return the frame whose time is nearest.

        Raises
        ------
        InputError
            For a time outside of the film (a second after its last frame is allowed: programs round).
        """
        if not -1.0 <= seconds <= float(self.time_s[-1]) + 1.0:
            raise InputError(
                f"a time of 0 to {self.time_s[-1]:.3f} s, the last frame of {self.timeline.video.name}",
                f"{seconds:.3f} s",
                "Check that it is the same film.",
            )
        after = int(np.clip(np.searchsorted(self.time_s, seconds), 1, max(len(self.time_s) - 1, 1)))
        before = after - 1
        if after >= len(self.time_s):
            return before
        return before if seconds - self.time_s[before] <= self.time_s[after] - seconds else after

    def placed(self, event: E, onset: int, apex: int | None, offset: int) -> E:
        """Return an event at other frames, with their true times; without an apex where it is None.

        Raises
        ------
        InputError
            Where the frames are not in order, or outside of the film.
        """
        middle = onset if apex is None else apex
        if not 0 <= onset <= middle <= offset < self.timeline.frame_count:
            raise InputError(
                f"0 <= onset <= apex <= offset < {self.timeline.frame_count}, the frames of {self.timeline.video.name}",
                f"{onset}, {'no apex' if apex is None else apex}, {offset}",
                "Move the marks.",
            )
        times = [float(self.time_s[frame]) for frame in (onset, middle, offset)]
        return replace(
            event,
            onset_frame=onset,
            apex_frame=middle,
            offset_frame=offset,
            onset_s=times[0],
            apex_s=times[1],
            offset_s=times[2],
            apex_known=apex is not None,
        )

    def new_event(self, kind: EventKind, onset: int, apex: int | None, offset: int, *, face: int = 0) -> CodedEvent:
        """Return a new event of a person.

        Raises
        ------
        InputError
            Where the frames are not in order, or outside of the film.
        """
        blank = CodedEvent(face, kind, 0, 0, 0, 0.0, 0.0, 0.0, id=new_id())
        return self.placed(blank, onset, None if kind == UNCODABLE else apex, offset)

    def seen(self, face: int) -> npt.NDArray[np.bool_]:
        """(n,) whether a face was in the picture; everywhere where the analysis knows no such face."""
        frames = np.zeros(self.timeline.frame_count, bool)
        segments = [s for t in self.timeline.tracks if t.id == face for s in t.segments]
        for segment in segments:
            frames[segment.onset_frame : segment.offset_frame + 1] = True
        return frames if segments else ~frames


def new_id() -> str:
    """Return an id that no other event has, of this coder or of another."""
    return secrets.token_hex(8)
