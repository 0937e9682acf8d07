"""The curves of the regions, and the displacement of an event: the value of its curve at its apex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.records import REGIONS, Event
from fleeting.spotting.cells import cells_of
from fleeting.spotting.movements import Movement
from fleeting.spotting.rest import Array, resample
from fleeting.spotting.run_signals import RunSignals


def of_regions(values: Array) -> Array:
    """Largest value of each region's cells, (n, c) to (n, r)."""
    return np.stack([values[:, cells_of(name)].max(axis=1) for name in REGIONS], axis=1)


def region_curves(run: RunSignals, movements: Sequence[Movement]) -> Array:
    """Return how far each region is from its rest, (frames of the run, r), percent of the inter-ocular distance.

    Rest is that of macro-expressions, `RunSignals.slow`. A movement that was found against the rest of
    micro-expressions is shown against that one: from its onset to its apex the regions that moved pass over to it, and
    back again up to its offset. So a slow change that a short movement stands on does not count as a part of it. In the
    same way a long movement with a rest of its own (`spotting.plateaus`) is shown against that.

    Parameters
    ----------
    run
        Signals.
    movements
        All that were found in the run, blinks too.
    """
    share = np.zeros(run.slow.shape[:2], np.float32)
    away = np.linalg.norm(run.slow, axis=2)
    for movement in movements:
        if not movement.long_rest:
            cells = _cells(movement)
            share[:, cells] = np.maximum(share[:, cells], _course(movement, len(run))[:, None])
    mixed = share.any(axis=1)
    quick = share[mixed][..., None]
    away[mixed] = np.linalg.norm(quick * run.quick[mixed] + (1 - quick) * run.slow[mixed], axis=2)
    for movement in movements:
        if movement.rest is not None:
            cells, span = _cells(movement), slice(movement.onset, movement.offset + 1)
            own = _course(movement, len(run))[span, None, None] * movement.rest[cells]
            quick = share[span][:, cells, None]
            moved = quick * run.quick[span][:, cells] + (1 - quick) * (run.slow[span][:, cells] - own)
            away[span, cells] = np.linalg.norm(moved, axis=2)
    return resample(of_regions(away), run.grid, run.time_s)


def _cells(movement: Movement) -> list[int]:
    return [c for name in movement.regions for c in cells_of(name)]


def _course(movement: Movement, length: int) -> Array:
    """(length,) from 0 at the onset to 1 at the apex and back to 0 at the offset."""
    course = np.interp(np.arange(length), [movement.onset, movement.apex, movement.offset], [0.0, 1.0, 0.0])
    # An apex that is also the onset or the offset still shows the movement whole.
    course[movement.apex] = 1.0
    return course


def sized(event: Event, motion: npt.NDArray[np.floating], first: int = 0) -> Event:
    """Return an event with its displacement: the largest curve of its regions in the apex frame.

    Parameters
    ----------
    event
        With its regions.
    motion
        (n, r) of `region_curves` or `records.Signals`.
    first
        Frame of its first row.
    """
    moved = motion[event.apex_frame - first, [REGIONS.index(name) for name in event.regions]]
    return replace(event, displacement_percent_iod=float(moved.max()))
