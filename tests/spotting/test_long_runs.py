"""A long recording is worked on in parts and from the disk; the results are those of the whole at once."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from test_spotting import measured

from fleeting import rows
from fleeting.records import Signals
from fleeting.spotting import run_signals
from fleeting.spotting.measurements import ROW, MeasurementLog, Measurements, StoredMeasurements
from fleeting.spotting.run_signals import Runs
from fleeting.spotting.spot import spot

FPS = 50.0
APEXES = np.arange(6.0, 114.0, 3.7)


@pytest.fixture(scope="module")
def long() -> Measurements:
    regions = ("left_mouth_corner", "right_mouth_corner")
    bumps = tuple((a - 0.14, a, a + 0.2, regions, 2.0) for a in APEXES)
    return measured(fps=FPS, seconds=120.0, bumps=bumps, blinks=tuple(APEXES[:-1] + 1.8))


def log_of(known: Measurements, folder: Path) -> MeasurementLog:
    """The same as it is noted frame by frame; frames without a face are not."""
    log = MeasurementLog(known.face, folder=folder)
    for i in np.flatnonzero(known.run >= 0):
        parts = (known.displacement[i], known.transform[i], known.residual_px[i], known.eye_opening[i])
        values = np.concatenate([np.ravel(p) for p in (*parts, known.mouth_opening[i], known.pose[i])])
        log.rows.append((i, known.run[i], False, values))
    return log


def test_parts_of_a_run_find_what_the_whole_run_shows(long: Measurements, monkeypatch: pytest.MonkeyPatch) -> None:
    events, signals = spot(long)
    assert len([e for e in events if e.kind == "micro"]) == len(APEXES)
    # Borders at 30, 60 and 90 s, some of them within an event.
    monkeypatch.setattr(run_signals, "MOST_SAMPLES", 1500)
    assert len(Runs(long, run_signals.SpottingSettings())) == 4
    again, curves = spot(long)
    places = [
        [(e.kind, e.onset_frame, e.apex_frame, e.offset_frame, e.regions) for e in one] for one in (again, events)
    ]
    assert places[0] == places[1]
    assert np.allclose(curves.motion, signals.motion, atol=0.0015)
    assert np.array_equal(curves.speaking, signals.speaking)  # type: ignore[arg-type]


def test_a_border_within_an_event_tells_it_once(long: Measurements, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spot(long.part(slice(0, 2000)))[0]
    for apex in APEXES[3:6]:
        # Two parts of one length: the border is on the apex.
        part = long.part(slice(0, 2 * round(apex * FPS)))
        monkeypatch.setattr(run_signals, "MOST_SAMPLES", len(part.time_s) // 2 + 1)
        told = [e for e in spot(part)[0] if abs(e.apex_s - apex) < 0.5]
        assert [e.kind for e in told] == ["micro"], (apex, first)


def test_measurements_on_the_disk_give_the_same_events_and_curves(
    long: Measurements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "WAITING_BYTES", 100 * ROW.itemsize)
    away = np.arange(len(long.time_s)) // 700 == 2
    known = replace(long, run=np.where(away, -1, (np.arange(len(away)) >= 2100).astype(np.int32)).astype(np.int32))
    unseen = {
        name: np.where(away.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values).astype(values.dtype)
        for name in ("displacement", "transform", "residual_px", "eye_opening", "mouth_opening", "pose")
        for values in [getattr(known, name)]
    }
    known = replace(known, **unseen)
    stored = StoredMeasurements(log_of(known, tmp_path), known.time_s)
    assert list(stored.runs()) == list(known.runs()) == [slice(0, 1400), slice(2100, len(away))]
    for window in (slice(0, 50), slice(1390, 1420), slice(2095, 2300), slice(5990, 6000)):
        part, whole = stored.part(window), known.part(window)
        for one in fields(Measurements):
            assert np.allclose(getattr(part, one.name), getattr(whole, one.name), equal_nan=True), one.name
    events, signals = spot(known)
    again, mapped = spot(stored, folder=tmp_path)
    assert again == events
    assert isinstance(mapped.motion, np.memmap), "what grows with the film is not in memory"
    for one in fields(Signals):
        assert np.array_equal(getattr(mapped, one.name), getattr(signals, one.name), equal_nan=True), one.name
