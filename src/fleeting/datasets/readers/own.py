"""A data set of one's own: a csv (or Excel) table beside videos or folders of numbered images.

Columns: ``file`` (video or folder, relative to the table), ``subject``, ``onset``, ``offset``, ``emotion``; optional
``apex``, ``clip`` (its name; else file and onset), ``type`` (``micro`` where it is missing), ``fps`` (needed for
folders), ``action_units``, ``source_video``. Frames count from 0; a column ``first_number`` says otherwise: 1 where the
first frame is called 1, and in a folder of images the number of the image that is meant by it.

The ``truth.csv`` of ``fleeting synthesise`` is such a table without subjects: clips of one portrait, named alike but
for their number, are one person.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.folders import find_table
from fleeting.datasets.frames import image_numbers
from fleeting.datasets.layout import rate
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import Table, read_table
from fleeting.errors import DataError, FleetingError
from fleeting.video.reader import open_video

COLUMNS = {
    "file": ("file", "path", "video"),
    "onset": ("onset", "onset_frame"),
    "offset": ("offset", "offset_frame"),
    "emotion": ("emotion",),
}
SUBJECT = {"subject": ("subject", "person", "participant")}
EXTRA = {
    "apex": ("apex", "apex_frame"),
    "clip": ("clip", "name"),
    "type": ("type", "kind"),
    "fps": ("fps", "frame_rate"),
    "units": ("action_units", "AU", "AUs"),
    "source_video": ("source_video",),
    "first_number": ("first_number",),
}


def read(path: Path, *, name: str = "own") -> Manifest:
    """Read a table, or a folder that holds one and the videos.

    Parameters
    ----------
    path
        The table or the folder.
    name
        Of the data set.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`; for a rate that is no number or is missing.
    """
    raw = read_table(
        find_table(path, ("labels.csv", "truth.csv", "annotations*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
    )
    if raw.has("dataset") and raw.has("source_video") and raw.has("first_number"):
        # Its frames count from 0 already; they would be converted once more.
        raise DataError("a table of your own", f"{raw.path}, a manifest", f"Give it as manifest={raw.path}.")
    named = raw.has(*SUBJECT["subject"])
    synthetic = not named and raw.has("peak_percent_iod")
    optional = {**EXTRA, **SUBJECT} if synthetic else EXTRA
    table = raw.renamed({**COLUMNS, **SUBJECT, **EXTRA}, optional=optional)
    rows = Rows(name, table.path, several_per_video=True, mend_words=True)
    if synthetic:
        why = "Made by fleeting synthesise: clips named alike but for their number are one person."
        rows.correct("(table)", "subject", "", "from the files", why)
    rates: dict[Path, float] = {}
    for number, cells in zip(table.numbers, table.records, strict=True):
        file = table.path.parent / cells["file"].strip()
        subject = cells["subject"].strip() or (_portrait(file) if synthetic else "")
        if not subject:
            raise DataError("a subject", f"none in row {number} of {table.path}", "Name who it is: splits need it.")
        apex = cells["apex"] if table_has_apex(raw) else None
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=cells["clip"].strip() or f"{file.stem}_{cells['onset'].strip()}",
                path=str(file),
                fps=_rate(file, cells["fps"].strip(), rates, number, table),
                onset=cells["onset"],
                apex=apex,
                offset=cells["offset"],
                emotion=cells["emotion"],
                units=cells["units"],
                type=cells["type"].strip() or "micro",
                source_video=cells["source_video"].strip() or cells["file"].strip(),
                **_numbering(file, cells["first_number"].strip(), number, table),
            )
        )
    return rows.manifest()


def _portrait(file: Path) -> str:
    """``ada`` of ``ada_3.mp4``: the portrait that a synthetic clip shows."""
    return re.sub(r"(?<=.)[_-]?\d+$", "", file.stem)


def _numbering(file: Path, text: str, number: int, table: Table) -> dict[str, int]:
    """Numbers of frame 0 in the table and among the images."""
    if text:
        try:
            return {"first_number": int(text)}
        except ValueError as error:
            raise DataError(
                "a whole first_number", f"'{text}' in row {number} of {table.path}", "Correct the cell."
            ) from error
    if not file.is_dir():
        return {}
    numbers = image_numbers(file)
    if numbers[-1] - numbers[0] != len(numbers) - 1:
        raise DataError(
            f"a column first_number for {file.name}, whose images are not numbered one by one",
            "none",
            "Add it, and give frames as numbers of images.",
        )
    return {"first_image": numbers[0]}


def table_has_apex(table: Table) -> bool:
    """Whether the table has a column for the apex at all; where it has none, unknown apexes are no mistakes."""
    return table.has(*EXTRA["apex"])


def _rate(file: Path, text: str, rates: dict[Path, float], number: int, table: Table) -> float:
    if text and text.lower() != "nan":
        return rate(text, number, table.path)
    if file.is_dir() or not file.exists():
        if not file.exists():
            return 0.0  # `Manifest.missing` lists it
        raise DataError(
            f"frames per second of the folder {file.name}", f"none in row {number} of {table.path}", "Add a column fps."
        )
    if file not in rates:
        try:
            with open_video(file) as reader:
                rates[file] = reader.info.fps
        except FleetingError as error:
            raise DataError(f"a video in row {number} of {table.path}", str(error), "Correct the path.") from error
    return rates[file]
