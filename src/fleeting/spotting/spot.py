"""Spotting: from the measurements of one face to its micro-expressions, macro-expressions and blinks.

Physical criteria find candidates: a movement is local (the head's motion is removed), stands out of this recording's
own noise, and returns to rest. At most half a second: a network judges from what surrounds it whether it is a
micro-expression, a blink or neither (`spotting.judge`). Longer: a macro-expression, by the criteria alone. All settings
are in seconds, in units of the noise, or in percent of the inter-ocular distance, so that they hold at any frame rate
and face size.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.records import LID_KINDS, Event, EventKind, Signals
from fleeting.records.digits import DIGITS
from fleeting.settings import SpottingSettings
from fleeting.spotting.blinks import Closing, find_closings
from fleeting.spotting.candidates import find_candidates
from fleeting.spotting.cells import cells_of
from fleeting.spotting.curves import of_regions, region_curves, sized
from fleeting.spotting.event_of import event_of, least_displacement
from fleeting.spotting.judge import BLINK, MICRO, Judge
from fleeting.spotting.macro import SAME_MOVEMENT, Judged, find_lasting, find_macro, most_periods
from fleeting.spotting.measurements import Measurements, StoredMeasurements
from fleeting.spotting.movements import Movement
from fleeting.spotting.rest import Array
from fleeting.spotting.run_signals import Runs, RunSignals, noise_of
from fleeting.spotting.signal_rows import SignalRows
from fleeting.spotting.speaking import marked, of_frames, speaking_in, voice_in
from fleeting.spotting.while_speaking import enough_evidence

CLEAR = 10.0
"""A movement that stands out of the noise so far has borders that can be read from its course,"""

LEAST_SCORE = 5.5
"""Peak of an event in units of the noise, however the judge sees it: white noise alone reaches 5 in a minute."""

AGREEMENT = 0.55
"""unless the judge sees them elsewhere: intersection over union of the two."""

DOUBT = 0.5
NEARLY = 0.95
"""A clear movement that lasts nearly half a second, of which the judge doubts that it is so short, is a longer one."""

MOST_PERCENT = 12.0
"""Percent of the inter-ocular distance: what moves further in half a second is a hand or a jaw."""

CAME_BACK = 0.4
"""A movement that goes back fast by this share of its way is a short one, wherever it settles from there."""

BORDER_S = 0.2
"""Two parts of a run may place an apex between them so far from each other."""

PART = 0.75
"""A short movement within a long one that is so much larger is a part of it."""


def spot(
    measured: Measurements | StoredMeasurements,
    settings: SpottingSettings | None = None,
    *,
    voice: Array | None = None,
    judge: Judge | None = None,
    folder: Path | None = None,
) -> tuple[list[Event], Signals]:
    """Find all events of one face.

    Parameters
    ----------
    measured
        The face over the whole video.
    settings
        See `settings.SpottingSettings`.
    voice
        (n,) of `voice.voice_share`: share of the time with a voice in the film's sound; None without sound.
    judge
        Of candidates; None for the shipped one.
    folder
        As for `rows.Rows`: where the curves of a long film are.

    Returns
    -------
    events
        In order of onset; emotion not yet recognised.
    signals
        Curves of the report, with the digits of `records.digits`.
    """
    settings = settings or SpottingSettings()
    runs = Runs(measured, settings)
    noise = noise_of(runs)
    events: list[Event] = []
    curves = SignalRows(measured, folder)
    for run in runs:
        speaking = speaking_in(run, noise, voice_in(run, voice))
        own = slice(run.own.start - run.first, run.own.stop - run.first)
        micro, blinks, longer, syllables = _judged(run, noise, speaking, settings, judge or _judge())
        macro = find_macro(run, noise, blinks, settings)
        macro += find_lasting(run, longer, macro, blinks, settings)
        # A long movement that is only a syllable on top of a wandering rest is none either.
        short, macro = _told_apart([*micro, *syllables], macro)
        micro = [judged for judged in short if judged in micro]
        lids = [_lid_movement(run, closing) for closing in blinks]
        talk = of_frames(speaking, run)
        motion = region_curves(run, [*(m for m, _ in (*micro, *macro)), *lids])
        curves.add(run.own, motion=motion[own], speaking=talk[own])
        found = [event_of(measured, run, "micro", m, p, settings) for m, p in micro]
        found += [event_of(measured, run, "macro", m, p, settings) for m, p in macro]
        for closing, movement in zip(blinks, lids, strict=True):
            kind: EventKind = "blink" if closing.side == "both" else "wink"
            found.append(event_of(measured, run, kind, movement, closing.confidence, settings))
        for event in _of_part(found, events, run):
            event = sized(event, motion, run.first)
            if event.displacement_percent_iod >= least_displacement(event, settings):
                shown = round(event.displacement_percent_iod, DIGITS["motion"])  # as in the curves
                events.append(replace(marked(event, talk, run.first), displacement_percent_iod=shown))
    events.sort(key=lambda e: (e.onset_frame, e.offset_frame))
    return events, curves.signals(of_regions(noise[None])[0].astype(np.float32))


def _of_part(found: list[Event], before: list[Event], run: RunSignals) -> list[Event]:
    """Events of a part of a run that are its own; what lies on its border may have been found in the part before."""
    first = run.own.start - max(1, round(BORDER_S / run.period)) if run.own.start > run.first else run.first
    known = [e for e in before if e.offset_frame >= first]
    return [
        e
        for e in found
        if first <= e.apex_frame < run.own.stop
        and not any(
            (e.kind in LID_KINDS) == (k.kind in LID_KINDS)
            and min(e.offset_frame, k.offset_frame) - max(e.onset_frame, k.onset_frame)
            > SAME_MOVEMENT * min(e.offset_frame - e.onset_frame, k.offset_frame - k.onset_frame)
            for k in known
        )
    ]


@lru_cache(maxsize=1)
def _judge() -> Judge:
    return Judge()


def _judged(
    run: RunSignals, noise: Array, speaking: npt.NDArray[np.bool_], settings: SpottingSettings, judge: Judge
) -> tuple[list[Judged], list[Closing], list[Movement], list[Judged]]:
    """Return micro-expressions with their probability, blinks and winks, what is longer, and syllables.

    What is longer looks like a micro-expression to the judge, but lasts too long to be one; syllables do in a face that
    speaks.
    """
    longer: list[Movement] = []
    syllables: list[Judged] = []
    candidates = find_candidates(run, noise, settings)
    probabilities, times = judge(candidates)
    spans = [(c.movement.onset, c.movement.apex, c.movement.offset) for c in candidates]
    said = list(zip(spans, probabilities[:, BLINK].tolist(), strict=True))
    blinks = find_closings(run.shut, run.quick, run.period, said)
    groups: list[list[Judged]] = []
    for place in np.argsort(-probabilities[:, MICRO]):
        probability = float(probabilities[place, MICRO])
        if probability < min(DOUBT, settings.min_probability):
            break
        movement = candidates[place].movement
        most = most_periods(run, settings)
        if probability < settings.min_probability:
            clear = movement.score >= CLEAR and movement.begins and movement.ends
            if clear and movement.offset - movement.onset >= NEARLY * most:
                longer.append(movement)
            continue
        placed = _placed(run, movement, times[place], settings)
        if placed is None or placed.peak > MOST_PERCENT or _is_blink(placed, blinks):
            continue
        if not enough_evidence(placed, probability, speaking, settings):
            syllables.append((placed, probability))
            continue
        movement = placed
        if movement.offset - movement.onset > most:
            longer.append(movement)
            continue
        same = [g for g in groups if _shared(movement, g[0][0]) > SAME_MOVEMENT]
        if same:
            same[0].append((movement, probability))
        else:
            groups.append([(movement, probability)])
    # Candidates of one movement differ in the part of the face they were found in: the clearest one stands for all.
    micro = [(max(g, key=lambda judged: judged[0].score)[0], g[0][1]) for g in groups]
    micro = [(m, p) for m, p in micro if m.score >= LEAST_SCORE]
    longer = [m for m in longer if not any(_shared(m, g[0][0]) > SAME_MOVEMENT for g in groups)]
    return micro, blinks, longer, syllables


def _placed(run: RunSignals, movement: Movement, times: Array, settings: SpottingSettings) -> Movement | None:
    """Place a movement in time; None where it would be cut off by the run, or not last at all.

    A movement that is seen clearly keeps the borders that were read from its course, which are the more exact ones; of
    another, noise decides where its course ends, and the judge's estimate is the better one.
    """
    begin, _, end = exact = [movement.apex + float(t) / run.period for t in times]
    onset, apex, offset = map(round, exact)
    most = most_periods(run, settings)
    if offset - onset > most and end - begin <= settings.max_micro_s / run.period:
        # Only rounding makes it longer than a micro-expression: the border that it moved out further moves in.
        onset, offset = (onset + 1, offset) if begin - onset > offset - end else (onset, offset - 1)
    least = settings.min_duration_s / run.period
    if onset < 0 or offset >= len(run.grid) or not onset < apex <= offset or offset - onset + 1 < least:
        return None
    judged = replace(movement, onset=onset, apex=apex, offset=offset)
    read = movement.begins and movement.ends and least <= len(movement) and movement.offset - movement.onset <= most
    union = len(judged) + len(movement) - judged.overlap(movement)
    agree = judged.overlap(movement) >= AGREEMENT * union
    return movement if read and agree and movement.score >= CLEAR else judged


def _shared(a: Movement, b: Movement) -> float:
    return a.overlap(b) / max(min(len(a), len(b)), 1)


def _is_blink(movement: Movement, blinks: list[Closing]) -> bool:
    first = "".join(movement.regions[:1])
    return any(first in b.lids and b.onset <= movement.apex <= b.offset for b in blinks)


def _told_apart(micro: list[Judged], macro: list[Judged]) -> tuple[list[Judged], list[Judged]]:
    """Report what was found on both scales of time once."""
    # A fast rise and a fast return are a short one, though it is a long way to settle from there.
    macro = [(a, p) for a, p in macro if not any(_is_rest_of(a, m) for m, _ in micro)]
    # What only joins a short one to a wandering rest says nothing of other short ones within it.
    macro = [(a, p) for a, p in macro if not any(_peaks_in(a, m) and m.peak >= PART * a.peak for m, _ in micro)]
    # A short one within a long, larger one is an unevenness of it, or its beginning.
    micro = [
        (m, p) for m, p in micro if not any(m.overlap(a) > 0.5 * len(m) and m.peak < PART * a.peak for a, _ in macro)
    ]
    # A long one that peaks in a short one is that one, on top of a wandering rest.
    macro = [(a, p) for a, p in macro if not any(_peaks_in(a, m) and m.peak >= 0.5 * a.peak for m, _ in micro)]
    return micro, macro


def _is_rest_of(long: Movement, short: Movement) -> bool:
    return (
        short.begins
        and short.ends
        and short.score >= CLEAR
        and _peaks_in(long, short)
        and short.peak >= CAME_BACK * long.peak
        and short.onset - long.onset <= 0.5 * len(short)
    )


def _peaks_in(long: Movement, short: Movement) -> bool:
    return short.onset <= long.apex <= short.offset


def _lid_movement(run: RunSignals, closing: Closing) -> Movement:
    cells = [c for name in closing.lids for c in cells_of(name)]
    lids = float(np.linalg.norm(run.quick[closing.apex][cells], axis=1).max())
    return Movement(closing.onset, closing.apex, closing.offset, closing.lids, lids, 0.0)
