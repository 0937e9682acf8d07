"""When a face speaks: from the rhythm of its mouth, and from the voice in the film's sound where there is one.

Syllables come two to eight times a second (Chandrasekaran et al., "The natural statistics of audiovisual speech", PLoS
Computational Biology 5, 2009). So a mouth that speaks swings without rest: it opens and closes, or widens and rounds.
One smile, one yawn or one micro-expression has two swings. What the upper face or the head does along with the mouth (a
nod, a picture that trembles) does not count.

A voice alone does not say whose it is: with it fewer swings are enough, where sound is heard without a voice more of
them are needed, and a mouth that is still never speaks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fleeting.records import Event
from fleeting.spotting.cells import cells_of
from fleeting.spotting.rest import Array, resample, smooth
from fleeting.spotting.run_signals import RunSignals

SMOOTHING_S = 0.025
LEAST_SWING = 1.0
"""Percent of the inter-ocular distance: lips that speak move several times as far."""

SWING_OF_NOISE = 2.0
"""In units of the noise of the brows and the nose, which speech hardly moves."""

EDGE = 0.1
"""A swing lasts from where a tenth of its way is done to where a tenth is left."""

LONGEST_SWING_S = 0.35
"""A slower one breaks the rhythm,"""

LEAST_RATE = 3.5
"""and so many swings a second are two syllables a second, give or take: who chews has two to three."""

LONGEST_HOLD_S = 0.25
"""A mouth that holds still for longer between two swings begins anew."""

UPPER_SHARE, HEAD_SHARE = 0.5, 4.0
"""A swing counts where brows and nose move by less than this share of it, and the head by less than so many times it:
speakers are below .2 and 2 in half of their swings, a nod beyond .6 and 5."""

SWINGS = 4
SWINGS_WITH_VOICE = 3
SWINGS_WITHOUT_VOICE = 6
"""Swings one after another that make speaking: where there is no sound, with a voice, and with sound but no voice. Two
are a single movement, however many people talk meanwhile."""

VOICE, NO_VOICE = 0.5, 0.1
"""Share of the time with a voice from which on there is one, and up to which there is none."""

PAUSE_S = 0.5
"""Between two stretches of speaking, a shorter pause belongs to them."""

_UPPER = [c for name in ("left_brow", "right_brow", "between_brows", "nose") for c in cells_of(name)]


def speaking_in(run: RunSignals, noise: Array, voice: Array | None = None) -> npt.NDArray[np.bool_]:
    """Whether the face speaks, (m,), in every sample of a run.

    Parameters
    ----------
    run
        Signals.
    noise
        (c,) of `run_signals.noise_of`.
    voice
        (m,) share of the time around each sample with a voice in the film's sound, NaN where there is no sound.
    """
    least = max(LEAST_SWING, SWING_OF_NOISE * float(np.median(noise[_UPPER])))
    beside, head = _upper_face(run), run.head[:, 3:5]
    found = np.zeros(len(run), bool)
    for curve in _mouth(run).T:
        for chain in _chains(_swings(curve, least), run.period):
            counted = sum(_of_the_mouth(curve, beside, head, *swing) for swing in chain)
            part = slice(chain[0][0], chain[-1][1] + 1)
            lasts = (chain[-1][1] - chain[0][0]) * run.period
            if counted >= max(_needed(voice, part), len(chain) / 2, LEAST_RATE * lasts):
                found[part] = True
    return _joined(found, max(1, round(PAUSE_S / run.period)))


def voice_in(run: RunSignals, voice: Array | None) -> Array | None:
    """Return the voice of all frames of the video, (n,), in the samples of a run, (m,)."""
    return None if voice is None else resample(voice[run.first : run.first + len(run.time_s)], run.time_s, run.grid)


def of_frames(speaking: npt.NDArray[np.bool_], run: RunSignals) -> npt.NDArray[np.float32]:
    """Return samples of a run as its frames: 1 where the face speaks, else 0."""
    return (resample(speaking.astype(np.float32), run.grid, run.time_s) >= 0.5).astype(np.float32)


def marked(event: Event, speaking: npt.NDArray[np.float32], first: int = 0) -> Event:
    """Return an event that says whether its face speaks in most of its frames.

    `speaking` is that of `of_frames` or `Signals`, and begins with the frame `first`.
    """
    during = speaking[event.onset_frame - first : event.offset_frame - first + 1]
    return replace(event, speaking=bool(during.mean() > 0.5))


def _mouth(run: RunSignals) -> Array:
    """(m, 3) how far the jaw is down, the lips are apart and the mouth is wide, alike in a mirrored face."""

    def mean(name: str, axis: int) -> Array:
        return np.asarray(run.quick[:, cells_of(name), axis].mean(axis=1), np.float64)

    lower = mean("lower_lip", 1)
    wide = mean("left_mouth_corner", 0) - mean("right_mouth_corner", 0)
    curves = np.stack([(lower + mean("chin", 1)) / 2, lower - mean("upper_lip", 1), wide], axis=1)
    return np.asarray(smooth(curves, SMOOTHING_S / run.period))


def _upper_face(run: RunSignals) -> Array:
    """(m, 4) down and right of the brows together and of the nose."""
    parts = [cells_of("left_brow") + cells_of("right_brow"), cells_of("nose")]
    moved = np.concatenate([run.quick[:, cells].mean(axis=1) for cells in parts], axis=1)
    return np.asarray(smooth(moved, SMOOTHING_S / run.period), np.float64)


def _swings(curve: Array, least: float) -> list[tuple[int, int]]:
    """Return the first and last sample of each way of a curve by at least `least`, without the rests at the turns."""
    turns: list[int] = []
    low = high = 0
    way = 0
    for place, value in enumerate(curve.tolist()):
        high = place if value > curve[high] else high
        low = place if value < curve[low] else low
        if way >= 0 and curve[high] - value >= least:
            turns.append(high)
            way, low = -1, place
        elif way <= 0 and value - curve[low] >= least:
            turns.append(low)
            way, high = 1, place
    turns += [high if way > 0 else low] if turns else []
    swings = []
    for first, last in zip(turns, turns[1:], strict=False):
        done = (curve[first : last + 1] - curve[first]) / (curve[last] - curve[first])
        begin = first + int(np.flatnonzero(done <= EDGE)[-1])
        swings.append((begin, begin + int(np.argmax(done[begin - first :] >= 1 - EDGE))))
    return swings


def _chains(swings: list[tuple[int, int]], period_s: float) -> list[list[tuple[int, int]]]:
    """Return swings that are fast enough, those that follow each other without a rest together."""
    chains: list[list[tuple[int, int]]] = []
    for first, last in swings:
        if (last - first) * period_s > LONGEST_SWING_S:
            continue
        if chains and (first - chains[-1][-1][1]) * period_s <= LONGEST_HOLD_S:
            chains[-1].append((first, last))
        else:
            chains.append([(first, last)])
    return chains


def _of_the_mouth(curve: Array, beside: Array, head: Array, first: int, last: int) -> bool:
    size = abs(curve[last] - curve[first])
    part = slice(first, last + 1)
    upper, moved = np.ptp(beside[part], axis=0).max(), np.linalg.norm(np.ptp(head[part], axis=0))
    return bool(upper <= UPPER_SHARE * size and moved <= HEAD_SHARE * size)


def _needed(voice: Array | None, part: slice) -> int:
    heard = np.zeros(0) if voice is None else voice[part][np.isfinite(voice[part])]
    if not len(heard):
        return SWINGS
    share = heard.mean()
    return SWINGS_WITH_VOICE if share >= VOICE else SWINGS_WITHOUT_VOICE if share <= NO_VOICE else SWINGS


def _joined(found: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.bool_]:
    """Fill gaps of at most `most` samples between stretches."""
    places = np.flatnonzero(found)
    for before, after in zip(places, places[1:], strict=False):
        if 1 < after - before <= most + 1:
            found[before:after] = True
    return found
