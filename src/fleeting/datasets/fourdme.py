"""4DME: micro- and macro-expressions in four modalities at 60 frames/s; here the two-dimensional videos.

Li et al., "4DME: a spontaneous 4D micro-expression dataset with multimodalities", IEEE Trans. Affective Computing,
2022. Table: sub_ID, fold_name (the clip's folder), Onset, Apex, Offset, AUs, Emotion, and one column of 0 and 1 for
every emotion and action unit. The layout is known from other people's code, so columns are found by several spellings.

Traps: units may carry "(k)"; a clip can have two emotions, which no scheme of single classes takes.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import Table, plain, read_table

NAME = "4dme"
FPS = 60.0
COLUMNS: dict[str, tuple[str, ...]] = {
    "subject": ("sub_ID", "Subject", "sub"),
    "clip": ("fold_name", "fold", "folder", "Filename"),
    "onset": ("Onset", "OnsetFrame"),
    "apex": ("Apex", "ApexFrame"),
    "offset": ("Offset", "OffsetFrame"),
    "units": ("AUs", "AU", "Action Units"),
}
EXTRA: dict[str, tuple[str, ...]] = {"emotion": ("Emotion", "Emotions"), "type": ("Type", "Expression type")}
EMOTION_COLUMNS = ("negative", "positive", "surprise", "repression", "others")
"""Columns of 0 and 1, used where the emotion itself is empty."""


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`.
    """
    raw = read_table(
        find_table(path, ("*4dme*.xlsx", "*micro*.xlsx", "*4dme*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
    )
    table = raw.renamed(COLUMNS | EXTRA, optional=EXTRA)
    folders = FrameFolders(root_of(path), prefer=("micro",))
    rows = Rows(NAME, table.path)
    for place, (number, cells) in enumerate(zip(table.numbers, table.records, strict=True)):
        subject, clip = cells["subject"].strip(), cells["clip"].strip()
        emotion = cells["emotion"]
        if not emotion.strip():
            emotion = _of_columns(raw, place)
            rows.correct(f"{subject}/{clip}", "emotion", "", emotion.lower(), "Read from the columns of the emotions.")
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folders.first((subject, clip), (clip,))),
                fps=FPS,
                onset=cells["onset"],
                apex=cells["apex"],
                offset=cells["offset"],
                emotion=emotion,
                units=cells["units"],
                type=cells["type"] or "micro",
            )
        )
    return rows.manifest()


def _of_columns(table: Table, place: int) -> str:
    names = {plain(c): c for c in table.columns}
    record = table.records[place]
    return "+".join(names[e] for e in EMOTION_COLUMNS if e in names and record[names[e]].strip() == "1")
