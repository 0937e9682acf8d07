"""4DME: micro- and macro-expressions in four modalities at 60 frames/s; here the two-dimensional videos.

Li et al., "4DME: a spontaneous 4D micro-expression dataset with multimodalities", IEEE Trans. Affective Computing,
2022. Table: sub_ID, fold_name (the clip's folder), Onset, Apex, Offset, AUs, Emotion, and one column of 0 and 1 for
every emotion and action unit. The layout is known from other people's code, so columns are found by several spellings.

Traps: units may carry "(k)", and their columns may say otherwise than their text; a clip can have two emotions, which
no scheme of single classes takes.
"""

from __future__ import annotations

from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.rows import Rows
from fleeting.records.action_units import parse

EMOTIONS = ("Negative", "Positive", "Surprise", "Repression", "Others")
"""Columns of 0 and 1, used where the emotion itself is empty."""


UNITS: tuple[str, ...] = tuple(f"AU{number}" for number in range(1, 47))
"""Columns of 0 and 1 beside the text of all units."""


def _check_units(rows: Rows, cells: Cells) -> None:
    """Say where the columns of the units disagree with their text, which counts."""
    coded = {f"AU{unit.number}" for unit in parse(cells["units"]).units}
    said = {name: cells[name].strip() for name in UNITS}
    differing = [name for name in UNITS if said[name] in ("0", "1") and (said[name] == "1") != (name in coded)]
    if coded and differing:
        columns = ", ".join(f"{name} {said[name]}" for name in differing)
        where = f"{cells['subject']}/{cells['clip']}"
        rows.correct(where, "action units", columns, cells["units"], "Columns and text disagree; the text counts.")


def _mend_emotion(rows: Rows, cells: Cells) -> None:
    if not cells["emotion"].strip():
        cells["emotion"] = "+".join(word for word in EMOTIONS if cells[word].strip() == "1")
        why = "Read from the columns of the emotions."
        rows.correct(f"{cells['subject']}/{cells['clip']}", "emotion", "", cells["emotion"].lower(), why)


LAYOUT = Layout(
    dataset="4dme",
    tables=("*4dme*.xlsx", "*micro*.xlsx", "*4dme*.csv", "*.xlsx", "*.csv"),
    columns={
        "subject": ("sub_ID", "Subject", "sub"),
        "clip": ("fold_name", "fold", "folder", "Filename"),
        "onset": ("Onset", "OnsetFrame"),
        "apex": ("Apex", "ApexFrame"),
        "offset": ("Offset", "OffsetFrame"),
        "units": ("AUs", "AU", "Action Units"),
    },
    optional={
        "emotion": ("Emotion", "Emotions"),
        "type": ("Type", "Expression type"),
        **{word: (word,) for word in (*EMOTIONS, *UNITS)},
    },
    fps=60.0,
    places=("{subject}/{clip}", "{clip}"),
    prefer=("micro",),
    mend=_mend_emotion,
    check=_check_units,
)
read = LAYOUT.read
