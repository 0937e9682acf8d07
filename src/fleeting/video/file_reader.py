"""Video files of any container and codec that FFmpeg reads."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.errors import VideoError
from fleeting.labels import counted
from fleeting.records import VideoInfo
from fleeting.settings import LimitSettings
from fleeting.video import trouble
from fleeting.video.decoding import (
    Damage,
    Order,
    PacketScan,
    announced_seconds,
    decode_raw,
    decode_whole,
    moving_streams,
    open_stream,
    scan_packets,
)
from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation
from fleeting.video.packet_table import ONE_FRAME_A_PACKET, PacketTable, read_packets
from fleeting.video.pixels import DecodedPicture, Display
from fleeting.video.sound import Sound, SoundDecoder
from fleeting.video.stream import VideoReader
from fleeting.video.timestamps import Clock, estimate_rate

NO_TICK = -(2**63)
"""In place of a timestamp that is missing: FFmpeg's own number for it."""

MOST_APART_S = 0.1
"""Sound further than this from the pictures would be taken for that of another moment."""

DAMAGED_SOUND = 0.1
"""Share of the sound's packets that may be damaged before the user is told."""

DEFAULT_FPS = 25.0
"""Where neither the header nor the timestamps tell the rate."""


@dataclass(frozen=True, slots=True)
class _Timing:
    fps: float
    variable: bool
    note: str = ""


