"""DFME: 7,526 micro-expressions of 671 people at 200, 300 or 500 frames/s.

Zhao et al., "DFME: a new benchmark for dynamic facial micro-expression recognition", IEEE Trans. Affective Computing,
2023 (arXiv 2301.00985). Table: Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Emotion, EmotionId (0 anger, 1
contempt, 2 disgust, 3 fear, 4 happiness, 5 sadness, 6 surprise), Fps, AU.

Traps: the rate differs from clip to clip; emotion and its id are two statements of one thing, and the word counts.
"""

from __future__ import annotations

from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.rows import Rows

IDS: tuple[str, ...] = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


def _mend_emotion(rows: Rows, cells: Cells) -> None:
    where, word, code = f"{cells['subject']}/{cells['clip']}", cells["emotion"], cells["id"]
    by_id = IDS[int(code)] if code.isdigit() and int(code) < len(IDS) else ""
    if not word and by_id:
        rows.correct(where, "emotion", "", by_id, f"Empty: EmotionId {code} says so.")
        cells["emotion"] = by_id
    elif by_id and word.lower() != by_id:
        now = str(IDS.index(word.lower())) if word.lower() in IDS else ""
        rows.correct(where, "emotion id", code, now, "The word counts.")


LAYOUT = Layout(
    dataset="dfme",
    tables=("*dfme*.xlsx", "*dfme*.csv", "*train*.csv", "*.xlsx", "*.csv"),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame", "Onset"),
        "apex": ("ApexFrame", "Apex"),
        "offset": ("OffsetFrame", "Offset"),
        "emotion": ("Emotion",),
        "fps": ("Fps",),
    },
    optional={"id": ("EmotionId", "Emotion Id"), "units": ("AU", "AUs", "Action Units")},
    spelled={"emotion": str.strip, "id": str.strip},
    places=("{clip}", "{subject}/{clip}"),
    mend=_mend_emotion,
)
read = LAYOUT.read
