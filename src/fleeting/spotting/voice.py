"""Whether there is a voice in a film's sound: WebRTC's detector of voice activity, over time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
import webrtcvad

from fleeting.spotting.rest import Array
from fleeting.video.sound import PIECE_S, RATE, Sound

PIECES = 4096
"""Pieces of sound that are counted at once."""

STRICTEST = 3
"""The detector's mode that takes the least noise for a voice."""

AROUND_S = 0.15
"""A moment's share of voice is that of so much sound before and after it."""

LEAST_LEVEL = 100.0
"""Root mean square of the loudest piece, of 32,767: a track that is quieter throughout (-50 dB) holds no sound. A
microphone that was off must not count as a face that is silent."""


def voice_share(sound: Iterable[Sound], time_s: Array) -> Array | None:
    """Return the share of the time around each frame in which there is a voice.

    Parameters
    ----------
    sound
        Of `video.stream.VideoReader.sound`.
    time_s
        (n,) seconds of the frames.

    Returns
    -------
    (n,) 0..1, NaN where there is no sound; None where there is none at all.
    """
    detector = webrtcvad.Vad(STRICTEST)
    # By frame, so that a long sound takes no more memory: changes of the numbers of pieces, and of those with a voice.
    changes = np.zeros((2, len(time_s) + 1), np.int32)
    times, voiced = array("d"), array("b")
    loudest = 0.0

    def count() -> None:
        at = np.array(times)
        first, last = np.searchsorted(time_s, at - AROUND_S), np.searchsorted(time_s, at + AROUND_S, "right")
        for row, weights in zip(changes, (np.ones(len(at), np.int32), np.array(voiced, np.int32)), strict=True):
            np.add.at(row, first, weights)
            np.subtract.at(row, last, weights)
        del times[:], voiced[:]

    for piece in sound:
        if piece.time_s > time_s[-1] + AROUND_S:
            break
        times.append(piece.time_s + PIECE_S / 2)
        voiced.append(detector.is_speech(piece.samples.tobytes(), RATE))
        loudest = max(loudest, float(np.sqrt(np.mean(np.square(piece.samples, dtype=np.float64)))))
        if len(times) == PIECES:
            count()
    if loudest < LEAST_LEVEL:
        return None
    count()
    pieces, with_voice = changes.cumsum(axis=1, dtype=np.int32)[:, :-1]
    with np.errstate(invalid="ignore"):
        return np.asarray(with_voice / pieces, np.float64)
