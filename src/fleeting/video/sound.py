"""The sound of a video file, a few hundredths of a second at a time, on the clock of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

RATE = 16_000
PIECE_S = 0.03
PIECE = round(RATE * PIECE_S)

MOST_GAP_S = 0.04
"""Where the next sound comes so much later or earlier than expected, there is a gap or a jump; less is rounding."""


class Sound(NamedTuple):
    """A piece of sound: seconds of its first sample from the first frame, and `PIECE` int16 samples at `RATE`."""

    time_s: float
    samples: npt.NDArray[np.int16]


class SoundDecoder:
    """Decodes the first sound of a container that is open; what is damaged is left out.

    Attributes
    ----------
    packets, damaged
        Packets of sound so far, and how many of them could not be decoded.
    """

    def __init__(self) -> None:
        self.packets = self.damaged = 0

    def pieces(self, container: Any, *, origin_s: float) -> Iterator[Sound]:
        """Yield the sound piece by piece; none where the file has no sound that FFmpeg knows.

        Parameters
        ----------
        container
            PyAV's, at its beginning.
        origin_s
            Seconds of the container's clock at which the first frame is shown.
        """
        known = [s for s in container.streams.audio if getattr(s, "codec_context", None) is not None]
        if not known:
            return
        begins, waiting = 0.0, np.zeros(0, np.int16)
        for time_s, samples in self._decoded(container, known[0]):
            expected = begins + len(waiting) / RATE
            if time_s is not None and abs(time_s - origin_s - expected) > MOST_GAP_S or not len(waiting):
                begins = expected if time_s is None else time_s - origin_s
                waiting = samples
            else:
                waiting = np.concatenate([waiting, samples])
            whole = len(waiting) // PIECE
            for place in range(whole):
                yield Sound(begins + place * PIECE_S, waiting[place * PIECE : (place + 1) * PIECE])
            begins, waiting = begins + whole * PIECE_S, waiting[whole * PIECE :]

    def _decoded(self, container: Any, stream: Any) -> Iterator[tuple[float | None, npt.NDArray[np.int16]]]:
        """Yield sound at `RATE`, with the seconds of the container's clock where they are known."""
        resampler = _resampler()
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, ValueError):
                self.damaged += 1
                return
            if packet is None:
                return
            self.packets += packet.size > 0
            try:
                for frame in packet.decode():
                    yield _start(frame, stream), _samples(resampler, frame)
            except (av.FFmpegError, ValueError, OverflowError):
                # Also where the sound changes its rate or its channels midway.
                self.damaged += 1
                resampler = _resampler()


def _resampler() -> Any:
    return av.AudioResampler(format="s16", layout="mono", rate=RATE)


def _start(frame: Any, stream: Any) -> float | None:
    base = frame.time_base or stream.time_base
    return None if frame.pts is None or not base else float(frame.pts * Fraction(base))


def _samples(resampler: Any, frame: Any) -> npt.NDArray[np.int16]:
    parts = [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
    return np.concatenate([np.zeros(0, np.int16), *parts])
