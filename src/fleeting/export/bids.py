"""``events.tsv`` with its sidecar ``events.json``, as the Brain Imaging Data Structure asks (BIDS 1.9, "Task events").

Tab separated; the first two columns are onset and duration in seconds from the first frame; ``n/a`` where there is no
value; the sidecar describes every column. In a BIDS data set the files are to be renamed to the recording's own prefix
(``sub-01_task-interview_events.tsv``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fleeting.export.events_csv import cell, event_cells, table_text, with_coding
from fleeting.files import write_text
from fleeting.records import UNCODABLE, Event, Timeline

_TAIL = (
    "face",
    "emotion",
    "probability",
    "apex_s",
    "regions",
    "displacement_percent_iod",
    "confidence",
    "surrounding",
    "contradicts",
    "speaking",
    "action_units",
    "action_unit_probabilities",
)
COLUMNS: tuple[str, ...] = ("onset", "duration", "trial_type", *_TAIL)

SIDECAR: dict[str, dict[str, Any]] = {
    "onset": {"Description": "Onset of the movement, from the first frame of the video.", "Units": "s"},
    "duration": {"Description": "Time from onset to offset of the movement.", "Units": "s"},
    "trial_type": {
        "LongName": "Kind of facial movement",
        "Description": "Kind of movement, by its duration.",
        "Levels": {
            "micro": "Micro-expression: a facial movement of at most half a second.",
            "macro": "Macro-expression: a longer facial movement.",
            "blink": "Blink of both eyes.",
            "wink": "Wink: one eye, the one of its region, closes and opens again.",
        },
    },
    "face": {"Description": "Number of the face, counted from 0 in order of appearance."},
    "emotion": {
        "Description": "Class of the recogniser of movements, of a macro-expression the expression that came over the "
        "whole face with it, where one did; 'unsure' where no class is probable enough. A micro-expression is no proof "
        "of an emotion, nor of a lie.",
    },
    "probability": {"Description": "Calibrated probability of the most probable class, 0 to 1; not named if 'unsure'."},
    "apex_s": {"Description": "Time of the strongest movement, from the first frame of the video.", "Units": "s"},
    "regions": {"Description": "Face regions that moved, the strongest first; left and right are the person's own."},
    "displacement_percent_iod": {
        "Description": "Largest displacement of a moved region from its rest at the apex, in percent of the distance "
        "between the outer eye corners.",
        "Units": "percent",
    },
    "confidence": {
        "Description": "0 to 1: of a micro-expression the probability that it is one; of a macro-expression how far it "
        "stands out of the recording's own noise; of a blink or wink the probability that it is one.",
    },
    "surrounding": {"Description": "Expression of the whole face before and after the movement."},
    "contradicts": {
        "Description": "Whether a micro-expression is named the opposite of the expression around it.",
        "Levels": {"True": "It is.", "False": "It is not, or the whole face was not read."},
    },
    "speaking": {
        "Description": "Whether the face speaks in most of the frames of the movement.",
        "Levels": {"True": "It does.", "False": "It does not."},
    },
    "action_units": {
        "Description": "Action units of the Facial Action Coding System that moved, joined by '+', the most probable "
        "first. L or R before a unit: on the person's own left or right alone.",
    },
    "action_unit_probabilities": {
        "Description": "Calibrated probability of each of these action units, 0 to 1, joined by '+' in their order.",
    },
}


CODED: dict[str, dict[str, Any]] = {
    "action_units": {"Description": "Units of the Facial Action Coding System, with side and intensity (A to E)."},
    "scheme": {"Description": "Scheme of the emotion."},
    "certainty": {"Description": "How sure the coder was: certain, likely or doubtful."},
    "note": {"Description": "What the coder noted."},
    "origin": {
        "Description": "Where the event is from.",
        "Levels": {
            "person": "The coder added it.",
            "machine": "A proposal of Fleeting that the coder accepted as it was.",
            "corrected": "A proposal of Fleeting that the coder changed.",
        },
    },
    "coder": {"Description": "Who coded it."},
    "changed": {"Description": "When it was changed last, in coordinated universal time."},
    "id": {"Description": "Of the event, the same through all its corrections."},
}
"""What the sidecar says of the columns of a coder."""


def write_bids(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``events.tsv`` and ``events.json``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    columns = with_coding(COLUMNS, timeline)
    text = table_text(columns, (_row(event, columns[3:]) for event in timeline.events), separator="\t")
    sidecar = {name: (SIDECAR | CODED)[name] for name in columns}
    if any(event.kind == UNCODABLE for event in timeline.events):
        levels = SIDECAR["trial_type"]["Levels"] | {UNCODABLE: "A stretch in which the coder could see nothing."}
        sidecar["trial_type"] = SIDECAR["trial_type"] | {"Levels": levels}
    return [
        write_text(folder / "events.tsv", text),
        write_text(folder / "events.json", json.dumps(sidecar, indent=2) + "\n"),
    ]


def _row(event: Event, tail: Sequence[str]) -> list[str]:
    head = [cell(event.onset_s, "onset_s", missing="n/a"), cell(event.duration_s, "duration_s", missing="n/a")]
    return [*head, event.kind, *event_cells(event, tail, missing="n/a")]
