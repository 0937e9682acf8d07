"""MMEW: 300 micro-expressions at 90 frames/s.

Ben et al., "Video-based facial micro-expression analysis: a survey of datasets, features and algorithms", IEEE TPAMI
44(9), 2022. Table ``MMEW_Micro_Exp.xlsx``: Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units,
Estimated Emotion, remarks. Frames ``Micro_Expression/EMOTION/S03-01-002/1.jpg``, numbered from 1. The layout is known
from other people's code, so columns are found by several spellings.
"""

from __future__ import annotations

import re

from fleeting.datasets.layout import Layout

LAYOUT = Layout(
    dataset="mmew",
    tables=("mmew_micro*.xlsx", "mmew_micro*.csv", "*mmew*.xlsx", "*.xlsx", "*.csv"),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename", "File name"),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "units": ("Action Units", "AU", "AUs"),
        "emotion": ("Estimated Emotion", "Emotion"),
    },
    fps=90.0,
    first_number=1,
    spelled={"subject": lambda text: f"S{re.sub(r'(?i)^s', '', text).zfill(2)}", "emotion": str.strip},
    places=("{emotion}/{clip}", "{subject}/{emotion}/{clip}"),
    prefer=("micro",),
)
read = LAYOUT.read
