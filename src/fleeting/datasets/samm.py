"""SAMM: 159 micro-movements of 29 people at 200 frames/s.

Davison et al., "SAMM: a spontaneous micro-facial movement dataset", IEEE Trans. Affective Computing 9(1), 2018. Sheet
``MICRO_ONLY`` of ``SAMM_Micro_FACS_Codes_v2.xlsx``, whose header stands in row 14 (in row 1 of the table of 2018).
Frames ``006/006_1_2/006_05562.jpg``, 4 or 5 digits.

Traps: 028_4_1 has its apex after its offset, 032_3_1 before its onset; action units hold words and alternatives.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import read_table

FPS = 200.0
COLUMNS: dict[str, tuple[str, ...]] = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "units": ("Action Units", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
}
EXTRA: dict[str, tuple[str, ...]] = {"duration": ("Duration",)}


def read(path: Path) -> Manifest:
    """Read the table, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `folders.find_table`, `tables.read_table` and `rows.Rows`.
    """
    table = read_table(
        find_table(path, ("samm_micro_facs*.xlsx", "*samm*.xlsx", "*samm*.csv", "*.xlsx", "*.csv")),
        needs=list(COLUMNS.values()),
        sheets=("MICRO_ONLY",),
    ).renamed(COLUMNS | EXTRA, optional=EXTRA)
    folders = FrameFolders(root_of(path))
    rows = Rows("samm", table.path)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject, clip = cells["subject"].strip().zfill(3), cells["clip"].strip()
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
                source_video=f"{subject}/{'_'.join(clip.split('_')[:2])}",
            )
        )
        _check_duration(rows, f"{subject}/{clip}", cells)
    return rows.manifest()


def _check_duration(rows: Rows, where: str, cells: dict[str, str]) -> None:
    """Say where the table's duration is not offset - onset + 1; the frames are what counts."""
    try:
        frames = [int(float(cells[name])) for name in ("duration", "onset", "offset")]
    except ValueError:
        return
    duration = frames[2] - frames[1] + 1
    if frames[0] != duration:
        why = "Not offset - onset + 1; the frames count."
        rows.correct(where, "duration", cells["duration"], str(duration), why)
