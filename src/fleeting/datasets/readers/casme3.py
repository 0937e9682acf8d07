"""CAS(ME)^3, part A: 860 micro-expressions of 94 people at 30 frames/s.

Li et al., "CAS(ME)3: a third generation facial spontaneous micro-expression database with depth information and high
ecological validity", IEEE TPAMI, 2022. Sheet ``label``: Subject ("spNO.1"), Filename ("a" to "m"), Onset, Apex, Offset,
AU, Objective class, emotion; another workbook, sheet ``AU+Emotion``, has micro- and macro-expressions and a column
Expression type. Frames ``spNO.1/a/color/355.jpg`` or, cut to clips, ``spNO.1_a_355/355.jpg``.

Traps: "others" and "Others"; the folders are written spNo or spNO; several expressions share a file.
"""

from __future__ import annotations

from fleeting.datasets.layout import Layout

LAYOUT = Layout(
    dataset="casme3",
    tables=("*part_a_me_label*.xlsx", "*cas*me*3*.xlsx", "*casme3*.csv", "*.xlsx", "*.csv"),
    sheets=("label", "AU+Emotion"),
    columns={
        "subject": ("Subject",),
        "video": ("Filename",),
        "onset": ("Onset",),
        "apex": ("Apex",),
        "offset": ("Offset",),
        "units": ("AU", "AUs", "Action Units"),
        "emotion": ("emotion",),
    },
    optional={"type": ("Expression type", "Type")},
    fps=30.0,
    spelled={"onset": str.strip},
    clip="{video}_{onset}",
    source_video="{subject}/{video}",
    places=("{subject}/{video}/color", "{subject}_{video}_{onset}", "{subject}/{video}"),
    prefer=("frame", "part_a"),
    several_per_video=True,
)
read = LAYOUT.read
