"""A row of another program's file, before it is known which film, kind and frames are meant."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Raw:
    """One annotation as a file has it.

    Attributes
    ----------
    where
        Where it stands, for errors ("row 3").
    label
        What may be a kind: a tier, a behaviour, a cell.
    onset, apex, offset
        Frames; None where the file gives none.
    onset_s, apex_s, offset_s
        Seconds; None where the file gives none. Frames come first where both are there.
    film
        Name of its film; empty where the file does not say.
    face
        Number of the face; None where the file does not say.
    said
        Fields of `records.CodedEvent` as text: emotion, action_units, note ...
    """

    where: str
    label: str
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    onset_s: float | None = None
    apex_s: float | None = None
    offset_s: float | None = None
    film: str = ""
    face: int | None = None
    said: dict[str, str] = field(default_factory=dict)
