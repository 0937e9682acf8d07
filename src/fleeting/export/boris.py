"""For BORIS: ``events.boris``, a project, and ``boris_events.csv``, its table of events.

BORIS imports no table of events into an observation, but it opens projects (JSON, project format 7.0, written by
versions 7 to 9) and takes over observations from other projects ("Observations > Import observations"). Behaviours are
the kinds of event, subjects the faces, the modifier is the emotion; every event is a state event, that is a pair of
entries of the same subject, behaviour and modifier, the first of which starts and the second of which stops it.

The table has the columns of BORIS' own export "Tabular events", with START and STOP in "Behavior type".
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from fleeting.export.events_csv import cell, table_text
from fleeting.export.lanes import kinds_of, lanes
from fleeting.files import write_text
from fleeting.labels import THREE_CLASSES, UNSURE
from fleeting.records import CODED_COLUMNS, EVENT_KINDS, LID_KINDS, UNCODABLE, CodedEvent, Event, Timeline

NO_MODIFIER = "None"
"""BORIS' own word for a behaviour coded without its modifier."""

WITHOUT_EMOTION = (*LID_KINDS, UNCODABLE)
"""Behaviours that have no modifier."""

COLORS = {"micro": "tab:purple", "macro": "tab:cyan", "blink": "tab:gray", "wink": "tab:olive", UNCODABLE: "tab:red"}

COLUMNS: tuple[str, ...] = (
    "Observation id",
    "Observation date",
    "Description",
    "Observation duration",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Media duration (s)",
    "FPS",
    "Subject",
    "Behavior",
    "Behavioral category",
    "Modifier #1",
    "Behavior type",
    "Time",
    "Media file name",
    "Image index",
    "Image file path",
    "Comment",
)


def write_boris(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``events.boris`` and ``boris_events.csv``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    date = datetime.now().replace(microsecond=0).isoformat()
    marks = _marks(timeline)
    project = json.dumps(_project(timeline, marks, date), ensure_ascii=False, indent=1, allow_nan=False)
    return [
        write_text(folder / "events.boris", project + "\n"),
        write_text(folder / "boris_events.csv", table_text(COLUMNS, _rows(timeline, marks, date))),
    ]


Mark = tuple[float, str, str, str, str, int, str]
"""Seconds, subject, behaviour, modifier, comment, frame, START or STOP."""


def _marks(timeline: Timeline) -> list[Mark]:
    marks: list[Mark] = []
    for face in sorted({e.face for e in timeline.events}):
        for kind in kinds_of(timeline):
            group = [e for e in timeline.events if e.face == face and e.kind == kind]
            for event, lane in lanes(group):
                # BORIS pairs entries by counting them, so events at the same time need behaviours of their own.
                code = kind if lane == 0 else f"{kind} {lane + 1}"
                modifier = event.emotion or NO_MODIFIER
                marks.append(_mark(event, "START", code, modifier))
                marks.append(_mark(event, "STOP", code, modifier))
    return sorted(marks)


def _mark(event: Event, status: str, code: str, modifier: str) -> Mark:
    start = status == "START"
    time_s, frame = (event.onset_s, event.onset_frame) if start else (event.offset_s, event.offset_frame)
    if not start and event.offset_s <= event.onset_s:
        time_s += 0.001  # two entries at one time could not be told apart
    comment = _comment(event) if start else ""
    return (round(time_s, 6), f"face{event.face}", code, modifier, comment, frame, status)


def _comment(event: Event) -> str:
    """``apex 1.2 s; left_brow``, and what a coder said as ``name: value``, the note last: it may hold anything."""
    if not isinstance(event, CodedEvent):
        said = (f"apex {cell(event.apex_s, 'apex_s')} s", cell(event.regions), event.action_units_text)
        return "; ".join(part for part in (*said, "speaking" if event.speaking else "") if part)
    parts = [f"apex {cell(event.apex_s, 'apex_s')} s"] if event.apex_known else []
    parts += [cell(event.regions)] if event.regions else []
    names = sorted(CODED_COLUMNS, key="note".__eq__)
    return "; ".join(parts + [f"{name}: {getattr(event, name)}" for name in names if getattr(event, name)])


def _project(timeline: Timeline, marks: list[Mark], date: str) -> dict[str, Any]:
    media = str(Path(timeline.video.path).absolute())
    codes = list(dict.fromkeys([*kinds_of(timeline), *(m[2] for m in marks)]))
    faces = sorted({t.id for t in timeline.tracks} | {e.face for e in timeline.events})
    emotions = list(dict.fromkeys([*THREE_CLASSES, UNSURE, *(m[3] for m in marks if m[3] != NO_MODIFIER)]))
    modifiers = {"0": {"name": "emotion", "description": "", "type": 0, "ask at stop": False, "values": emotions}}
    return {
        "time_format": "s",
        "project_date": date,
        "project_name": timeline.video.name,
        "project_description": f"Found by Fleeting {timeline.version}".rstrip(),
        "project_format_version": "7.0",
        "subjects_conf": {
            str(i): {"key": "", "name": f"face{face}", "description": ""} for i, face in enumerate(faces)
        },
        "behaviors_conf": {
            str(i): {
                "type": "State event",
                "key": code[0] if code in EVENT_KINDS and code != "macro" else "",
                "code": code,
                "description": "",
                "color": COLORS[code.split()[0]],
                "category": "",
                "modifiers": modifiers if not code.startswith(WITHOUT_EMOTION) else "",
                "excluded": "",
                "coding map": "",
            }
            for i, code in enumerate(codes)
        },
        "observations": {timeline.video.name: _observation(timeline, marks, date, media)},
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


def _observation(timeline: Timeline, marks: list[Mark], date: str, media: str) -> dict[str, Any]:
    events = [[time, subject, code, "" if code.startswith(WITHOUT_EMOTION) else modifier, comment, frame]
              for time, subject, code, modifier, comment, frame, _ in marks]  # fmt: skip
    return {
        "file": {"1": [media], **{str(player): [] for player in range(2, 9)}},
        "type": "MEDIA",
        "date": date,
        "description": "",
        "time offset": 0.0,
        "events": events,
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {media: round(timeline.duration_s, 6)},
            "fps": {media: timeline.video.fps},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
            "offset": {"1": 0.0},
        },
    }


def _rows(timeline: Timeline, marks: list[Mark], date: str) -> list[list[str]]:
    video = timeline.video
    head = [video.name, date.replace("T", " "), "", cell(timeline.duration_s, "onset_s"), "Media file(s)"]
    head += [f"player #1:{video.path}", "0.0", f"{timeline.duration_s:.3f}", f"{video.fps:.3f}"]
    return [
        [*head, subject, code, "", "" if modifier == NO_MODIFIER else modifier, status]
        + [f"{time:.3f}", video.path, str(frame), "NA", comment]
        for time, subject, code, modifier, comment, frame, status in marks
    ]
