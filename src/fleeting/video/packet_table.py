"""The times of all frames from the packets of a file, without decoding a picture.

Ten minutes are read in about a second. It holds for files whose every packet is one shown picture with a time of its
own; `file_reader` checks that.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import av

from fleeting.video.timestamps import Clock

ONE_FRAME_A_PACKET = frozenset(
    {"h264", "hevc", "vp9", "libdav1d", "av1", "mjpeg", "ffv1", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff"}
    | {"utvideo", "png"}
)
"""FFmpeg's decoders that show one picture a packet; that of VP8, for one, has packets that show none."""


@dataclass(frozen=True, slots=True)
class PacketTable:
    """What the packets say of the frames, in order of presentation.

    Attributes
    ----------
    ticks, times
        Of every frame, in ticks of the stream's time base and in seconds from the first.
    keys
        Places of the key frames.
    """

    ticks: array[int]
    times: array[float]
    keys: array[int]


def read_packets(container: Any, stream: Any, gap_s: float) -> PacketTable | None:
    """Read all packets of a stream; None where they are damaged, lack times, or do not begin with a key frame."""
    found: list[tuple[int, bool]] = []
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if packet.pts is None or packet.is_corrupt:
                return None
            found.append((packet.pts, packet.is_keyframe))
    except av.FFmpegError:
        return None
    found.sort()
    ticks = array("q", (tick for tick, _ in found))
    if not found or not found[0][1] or any(b <= a for a, b in zip(ticks, ticks[1:], strict=False)):
        return None
    clock = Clock(time_base=stream.time_base, gap_s=gap_s)
    times = array("d", (clock.time_s(tick) for tick in ticks))
    return PacketTable(ticks, times, array("q", (i for i, (_, key) in enumerate(found) if key)))
