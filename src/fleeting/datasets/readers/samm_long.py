"""SAMM Long Videos: 159 micro- and 343 macro-movements in the long recordings of SAMM, at 200 frames/s.

Yap, Kendrick, Yap, "SAMM Long Videos: a spontaneous facial micro- and macro-expressions dataset", FG 2020. Sheet
``FACS_Movement_Only``, header in row 10. Frames ``SAMM_longvideos/006_1/006_1_0001.jpg``, numbered from 1. No emotions.

Traps: an apex of -1 in 6 rows, 143 fractional onsets; frame numbers differ from those of SAMM by an offset of each
video; the people are those of SAMM.
"""

from __future__ import annotations

from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.rows import Rows


def video_of(clip: str) -> str:
    """``006_1`` of ``006_1_2``: the long video that a movement is in."""
    return "_".join(clip.split("_")[:2])


def add_video(rows: Rows, cells: Cells) -> None:
    """Add the long video to the cells of a row."""
    cells["video"] = video_of(cells["clip"])


LAYOUT = Layout(
    dataset="samm-lv",
    tables=("samm_long*.xlsx", "*samm*.xlsx", "*samm*.csv", "*.xlsx", "*.csv"),
    sheets=("FACS_Movement_Only",),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("Onset", "Onset Frame"),
        "apex": ("Apex", "Apex Frame"),
        "offset": ("Offset", "Offset Frame"),
        "type": ("Type",),
        "units": ("Action Units", "AU"),
    },
    fps=200.0,
    first_number=1,
    spelled={"subject": lambda text: text.zfill(3)},
    source_video="{subject}/{video}",
    places=("{video}",),
    several_per_video=True,
    mend=add_video,
)
read = LAYOUT.read
