"""All file formats by name, and the function that writes them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path

from fleeting.errors import SettingsError
from fleeting.export.bids import write_bids
from fleeting.export.boris import write_boris
from fleeting.export.elan import write_elan
from fleeting.export.events_csv import write_events_csv
from fleeting.export.megc import write_megc
from fleeting.export.signals import write_signals, write_signals_csv, write_signals_parquet
from fleeting.export.timeline_json import write_timeline
from fleeting.files import make_folder, parquet_installed, require_parquet
from fleeting.records import Timeline

Writer = Callable[[Timeline, Path], list[Path]]
"""Writes one format's files into a folder and returns their paths."""

FORMATS: dict[str, Writer] = {
    "csv": write_events_csv,
    "json": lambda timeline, folder: [write_timeline(timeline, folder / "timeline.json"), folder / "timeline.npz"],
    "signals": write_signals,
    "signals-csv": write_signals_csv,
    "signals-parquet": write_signals_parquet,
    "elan": write_elan,
    "bids": write_bids,
    "boris": write_boris,
    "megc": write_megc,
}

FILES: dict[str, tuple[str, ...]] = {
    "csv": ("events.csv",),
    "json": ("timeline.json", "timeline.npz"),
    "signals": ("signals.csv.gz",),
    "signals-csv": ("signals.csv",),
    "signals-parquet": ("signals.parquet",),
    "elan": ("events.eaf",),
    "bids": ("events.tsv", "events.json"),
    "boris": ("events.boris", "boris_events.csv"),
    "megc": ("megc_spotting.csv", "megc_recognition.csv"),
}
"""Names of the files of each format."""

DEFAULT_FORMATS: tuple[str, ...] = tuple(name for name in FORMATS if name not in ("signals-csv", "signals-parquet"))
"""Every format but the other forms of the signals."""


def installed_formats() -> tuple[str, ...]:
    """Return all formats that this installation can write: what ``all`` stands for."""
    return tuple(name for name in FORMATS if name != "signals-parquet" or parquet_installed())


def check_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without repetition, in the order given; ``all`` stands for every format that can be written.

    Raises
    ------
    SettingsError
        For an unknown name.
    MissingExtraError
        For parquet without its extra.
    """
    if "all" in names:
        return installed_formats()
    for name in names:
        if name not in FORMATS:
            near = difflib.get_close_matches(name, FORMATS, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them, or 'all'."
            raise SettingsError(f"a format of {', '.join(FORMATS)}", f"'{name}'", hint)
    if "signals-parquet" in names:
        require_parquet()
    return tuple(dict.fromkeys(names))


def write(timeline: Timeline, folder: str | Path, formats: Sequence[str] = DEFAULT_FORMATS) -> list[Path]:
    """Write a timeline into a folder, which is made where it is missing.

    Every file appears whole or not at all.

    Parameters
    ----------
    timeline
        What an analysis found.
    folder
        The folder of this one video.
    formats
        Names of `FORMATS`, or ``all``.

    Returns
    -------
    Paths of the files that were written.

    Raises
    ------
    SettingsError
        For an unknown format; nothing is written.
    OutputError
        Where the disk refuses.
    """
    chosen = check_formats(formats)
    target = make_folder(folder)
    return [path for name in chosen for path in FORMATS[name](timeline, target)]