class FileReader(VideoReader):
    """A video file; see `VideoReader` and `open_video`.

    Raises
    ------
    VideoError
        Where the file holds no video of at least two frames that FFmpeg can decode.
    """

    def __init__(self, path: Path, *, fps: float | None = None, limits: LimitSettings | None = None) -> None:
        super().__init__(path)
        self._limits = limits or LimitSettings()
        self._fps_given = fps
        # The table for random access grows while the video is first read.
        self._ticks, self._times, self._keys = array("q"), array("d"), array("q")
        self._damaged = self._concluded = self._by_packets = self._packets_fail = False
        films = moving_streams(path, limits=self._limits)
        self._index = films[0]
        with self._opened() as (container, stream):
            self._announced_s = announced_seconds(container, stream)
            scan = scan_packets(container, stream)
            if scan.complete and scan.count < 2:
                raise _too_short(path, stream, scan, self._announced_s)
        gap_ticks = estimate_rate(scan.ticks, Fraction(1)).gap_ticks
        self._order = Order(stored=scan.stored_order, gap_ticks=gap_ticks)
        with self._opened() as (container, stream):
            picture = next(self._decode(container, stream, Damage()), None)
            if picture is None:
                raise trouble.nothing_decoded(path, stream.codec_context.name)
            timing = _timing(stream, scan)
            self._display = _display(stream, picture)
            self._orientation = self._display.orientation
            self.info = self._describe(container, stream, picture, timing)
            self._stored_size = (picture.width, picture.height)
        if len(films) > 1:
            self._warn(
                f"{path.name} holds {len(films)} films; stream {self._index} "
                f"({self.info.width} x {self.info.height}) is read. For another one: "
                f"ffmpeg -i {path.name} -map 0:{films[1]} -c copy other.mkv"
            )
        if timing.note and fps is None:
            self._warn(f"{path.name}: {timing.note}")
        if picture.interlaced_frame:
            self._warn(
                f"{path.name} is interlaced: every frame mixes two instants, which looks like motion. "
                "Convert it first: ffmpeg -i in -vf bwdif=1 out.mp4"
            )
        self._gap_s = 1.0 / timing.fps

    def times(self, known: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
        """Return the (n,) seconds of every frame, as `frames` gives them.

        They are read from the packets of the file, without decoding, where these give the `known` times, or where the
        codec is one of `ONE_FRAME_A_PACKET` and the last frames can be decoded; else all frames are decoded.
        """
        if not self._concluded and not self._by_packets:
            with self._opened() as (container, stream):
                codec = stream.codec_context.name
                fails = self._order.stored or self._damaged or self._packets_fail
                table = None if fails else read_packets(container, stream, self._gap_s)
            if table is not None and self._is_sound(table, codec, known):
                self._ticks, self._times, self._keys = table.ticks, table.times, table.keys
                self._by_packets = True
            else:
                for _ in self._stream():
                    pass
        if self._fps_given is not None:
            return np.arange(len(self._times)) / self._fps_given
        return np.array(self._times)

    def key_before(self, index: int) -> int:
        """Return the frame with which decoding begins where frame `index` is asked for."""
        place = bisect_right(self._keys, index) - 1
        return self._keys[place] if place >= 0 and not self._order.stored and not self._damaged else 0

    def _is_sound(self, table: PacketTable, codec: str, known: npt.NDArray[np.float64] | None) -> bool:
        """Whether the packets say what decoding would."""
        if known is not None and self._fps_given is None:
            return len(known) == len(table.times) and np.allclose(table.times, known, rtol=0, atol=0.2 * self._gap_s)
        if codec not in ONE_FRAME_A_PACKET or (known is not None and len(known) != len(table.times)):
            return False
        damage = Damage()
        with self._opened() as (container, stream):
            container.seek(table.ticks[table.keys[-1]], stream=stream, backward=True)
            decoded = [picture.pts for picture in self._decode(container, stream, damage)]
        end = [tick for tick in decoded if tick is not None and tick >= table.ticks[table.keys[-1]]]
        return not (damage.broken or damage.damaged) and end == table.ticks[table.keys[-1] :].tolist()

    def _opened(self) -> AbstractContextManager[tuple[Any, Any]]:
        return open_stream(self.path, index=self._index, limits=self._limits)

    def sound(self) -> Iterator[Sound]:
        """Yield the sound piece by piece, on the clock of the frames, which must have been read.

        Nothing where there is no sound, where the times of the frames were given by the user, or where they are not
        those of the file: then nobody knows when it is heard.
        """
        if self._fps_given is not None or not self._ticks or NO_TICK in (self._ticks[0], self._ticks[-1]):
            return
        decoder = SoundDecoder()
        with self._opened() as (container, stream):
            lasts = float((self._ticks[-1] - self._ticks[0]) * stream.time_base)
            if abs(lasts - self._times[-1]) > MOST_APART_S:
                return
            yield from decoder.pieces(container, origin_s=float(self._ticks[0] * stream.time_base))
        if decoder.damaged > DAMAGED_SOUND * decoder.packets:
            self._warn(
                f"{self.path.name}: its sound is damaged. Where none can be heard, the mouth alone says when a face "
                "speaks."
            )

    def _describe(self, container: Any, stream: Any, picture: Any, timing: _Timing) -> VideoInfo:
        width, height = self._display.orientation.size(self._display.width, self._display.height)
        return VideoInfo(
            path=str(self.path),
            name=self.path.stem,
            container=container.format.name,
            codec=stream.codec_context.name,
            pixel_format=picture.format.name,
            width=width,
            height=height,
            fps=self._fps_given or timing.fps,
            rotation=self._display.orientation.rotation,
            variable_frame_rate=timing.variable and self._fps_given is None,
            frame_count=stream.frames or None,
            duration_s=self._announced_s,
            bit_depth=picture.format.components[0].bits,
        )

    def _decode(self, container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
        return decode_whole(container, stream, damage, self._order)

    def _stream(self) -> Generator[Frame]:
        damage = Damage()
        end_s = 0.0
        with self._opened() as (container, stream):
            clock = Clock(time_base=stream.time_base, gap_s=self._gap_s)
            for index, picture in enumerate(self._decode(container, stream, damage)):
                tick = picture.pts
                time_s = clock.time_s(tick)
                if index == len(self._ticks):
                    self._ticks.append(NO_TICK if tick is None else tick)
                    self._times.append(time_s)
                    if picture.key_frame:
                        self._keys.append(index)
                lasts = float((getattr(picture, "duration", 0) or 0) * stream.time_base)
                end_s = time_s + (lasts or self._gap_s)
                yield self._frame(index, picture)
        self._conclude(damage, clock, end_s)

    def _frame(self, index: int, picture: Any) -> Frame:
        if (picture.width, picture.height) != self._stored_size:
            self._warn(
                f"{self.path.name} changes its picture size within the video; all frames are scaled to "
                f"{self.info.width} x {self.info.height}."
            )
        time_s = self._times[index] if self._fps_given is None else index / self._fps_given
        return Frame(index, time_s, DecodedPicture(picture, replace(self._display, orientation=self._orientation)))

    def _conclude(self, damage: Damage, clock: Clock, end_s: float) -> None:
        """Say what was wrong with the video, now that it was read to its end for the first time."""
        if self._concluded:
            return
        self._concluded = True
        name = self.path.name
        self._damaged = bool(damage.damaged or damage.skipped)
        late_s = max(0.1, 3 * self._gap_s)
        ends_early = self._announced_s is not None and end_s < self._announced_s - late_s
        if damage.broken or ends_early:
            of = f" of {self._announced_s:.2f} s" if self._announced_s else ""
            self._warn(
                f"{name} breaks off at {end_s:.2f} s{of}: it is damaged or was cut off. It was read up to there."
            )
        if damage.damaged:
            self._warn(
                f"{name} is damaged in {counted(len(damage.damaged), 'place')}, the first at "
                f"{self._times[damage.damaged[0]]:.2f} s: motion that is seen there may be false."
            )
        if damage.skipped:
            self._warn(f"{name} begins between two key frames: {damage.skipped} damaged frames were left out.")
        if clock.repaired and self._fps_given is None and self._has_ticks:
            self._warn(
                f"{name}: {clock.repaired} timestamps are missing or do not rise, the first at "
                f"{clock.first_repair_s:.2f} s; they were set from their neighbours."
            )

    @property
    def _has_ticks(self) -> bool:
        return any(tick != NO_TICK for tick in self._ticks)

    def _between(self, first: int, last: int) -> Generator[Frame]:
        self._read_table(last)
        if last >= len(self._ticks):
            raise ValueError(f"Expected frames up to {len(self._ticks) - 1}; got {last}.")
        position = first
        for picture in self._after_key(first):
            tick = NO_TICK if picture.pts is None else picture.pts
            if tick != self._ticks[position] or picture.is_corrupt:
                break
            yield self._frame(position, picture)
            position += 1
            if position > last:
                return
        if self._by_packets:  # they promised more than can be decoded
            self._ticks, self._times, self._keys = array("q"), array("d"), array("q")
            self._by_packets, self._packets_fail = False, True
            yield from self._between(position, last)
            return
        # Seeking led elsewhere, as it does where the index of the file is wrong: count from the beginning.
        with self._opened() as (container, stream):
            for index, picture in enumerate(self._decode(container, stream, Damage())):
                if index > last:
                    return
                if index >= position:
                    yield self._frame(index, picture)

    def _read_table(self, last: int) -> None:
        if last < len(self._ticks) or self._by_packets:
            return
        for frame in self._stream():
            if frame.index >= last:
                return

    def _after_key(self, first: int) -> Iterator[Any]:
        """Yield decoded pictures from frame `first` on, by way of its key frame; none where seeking leads elsewhere."""
        key = bisect_right(self._keys, first) - 1
        start = self._keys[key] if key >= 0 else 0
        ticks = self._ticks[start : first + 1]
        if (
            self._order.stored
            or self._damaged
            or NO_TICK in ticks
            or any(b <= a for a, b in zip(ticks, ticks[1:], strict=False))
        ):
            start = 0
        with self._opened() as (container, stream):
            if start == 0:
                for index, picture in enumerate(self._decode(container, stream, Damage())):
                    if index >= first:
                        yield picture
                return
            container.seek(self._ticks[start], stream=stream, backward=True)
            seen = False
            for picture in decode_raw(container, stream, Damage(), self._order):
                if picture is None:
                    return
                # Earlier pictures may be there: those before the key frame, and those that lead it in an open group.
                seen = seen or picture.pts == self._ticks[first]
                if seen:
                    yield picture
                elif picture.pts is None or picture.pts > self._ticks[first]:
                    return


def _too_short(path: Path, stream: Any, scan: PacketScan, announced_s: float | None) -> VideoError:
    if scan.count == 0:
        return trouble.nothing_decoded(path, stream.codec_context.name)
    if stream.frames > 1 or (not stream.frames and (announced_s or 0.0) > 0.5):
        return trouble.cut_off(path)
    return trouble.still_picture(path, "a video of one frame")


def _timing(stream: Any, scan: PacketScan) -> _Timing:
    """Take the frame rate from the header where the timestamps bear it out, else from the timestamps."""
    average, nominal = (float(rate) if rate else 0.0 for rate in (stream.average_rate, stream.base_rate))
    estimate = estimate_rate(scan.ticks, stream.time_base)
    if estimate.fps is None:
        fps = average or DEFAULT_FPS
        return _Timing(fps, False, f"it holds no timestamps; taken as {fps:g} frames/s. Give the camera's rate: --fps.")
    header = [rate for rate in (average, nominal) if rate]
    measured = estimate.fps
    nearest = min(header, key=lambda rate: abs(rate / measured - 1), default=0.0)
    variable = estimate.variable or (not scan.complete and _varies_later(average, nominal))
    # Timestamps are rounded to ticks, so a header that says nearly the same is the exact one.
    if nearest and abs(nearest / estimate.fps - 1) < 0.005:
        # Beyond the scan of a variable rate, only the header's mean knows.
        return _Timing(average if variable and average else nearest, variable)
    if variable and not scan.complete and average and 0.6 < average / estimate.fps < 1.6:
        return _Timing(average, True)
    if estimate.variable and header:
        return _Timing(estimate.fps, True)
    said = f"the header says {average:g} frames/s" if average else "the header names no frame rate"
    return _Timing(estimate.fps, variable, f"{said}; its timestamps give {estimate.fps:.3f}, which is used.")


def _varies_later(average: float, nominal: float) -> bool:
    """Whether the header's mean rate is not that of most frames; twice as much is what fields or B-frames look like."""
    return bool(average and nominal) and 1.01 < max(average, nominal) / min(average, nominal) < 1.9


def _display(stream: Any, picture: Any) -> Display:
    matrix = picture.side_data.get("DISPLAYMATRIX")
    orientation = Orientation.from_display_matrix(bytes(matrix)) if matrix else Orientation()
    ratio = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    width = picture.width
    if ratio > 0 and abs(ratio - 1) > Fraction(1, 50):
        width = round(picture.width * ratio)
    return Display(width, picture.height, orientation)
