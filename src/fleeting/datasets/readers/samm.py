"""SAMM: 159 micro-movements of 29 people at 200 frames/s.

Davison et al., "SAMM: a spontaneous micro-facial movement dataset", IEEE Trans. Affective Computing 9(1), 2018. Sheet
``MICRO_ONLY`` of ``SAMM_Micro_FACS_Codes_v2.xlsx``, whose header stands in row 14 (in row 1 of the table of 2018).
Frames ``006/006_1_2/006_05562.jpg``, 4 or 5 digits.

Traps: 028_4_1 has its apex after its offset, 032_3_1 before its onset; action units hold words and alternatives.
"""

from __future__ import annotations

from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.readers.samm_long import add_video
from fleeting.datasets.rows import Rows


def _check_duration(rows: Rows, cells: Cells) -> None:
    """Say where the table's duration is not offset - onset + 1; the frames are what counts."""
    try:
        stated, onset, offset = (int(float(cells[name])) for name in ("duration", "onset", "offset"))
    except ValueError:
        return
    duration = offset - onset + 1
    if stated != duration:
        where = f"{cells['subject']}/{cells['clip']}"
        rows.correct(where, "duration", cells["duration"], str(duration), "Not offset - onset + 1; the frames count.")


LAYOUT = Layout(
    dataset="samm",
    tables=("samm_micro_facs*.xlsx", "*samm*.xlsx", "*samm*.csv", "*.xlsx", "*.csv"),
    sheets=("MICRO_ONLY",),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("Onset Frame", "Onset"),
        "apex": ("Apex Frame", "Apex"),
        "offset": ("Offset Frame", "Offset"),
        "units": ("Action Units", "AU"),
        "emotion": ("Estimated Emotion", "Emotion"),
    },
    optional={"duration": ("Duration",)},
    fps=200.0,
    spelled={"subject": lambda text: text.zfill(3)},
    source_video="{subject}/{video}",
    mend=add_video,
    check=_check_duration,
)
read = LAYOUT.read
