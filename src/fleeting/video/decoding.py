"""Opening a container with FFmpeg, and decoding it up to the place where it breaks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import av

from fleeting.errors import VideoError
from fleeting.reading import reading
from fleeting.settings import LimitSettings
from fleeting.video import trouble
from fleeting.video.declared import check_pixels

SCAN_PACKETS = 2000
"""Packets whose timestamps are read when a file is opened: 10 s at 200 frames/s."""

MAX_DAMAGED = 16
"""After so many damaged pictures in a row the rest is given up: nothing that follows could be trusted."""


REORDERED = 4
"""Pictures that a decoder may hold for those that come between: encoders use one or two, pyramids up to four."""


FEW_PIXELS = 500_000
"""Pictures of so many pixels are decoded by one thread: to share the work costs a fifth more of the processor."""

SHORT_STREAM = 0.1
"""A stream with less than this share of the longest one's frames is a cover, or thumbnails of chapters."""


@contextmanager
def open_stream(
    path: Path, *, index: int | None = None, limits: LimitSettings | None = None
) -> Iterator[tuple[Any, Any]]:
    """Open a file and choose its video stream; gives PyAV's container and stream, the decoder in its own threads.

    Parameters
    ----------
    path
        The file.
    index
        Of the stream; None chooses the first of `moving_streams`.
    limits
        See `settings.LimitSettings`.

    Raises
    ------
    VideoError
        Where the file holds no video that FFmpeg can decode.
    """
    if index is None:
        index = moving_streams(path, limits=limits)[0]
    with _opened(path, limits) as container:
        stream = container.streams[index]
        stream.thread_type = "AUTO"
        codec = stream.codec_context
        with reading(path.name, "a video", "Check the file.", error=VideoError):
            check_pixels(codec.width, codec.height, limits=limits)
        if codec.width * codec.height <= FEW_PIXELS:
            codec.thread_count = 1
        codec.options = codec.options | _most_pixels(limits)  # a picture within may claim another size
        yield container, stream


def moving_streams(path: Path, *, limits: LimitSettings | None = None) -> list[int]:
    """Return the streams of a file that are films, the one with the most pixels first (the first of equals).

    A stream with hardly any frames beside one with many is a cover; so is one that is marked as an attached picture.
    Where a header does not give the number of frames, the first packets are counted.

    Raises
    ------
    VideoError
        Where the file holds no video that FFmpeg can decode.
    """
    with _opened(path, limits) as container:
        known = _known_streams(container, path)
        if len(known) == 1:
            return [known[0].index]
        counts = _frame_counts(container, known)
        longest = max(counts.values())
        films = [s for s in known if counts[s.index] >= SHORT_STREAM * longest]
        films.sort(key=lambda s: -s.codec_context.width * s.codec_context.height)
        return [s.index for s in films]


_METADATA: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
"""Titles in another encoding must not stop a film; since version 19 PyAV replaces what it cannot read by itself."""


def _most_pixels(limits: LimitSettings | None) -> dict[str, str]:
    return {"max_pixels": str(int((limits or LimitSettings()).picture_mpx * 1e6))}


@contextmanager
def _opened(path: Path, limits: LimitSettings | None) -> Iterator[Any]:
    trouble.check_no_photo(path)
    try:
        # "file:" keeps a colon in the name from being read as a protocol; the white list keeps a playlist that
        # pretends to be a video from fetching anything.
        options = {"protocol_whitelist": "file"} | _most_pixels(limits)
        container = av.open(f"file:{path}", options=options, **_METADATA)
    except PermissionError as error:
        raise trouble.unreadable(path) from error
    except (OSError, ValueError, av.FFmpegError) as error:
        raise trouble.not_a_video(path, getattr(error, "strerror", None) or str(error)) from error
    with container:
        kind = container.format.name
        if kind in trouble.TEXT_FORMATS:
            raise trouble.not_a_video(path, "it is a text file")
        if kind.endswith("_pipe") or kind == "image2":
            raise trouble.still_picture(path, kind.removesuffix("_pipe"))
        yield container


