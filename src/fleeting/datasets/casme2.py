"""CASME II: 255 micro-expressions of 26 people at 200 frames/s.

Yan et al., "CASME II: an improved spontaneous micro-expression database and the baseline evaluation", PLoS ONE 9(1),
2014. Table ``CASME2-coding-*.xlsx``, header in the first row; an older one has no objective classes. Frames
``sub01/EP02_01f/img46.jpg``, numbered from 1.

Traps: subjects lose their leading zero where a cell is a number; one apex is "/"; some action units are numbers.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import read_table

FPS = 200.0
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "ApexF", "Apex"),
    "offset": ("OffsetFrame", "Offset"),
    "units": ("Action Units", "AU", "AUs"),
    "emotion": ("Estimated Emotion", "Emotion"),
}


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`.
    """
    table = read_table(
        find_table(path, ("casme2-coding*.xlsx", "*casme2*.xlsx", "*casme2*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
    ).renamed(COLUMNS)
    folders = FrameFolders(root_of(path))
    rows = Rows("casme2", table.path)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject = f"sub{cells['subject'].strip().lower().removeprefix('sub').zfill(2)}"
        clip = cells["clip"].strip()
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folders.find(subject, clip)),
                fps=FPS,
                onset=cells["onset"],
                apex=cells["apex"],
                offset=cells["offset"],
                emotion=cells["emotion"],
                units=cells["units"],
                first_number=1,
            )
        )
    return rows.manifest()
