"""SAMM Long Videos: 159 micro- and 343 macro-movements in the long recordings of SAMM, at 200 frames/s.

Yap, Kendrick, Yap, "SAMM Long Videos: a spontaneous facial micro- and macro-expressions dataset", FG 2020. Sheet
``FACS_Movement_Only``, header in row 10. Frames ``SAMM_longvideos/006_1/006_1_0001.jpg``, numbered from 1. No emotions.

Traps: an apex of -1 in 6 rows, 143 fractional onsets; frame numbers differ from those of SAMM by an offset of each
video; the people are those of SAMM.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import read_table

NAME = "samm-lv"
FPS = 200.0
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset", "Onset Frame"),
    "apex": ("Apex", "Apex Frame"),
    "offset": ("Offset", "Offset Frame"),
    "type": ("Type",),
    "units": ("Action Units", "AU"),
}


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`.
    """
    table = read_table(
        find_table(path, ("samm_long*.xlsx", "*samm*.xlsx", "*samm*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
        sheets=("FACS_Movement_Only",),
    ).renamed(COLUMNS)
    folders = FrameFolders(root_of(path))
    rows = Rows(NAME, table.path, several_per_video=True)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject, clip = cells["subject"].strip().zfill(3), cells["clip"].strip()
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folders.find(video_of(clip))),
                fps=FPS,
                onset=cells["onset"],
                apex=cells["apex"],
                offset=cells["offset"],
                units=cells["units"],
                type=cells["type"],
                source_video=f"{subject}/{video_of(clip)}",
                first_number=1,
            )
        )
    return rows.manifest()


def video_of(clip: str) -> str:
    """``006_1`` of ``006_1_2``: the long video that a movement is in."""
    return "_".join(clip.split("_")[:2])