def _known_streams(container: Any, path: Path) -> list[Any]:
    streams = [s for s in container.streams.video if not int(s.disposition) & int(av.stream.Disposition.attached_pic)]
    if not streams:
        raise trouble.no_picture_stream(path, has_audio=len(container.streams.audio) > 0)
    known = [s for s in streams if getattr(s, "codec_context", None) is not None]
    if not known:
        raise trouble.no_decoder(path, getattr(streams[0], "codec_tag", None) or "an unknown codec")
    return known


def _frame_counts(container: Any, streams: list[Any]) -> dict[int, int]:
    """Frames of each stream by its index: the header's, else those among the first packets of the file."""
    stated = {s.index: s.frames for s in streams}
    if all(stated.values()):
        return stated
    counts = dict.fromkeys(stated, 0)
    try:
        for packet in _packets(container, streams):
            counts[packet.stream_index] += packet.size > 0
            if max(counts.values()) >= SCAN_PACKETS:
                break
    except av.FFmpegError:
        pass  # the break is reported where it is reached while decoding
    return counts


def _packets(container: Any, streams: Any) -> Iterator[Any]:
    """Read packets on from where the file stands; those of streams that begin within a damaged file are passed over.

    PyAV looks each packet's stream up in the list that it made when the file was opened.
    """
    while True:
        try:
            yield from container.demux(streams)
            return
        except IndexError:
            continue


@dataclass(frozen=True, slots=True)
class PacketScan:
    """What the first packets of a stream say of its timing.

    Attributes
    ----------
    count
        Packets of pictures that are shown, at most `SCAN_PACKETS`.
    complete
        Whether these are all.
    ticks
        Their timestamps that are there, in ticks of the stream's time base.
    stored_order
        Whether timestamps rise from packet to packet although the codec reorders pictures: the container (AVI) has no
        presentation times, and what is called so is the order of storage.
    """

    count: int
    complete: bool
    ticks: tuple[int, ...]
    stored_order: bool


def scan_packets(container: Any, stream: Any) -> PacketScan:
    """Read the timestamps of the first packets without decoding."""
    ticks: list[int] = []
    count, complete = 0, True
    try:
        for packet in _packets(container, stream):
            if packet.size == 0 or packet.is_discard:
                continue
            if count == SCAN_PACKETS:
                complete = False
                break
            count += 1
            if packet.pts is not None:
                ticks.append(packet.pts)
    except av.FFmpegError:
        pass  # the break is reported where it is reached while decoding
    rising = all(b > a for a, b in zip(ticks, ticks[1:], strict=False)) and len(ticks) == count
    return PacketScan(count, complete, tuple(ticks), rising and bool(stream.codec_context.has_b_frames))


