"""CAS(ME)^3, part A: 860 micro-expressions of 94 people at 30 frames/s.

Li et al., "CAS(ME)3: a third generation facial spontaneous micro-expression database with depth information and high
ecological validity", IEEE TPAMI, 2022. Sheet ``label``: Subject ("spNO.1"), Filename ("a" to "m"), Onset, Apex, Offset,
AU, Objective class, emotion; another workbook, sheet ``AU+Emotion``, has micro- and macro-expressions and a column
Expression type. Frames ``spNO.1/a/color/355.jpg`` or, cut to clips, ``spNO.1_a_355/355.jpg``.

Traps: "others" and "Others"; the folders are written spNo or spNO; several expressions share a file.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import read_table

FPS = 30.0
COLUMNS: dict[str, tuple[str, ...]] = {
    "subject": ("Subject",),
    "video": ("Filename",),
    "onset": ("Onset",),
    "apex": ("Apex",),
    "offset": ("Offset",),
    "units": ("AU", "AUs", "Action Units"),
    "emotion": ("emotion",),
}
EXTRA: dict[str, tuple[str, ...]] = {"type": ("Expression type", "Type")}


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`.
    """
    table = read_table(
        find_table(path, ("*part_a_me_label*.xlsx", "*cas*me*3*.xlsx", "*casme3*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
        sheets=("label", "AU+Emotion"),
    ).renamed(COLUMNS | EXTRA, optional=EXTRA)
    folders = FrameFolders(root_of(path), prefer=("frame", "part_a"))
    rows = Rows("casme3", table.path, several_per_video=True)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject, video, onset = (cells[name].strip() for name in ("subject", "video", "onset"))
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=f"{video}_{onset}",
                path=str(folders.first((subject, video, "color"), (f"{subject}_{video}_{onset}",), (subject, video))),
                fps=FPS,
                onset=onset,
                apex=cells["apex"],
                offset=cells["offset"],
                emotion=cells["emotion"],
                units=cells["units"],
                type=cells["type"] or "micro",
                source_video=f"{subject}/{video}",
            )
        )
    return rows.manifest()
