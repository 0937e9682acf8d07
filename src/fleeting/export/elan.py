"""``events.eaf`` for ELAN, by pympi-ling.

One tier per face and kind of event (``face0_micro``), whose annotations carry the emotion (or the kind, where no
emotion was recognised); below it a tier with the regions that moved and one with the action units, and beside it one
with the apex. Where the whole face was read, ``face0_expression`` holds the stretches of one expression;
``face0_speaking`` holds those in which the face speaks, if it does. ELAN counts in whole milliseconds.
The video is linked both by its full path and relative to the file.

A coder's events are in tiers of the same names, with the coder as their annotator. What else the coder said
(`CODED_COLUMNS`) is in tiers below them: ``face0_micro_note`` ...
"""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fleeting.export.expression_spans import expression_spans
from fleeting.export.lanes import kinds_of, lanes
from fleeting.files import atomic_path, printable
from fleeting.records import CODED_COLUMNS, CodedEvent, Event, Timeline, VideoInfo

TIME_ALIGNED, DETAIL = "movement", "movement-detail"


def write_elan(timeline: Timeline, folder: Path) -> list[Path]:
    """Write ``events.eaf``.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    from pympi import Eaf

    eaf = Eaf(author="Fleeting")
    eaf.remove_tier("default")
    eaf.add_linguistic_type(TIME_ALIGNED)
    eaf.add_linguistic_type(DETAIL, constraints="Symbolic_Association", timealignable=False)
    eaf.remove_linguistic_type("default-lt")
    _link(eaf, timeline.video, folder)
    faces = sorted({t.id for t in timeline.tracks} | {e.face for e in timeline.events})
    frame_ms = 1000 / timeline.video.fps if timeline.video.fps > 0 else 1.0
    for face in faces:
        for kind in kinds_of(timeline):
            events = [e for e in timeline.events if e.face == face and e.kind == kind]
            _tiers(eaf, f"face{face}_{kind}", f"face{face}", events, frame_ms)
    for curve in timeline.expressions:
        tier = f"face{curve.face}_expression"
        eaf.add_tier(tier, ling=TIME_ALIGNED, part=f"face{curve.face}")
        for span in expression_spans(curve):
            eaf.add_annotation(tier, *_span(span.start_s, span.end_s), span.expression)
    for signals in timeline.signals:
        if signals.speaking_spans:
            tier = f"face{signals.face}_speaking"
            eaf.add_tier(tier, ling=TIME_ALIGNED, part=f"face{signals.face}")
            for first_s, last_s in signals.speaking_spans:
                eaf.add_annotation(tier, *_span(first_s, last_s), "speaking")
    path = folder / "events.eaf"
    with atomic_path(path) as temporary:
        eaf.to_file(str(temporary))
    return [path]


def _tiers(eaf: Any, name: str, person: str, events: list[Event], frame_ms: float) -> None:
    placed = lanes(events)
    for lane in range(max((lane for _, lane in placed), default=0) + 1):
        tier = name if lane == 0 else f"{name}_{lane + 1}"
        here = [e for e, where in placed if where == lane]
        coder = next((e.coder for e in here if isinstance(e, CodedEvent)), None)
        eaf.add_tier(tier, ling=TIME_ALIGNED, part=person, ann=coder)
        eaf.add_tier(f"{tier}_regions", ling=DETAIL, parent=tier, part=person)
        eaf.add_tier(f"{tier}_action_units", ling=DETAIL, parent=tier, part=person, ann=coder)
        eaf.add_tier(f"{tier}_apex", ling=TIME_ALIGNED, part=person, ann=coder)
        more = [name for name in CODED_COLUMNS if coder is not None and name != "action_units"]
        for column in more:
            eaf.add_tier(f"{tier}_{column}", ling=DETAIL, parent=tier, part=person, ann=coder)
        for event in here:
            onset, offset = _span(event.onset_s, event.offset_s)
            eaf.add_annotation(tier, onset, offset, event.emotion or event.kind)
            eaf.add_ref_annotation(f"{tier}_regions", tier, onset, "+".join(event.regions))
            if not isinstance(event, CodedEvent) or event.action_units:
                eaf.add_ref_annotation(f"{tier}_action_units", tier, onset, event.action_units_text)
            for column in more if isinstance(event, CodedEvent) else ():
                if said := getattr(event, column):
                    eaf.add_ref_annotation(f"{tier}_{column}", tier, onset, said)
            if not isinstance(event, CodedEvent) or event.apex_known:
                apex, end = _span(event.apex_s, event.apex_s + frame_ms / 1000)
                eaf.add_annotation(f"{tier}_apex", apex, end, "apex")


def _span(start_s: float, end_s: float) -> tuple[int, int]:
    """Whole milliseconds, at least one: ELAN has no annotation without length."""
    start = max(round(start_s * 1000), 0)
    return start, max(round(end_s * 1000), start + 1)


def _link(eaf: Any, video: VideoInfo, folder: Path) -> None:
    if video.container == "images":  # ELAN plays no folders of images
        return
    path = Path(video.path).absolute()
    try:
        relative = Path(os.path.relpath(path, folder.absolute())).as_posix()
    except ValueError:  # another drive
        relative = path.name
    kind = mimetypes.guess_type(path.name)[0] or "unknown"
    # A name may hold characters that XML does not: percent signs stand for them, as they do in the full address.
    relative = "".join(letter if printable(letter) == letter else quote(os.fsencode(letter)) for letter in relative)
    eaf.add_linked_file(path.as_uri(), relpath=f"./{relative}", mimetype=kind)
