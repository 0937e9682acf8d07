"""MMEW: 300 micro-expressions at 90 frames/s.

Ben et al., "Video-based facial micro-expression analysis: a survey of datasets, features and algorithms", IEEE TPAMI
44(9), 2022. Table ``MMEW_Micro_Exp.xlsx``: Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units,
Estimated Emotion, remarks. Frames ``Micro_Expression/EMOTION/S03-01-002/1.jpg``, numbered from 1. The layout is known
from other people's code, so columns are found by several spellings.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import read_table

FPS = 90.0
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename", "File name"),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "Apex"),
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
        find_table(path, ("mmew_micro*.xlsx", "mmew_micro*.csv", "*mmew*.xlsx", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
    ).renamed(COLUMNS)
    folders = FrameFolders(root_of(path), prefer=("micro",))
    rows = Rows("mmew", table.path)
    for number, cells in zip(table.numbers, table.records, strict=True):
        clip, emotion = cells["clip"].strip(), cells["emotion"].strip()
        subject = f"S{re.sub(r'(?i)^s', '', cells['subject'].strip()).zfill(2)}"
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folders.first((emotion, clip), (subject, emotion, clip))),
                fps=FPS,
                onset=cells["onset"],
                apex=cells["apex"],
                offset=cells["offset"],
                emotion=emotion,
                units=cells["units"],
                first_number=1,
            )
        )
    return rows.manifest()
