"""From a movement in the samples of a run to an event in frames of the video."""

from __future__ import annotations

from fleeting.records import Event, EventKind
from fleeting.settings import SpottingSettings
from fleeting.spotting.measurements import Measurements, StoredMeasurements
from fleeting.spotting.movements import Movement
from fleeting.spotting.run_signals import RunSignals


def event_of(
    measured: Measurements | StoredMeasurements,
    run: RunSignals,
    kind: EventKind,
    movement: Movement,
    confidence: float,
    settings: SpottingSettings,
) -> Event:
    """Return the event of a movement, not yet with its displacement (`curves.sized`)."""
    time_s = measured.time_s
    onset, apex, offset = _frames(run, kind, movement, settings)
    return Event(
        face=measured.face,
        kind=kind,
        onset_frame=onset,
        apex_frame=apex,
        offset_frame=offset,
        onset_s=float(time_s[onset]),
        apex_s=float(time_s[apex]),
        offset_s=float(time_s[offset]),
        regions=movement.regions,
        confidence=confidence,
    )


def _frames(run: RunSignals, kind: EventKind, movement: Movement, settings: SpottingSettings) -> tuple[int, int, int]:
    """Frames nearest to a movement's onset, apex and offset.

    Where frames are not evenly spaced they lie up to half a period beside the samples. A micro-expression that would
    last too long by that takes the frame within, a macro-expression that would be too short the frame without.
    """
    onset, apex, offset = (run.frame(s) for s in (movement.onset, movement.apex, movement.offset))
    last = run.first + len(run.time_s) - 1

    def too_long() -> bool:
        # As `Event.duration_s` rounds it.
        lasts = run.time_s[offset - run.first] - run.time_s[onset - run.first]
        return bool(round(float(lasts), 9) > settings.max_micro_s)

    while kind == "micro" and too_long():
        onset, offset = (onset, offset - 1) if offset > apex else (onset + 1, offset)
    while kind == "macro" and not too_long() and offset < last:
        offset += 1
    return onset, apex, offset


def least_displacement(event: Event, settings: SpottingSettings) -> float:
    """Smallest displacement with which an event is reported; a blink is one by the closing of the eyes."""
    least = {"micro": settings.min_displacement_percent_iod, "macro": settings.min_macro_percent_iod}
    return least.get(event.kind, 0.0)
