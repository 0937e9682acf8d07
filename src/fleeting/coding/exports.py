"""A coder's events written by the writers of `export`, with who coded them and where they are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fleeting.coding.agreement import Coded, read_side
from fleeting.coding.coders import coders_of, films_in, unknown_coder
from fleeting.coding.films import Film
from fleeting.export import check_formats, write
from fleeting.records import Timeline
from fleeting.results import portable


def coded_timeline(side: Coded) -> Timeline:
    """Return a film's timeline with a coder's events and uncodable stretches in place of what the machine found."""
    events = sorted((*side.events, *side.uncodable), key=lambda e: (e.onset_frame, e.offset_frame, e.face))
    return replace(side.film.timeline, events=tuple(events))


def export(results: str | Path, coder: str, *, out: str | Path, formats: Sequence[str]) -> list[Path]:
    """Write what a coder says of one film, or of all films that the coder has coded, into ``out/FILM/``.

    Parameters
    ----------
    results
        A film's folder of results, or a folder of such folders.
    coder
        Whose; ``machine`` stands for the analysis.
    out
        Where the files go; not the folder of results, whose files are the machine's.
    formats
        Names of `export.formats.FORMATS`.

    Raises
    ------
    InputError
        For a coder who has coded nothing there.
    SettingsError
        For an unknown format; nothing is written.
    OutputError
        Where the disk refuses.
    """
    chosen = check_formats(formats)
    written: list[Path] = []
    folders = films_in(results)
    found = False
    for folder in folders:
        side = read_side(Film.open(folder), coder)
        if side is not None:
            found = True
            written += write(coded_timeline(side), Path(out) / portable(folder.resolve().name), chosen)
    if not found:
        known = tuple(sorted({c for folder in folders for c in coders_of(folder)}))
        raise unknown_coder(coder, Path(results), known)
    return written