@dataclass
class Damage:
    """What went wrong while a stream was decoded.

    Attributes
    ----------
    broken
        Whether decoding ended at a break instead of the end.
    damaged
        Positions, counted in decoded pictures, of pictures that were kept although FFmpeg had to patch them.
    skipped
        Pictures before the first whole one, left out.
    """

    broken: bool = False
    damaged: list[int] = field(default_factory=list)
    skipped: int = 0

    def note(self, position: int, picture: tuple[Any, bool]) -> Any:
        """Write down where a picture was damaged, and return it without the mark."""
        frame, patched = picture
        if patched:
            self.damaged.append(position)
        return frame


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of the order of pictures before they are decoded.

    Attributes
    ----------
    stored
        See `PacketScan.stored_order`.
    gap_ticks
        Ticks from picture to picture; None where most pictures do not keep to one rate.
    """

    stored: bool = False
    gap_ticks: float | None = None


def decode_whole(container: Any, stream: Any, damage: Damage, order: Order) -> Iterator[Any]:
    """Decode in order of presentation, up to the end or the break.

    Damaged pictures with sound ones after them are kept and noted; damaged ones at the end, or more than
    `MAX_DAMAGED` in a row, are the break. Damaged ones before the first sound one (a recording that begins between two
    key frames) are left out. At a break, pictures may have been decoded ahead of B-frames that are lost; so the last
    `REORDERED` are left out too where the codec has B-frames. A hole or a damaged picture among these, at the end of a
    file that does not say that it is cut off, is such a break.
    """
    ready: deque[tuple[Any, bool]] = deque()
    held: list[Any] = []
    failed = position = 0
    started = False
    newest: int | None = None
    for frame in decode_raw(container, stream, damage, order):
        if frame is not None and not frame.is_corrupt:
            ready.extend((patched, True) for patched in held)
            ready.append((frame, failed > 0 and not held))
            held, failed, started = [], 0, True
        elif not started:
            damage.skipped += frame is not None
        elif frame is None:
            failed += 1
        else:
            held.append(frame)
        while len(ready) > (REORDERED if stream.codec_context.has_b_frames else 0):
            newest = ready[0][0].pts
            yield damage.note(position, ready.popleft())
            position += 1
        if len(held) + failed > MAX_DAMAGED:
            break
    damage.broken = damage.broken or bool(held or failed)
    if damage.broken:
        return
    whole = _before_hole(ready, newest, order)
    damage.broken = len(whole) < len(ready)
    for picture in whole:
        yield picture[0]


def _before_hole(ready: deque[tuple[Any, bool]], newest: int | None, order: Order) -> list[tuple[Any, bool]]:
    """Leading pictures up to the first that is damaged or follows a hole in time; all where there is no telling."""
    whole: list[tuple[Any, bool]] = []
    for picture, patched in ready:
        tick = picture.pts
        if patched:
            break
        gap = None if tick is None or newest is None else tick - newest
        if gap is not None and order.gap_ticks is not None and gap > 1.5 * order.gap_ticks:
            break
        whole.append((picture, patched))
        newest = tick
    return whole


def decode_raw(container: Any, stream: Any, damage: Damage, order: Order) -> Iterator[Any]:
    """Decode all pictures; None in place of a packet that fails. A read error sets ``damage.broken`` and ends it.

    Where the order is that of storage, pictures are given the timestamps of their packets in rising order.
    """
    waiting: list[int] = []
    cut = False
    packets = _packets(container, stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            cut, packet = True, None
        last = packet is None or (packet.size == 0 and packet.dts is None)
        if packet is not None and packet.size == 0 and not last:
            continue  # AVI's mark of a dropped frame; a decoder would take it for the end
        # The last packet is marked where the file ends within it.
        cut = cut if packet is None or last else packet.is_corrupt
        damage.broken = damage.broken or (last and cut)
        if order.stored and packet is not None and packet.pts is not None:
            heappush(waiting, packet.pts)
        try:
            # Decoders that work in threads hold some pictures back until the last, empty packet.
            frames = stream.codec_context.decode(packet)
        except av.EOFError:
            frames = []
        except av.FFmpegError:
            yield None
            frames = []
        for frame in frames:
            if order.stored:
                frame.pts = heappop(waiting) if waiting else None
            yield frame
        if last:
            return


def announced_seconds(container: Any, stream: Any) -> float | None:
    """Seconds that the header claims for the video stream; None where it does not say."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    stated = stream.metadata.get("DURATION", "")
    parts = stated.split(":")
    if len(parts) == 3:
        try:
            # Matroska counts it from the beginning of the clock, where sound may be alone for a while.
            alone_s = float((stream.start_time or 0) * stream.time_base)
            return float(int(parts[0]) * 3600 + int(parts[1]) * 60) + float(parts[2]) - alone_s
        except ValueError:
            return None
    if container.duration and len(container.streams) == 1:
        return float(Fraction(container.duration, av.time_base))
    return None
