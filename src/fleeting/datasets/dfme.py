"""DFME: 7,526 micro-expressions of 671 people at 200, 300 or 500 frames/s.

Zhao et al., "DFME: a new benchmark for dynamic facial micro-expression recognition", IEEE Trans. Affective Computing,
2023 (arXiv 2301.00985). Table: Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Emotion, EmotionId (0 anger, 1
contempt, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise), Fps, AU.

Traps: the rate differs from clip to clip; emotion and its id are two statements of one thing, and the word counts.
"""

from __future__ import annotations

import math
from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import Table, read_table
from fleeting.errors import DataError

IDS: tuple[str, ...] = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
COLUMNS = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("OnsetFrame", "Onset"),
    "apex": ("ApexFrame", "Apex"),
    "offset": ("OffsetFrame", "Offset"),
    "emotion": ("Emotion",),
    "fps": ("Fps",),
}
EXTRA = {"id": ("EmotionId", "Emotion Id"), "units": ("AU", "AUs", "Action Units")}


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`; and for a rate that is no number.
    """
    table = read_table(
        find_table(path, ("*dfme*.xlsx", "*dfme*.csv", "*train*.csv", "*.xlsx", "*.csv")), needs=list(COLUMNS.values())
    ).renamed(COLUMNS | EXTRA, optional=EXTRA)
    folders = FrameFolders(root_of(path))
    rows = Rows("dfme", table.path)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject, clip = cells["subject"].strip(), cells["clip"].strip()
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folders.first((clip,), (subject, clip))),
                fps=_rate(cells["fps"], number, table),
                onset=cells["onset"],
                apex=cells["apex"],
                offset=cells["offset"],
                emotion=_emotion(rows, f"{subject}/{clip}", cells["emotion"].strip(), cells["id"].strip()),
                units=cells["units"],
            )
        )
    return rows.manifest()


def _rate(text: str, number: int, table: Table) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise DataError("frames per second", f"'{text}' in row {number} of {table.path}", "Correct the cell.")
    return rate


def _emotion(rows: Rows, where: str, word: str, code: str) -> str:
    by_id = IDS[int(code)] if code.isdigit() and int(code) < len(IDS) else ""
    if not word and by_id:
        rows.correct(where, "emotion", "", by_id, f"Empty: EmotionId {code} says so.")
        return by_id
    if by_id and word.lower() != by_id:
        rows.correct(
            where, "emotion id", code, str(IDS.index(word.lower())) if word.lower() in IDS else "", "The word counts."
        )
    return word
