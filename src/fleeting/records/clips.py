"""Clips of a data set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clip:
    """One annotated clip of a data set; frames counted from 0 inside the clip's source video."""

    dataset: str
    subject: str
    clip: str
    path: str
    fps: float
    onset: int
    apex: int | None
    offset: int
    label: str
    action_units: tuple[str, ...] = ()
