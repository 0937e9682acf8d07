"""CASME II: 255 micro-expressions of 26 people at 200 frames/s.

Yan et al., "CASME II: an improved spontaneous micro-expression database and the baseline evaluation", PLoS ONE 9(1),
2014. Table ``CASME2-coding-*.xlsx``, header in the first row; an older one has no objective classes. Frames
``sub01/EP02_01f/img46.jpg``, numbered from 1.

Traps: subjects lose their leading zero where a cell is a number; one apex is "/"; some action units are numbers.
"""

from __future__ import annotations

from fleeting.datasets.layout import Layout

LAYOUT = Layout(
    dataset="casme2",
    tables=("casme2-coding*.xlsx", "*casme2*.xlsx", "*casme2*.csv", "*.xlsx", "*.csv"),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "ApexF", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "units": ("Action Units", "AU", "AUs"),
        "emotion": ("Estimated Emotion", "Emotion"),
    },
    fps=200.0,
    first_number=1,
    spelled={"subject": lambda text: f"sub{text.lower().removeprefix('sub').zfill(2)}"},
)
read = LAYOUT.read
