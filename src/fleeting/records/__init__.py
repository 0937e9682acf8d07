"""The records that the parts of Fleeting hand to each other.

The frame convention, stated here and only here: frames are counted from 0 in presentation order; onset, apex and offset
are frames; an interval includes both its onset and its offset frame, so it covers ``offset - onset + 1`` frames. Times
are seconds from the first presented frame, taken from the true presentation timestamps. Displacements are percent of
the inter-ocular distance (outer eye corners, iBUG points 36 and 45) of the same face. A data set's own numbering is
converted at the door. Start with `timeline` and `events`; `action_units` is the one parser of coders' cells.
"""

from __future__ import annotations

from fleeting.records.calibration import Calibration, CalibrationTrial
from fleeting.records.clips import Clip
from fleeting.records.coded import CODED_COLUMNS, CODED_KINDS, UNCODABLE, CodedEvent, is_hidden
from fleeting.records.events import (
    EVENT_KINDS,
    LID_KINDS,
    Event,
    EventKind,
    Interval,
    SystemAnswer,
    UnitAnswer,
    UnitSide,
)
from fleeting.records.faces import ABSENT_STEPS, REGIONS, ExpressionCurve, FaceBox, FaceSegment, FaceTrack, Signals
from fleeting.records.timeline import EVENT_COLUMNS, Cut, EventMedia, Timeline, VideoInfo

__all__ = [
    "ABSENT_STEPS",
    "CODED_COLUMNS",
    "CODED_KINDS",
    "Calibration",
    "CalibrationTrial",
    "Clip",
    "CodedEvent",
    "Cut",
    "EVENT_COLUMNS",
    "EVENT_KINDS",
    "Event",
    "EventKind",
    "EventMedia",
    "ExpressionCurve",
    "FaceBox",
    "FaceSegment",
    "FaceTrack",
    "Interval",
    "LID_KINDS",
    "REGIONS",
    "Signals",
    "SystemAnswer",
    "Timeline",
    "UNCODABLE",
    "UnitAnswer",
    "UnitSide",
    "VideoInfo",
    "is_hidden",
]
