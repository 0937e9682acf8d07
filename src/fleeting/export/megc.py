"""The two tables of the MEGC challenges.

``megc_spotting.csv``: ``vid,pred_onset,pred_offset,type`` with ``me`` (micro-) and ``mae`` (macro-expression).
``megc_recognition.csv``: ``subject,video,onset,offset,emotion`` of the micro-expressions, with ``negative``,
``positive``, ``surprise`` or ``others``; an unsure or missing answer is ``others``. Frames count from 0, both ends
included. A video does not know its subject, so the subject is the face (``face0``). Blinks and winks belong to
neither table.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.export.events_csv import table_text
from fleeting.files import write_text
from fleeting.labels import THREE_CLASSES
from fleeting.records import Timeline

SPOTTING_COLUMNS = ("vid", "pred_onset", "pred_offset", "type")
RECOGNITION_COLUMNS = ("subject", "video", "onset", "offset", "emotion")
TYPES = {"micro": "me", "macro": "mae"}
OTHERS = "others"


def write_megc(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``megc_spotting.csv`` and ``megc_recognition.csv``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    video = timeline.video.name
    spotted = [
        [video, str(e.onset_frame), str(e.offset_frame), TYPES[e.kind]] for e in timeline.events if e.kind in TYPES
    ]
    recognised = [
        [f"face{e.face}", video, str(e.onset_frame), str(e.offset_frame), _emotion(e.emotion)]
        for e in timeline.of_kind("micro")
    ]
    return [
        write_text(folder / "megc_spotting.csv", table_text(SPOTTING_COLUMNS, spotted)),
        write_text(folder / "megc_recognition.csv", table_text(RECOGNITION_COLUMNS, recognised)),
    ]


def _emotion(emotion: str | None) -> str:
    return emotion if emotion in THREE_CLASSES else OTHERS
