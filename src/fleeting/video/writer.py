"""Writing videos and folders of numbered pictures, whole or not at all.

For exact pictures: ``codec="ffv1"`` in ``.mkv`` keeps every value of RGB (``pixel_format="bgr0"``) and of grey
(``"gray"``) pictures; so does `ImageFolderWriter`. ``libx264`` with ``crf=0`` and ``pixel_format="gray"`` keeps grey
pictures.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import OutputError
from fleeting.files import atomic_path, make_folder, output_error
from fleeting.video.frame_rate import exact_rate

CRF_CODECS = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libsvtav1": 24}
"""Encoders with a constant-rate factor, and its default: visually without loss."""

PIXEL_FORMATS = {"ffv1": "bgr0", "png": "rgb24", "gif": "rgb8", "mjpeg": "yuvj420p"}
"""Default pixel format by encoder where it is not ``yuv420p``."""

FINE_TIME_BASE = Fraction(1, 90_000)
"""Time base (seconds a tick) of videos that are written with a time for each frame."""

ENCODER_THREADS = 4
"""Fixed, since x264's output depends on the number of threads and must not depend on the machine."""

_AVX_512F = 13
"""OpenCV's number of that instruction set (``cv::CPU_AVX_512F``; the Python package has no name for it)."""

Picture = npt.NDArray[np.uint8]


def repeatable_x264() -> dict[str, str]:
    """Options with which x264 writes the same bytes for the same pictures.

    Its code for AVX-512 does not (core 165, small pictures above all: four files in 300 encodings of 16 pictures of
    96 x 128), its code for AVX2 does; elsewhere x264 chooses for itself.
    """
    return {"x264-params": "asm=AVX2"} if cv2.checkHardwareSupport(_AVX_512F) else {}


class VideoWriter:
    """Encode pictures to a video file; use as a context manager.

    The file appears under its name when the block ends well. Where the block raises, nothing is left behind.

    Parameters
    ----------
    path
        Its suffix chooses the container.
    fps
        Frames per second; 29.97 means 30000/1001 (`exact_rate`).
    size
        Width and height in pixels.
    codec
        FFmpeg's name of an encoder.
    crf
        Constant-rate factor for the encoders that have one (`CRF_CODECS`), lower is better; 0 of ``libx264`` loses
        nothing of the pixel format.
    preset
        Speed against size, for the encoders that have it; None is the encoder's own choice.
    pixel_format
        FFmpeg's name; None takes what suits the encoder. YUV is written as limited-range BT.709 and labelled so.

    Raises
    ------
    OutputError
        Where the encoder is not there, the container cannot hold it, or the disk refuses.
    ValueError
        For a frame rate or a size that is not positive, or an odd size in a format with halved colour.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float | Fraction,
        size: tuple[int, int],
        codec: str = "libx264",
        crf: float | None = None,
        preset: str | None = None,
        pixel_format: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.rate = exact_rate(fps)
        self.width, self.height = size
        self.pixel_format = pixel_format or PIXEL_FORMATS.get(codec, "yuv420p")
        self.frame_count = 0
        self._codec, self._crf, self._preset = codec, crf, preset
        self._timed: bool | None = None
        self._last_tick = -1
        self._stack = ExitStack()
        self._container: Any = None
        self._stream: Any = None
        if min(size) < 1:
            raise ValueError(f"Expected a positive size; got {self.width} x {self.height}.")
        if "420" in self.pixel_format and (self.width % 2 or self.height % 2):
            raise ValueError(
                f"Expected even width and height for {self.pixel_format}; got {self.width} x {self.height}. "
                "Crop by a pixel, or choose pixel_format='yuv444p'."
            )

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        try:
            self._open()
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _open(self) -> None:
        try:
            # "file:" keeps a colon or a percent sign in the name from being read as a protocol or a pattern.
            self._container = self._stack.enter_context(av.open(f"file:{self._temporary}", "w"))
            self._stream = self._container.add_stream(self._codec, rate=self.rate, options=self._options())
        except OSError as error:
            raise output_error(self.path, error) from error
        except ValueError as error:  # PyAV's errors for an unknown encoder, container or mixture of the two
            raise OutputError(
                f"an encoder and a container that fit for {self.path.name}",
                f"'{self._codec}' in '{self.path.suffix}' ({error})",
                "Use .mp4 with libx264, or .mkv with ffv1.",
            ) from error
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width, self.height, self.pixel_format
        context = self._stream.codec_context
        context.thread_count = ENCODER_THREADS
        if self._is_yuv:
            context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
            context.color_range = 1  # limited
        else:
            context.color_range = 2  # full

    def _options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        if self._codec in CRF_CODECS:
            options["crf"] = str(CRF_CODECS[self._codec] if self._crf is None else self._crf)
        elif self._crf is not None:
            raise ValueError(f"the encoder '{self._codec}' has no constant-rate factor")
        if self._preset is not None:
            options["preset"] = self._preset
        if self._codec == "libx264":
            options |= repeatable_x264()
        if self._codec == "libvpx-vp9":
            options["b"] = "0"
        if self._codec == "libx265":
            options["x265-params"] = "log-level=none"
        return options

    @property
    def _is_yuv(self) -> bool:
        return self.pixel_format.startswith("yuv") and not self.pixel_format.startswith("yuvj")

    def write(self, image: Picture, *, time_s: float | None = None) -> None:
        """Append one picture.

        Parameters
        ----------
        image
            (h, w, 3) RGB or (h, w) grey, uint8, of the writer's size.
        time_s
            Seconds of its presentation, later than the one before (steps of 1/90000 s; what the container stores may
            be coarser). None places it one frame after the last. Give it for every picture or for none.

        Raises
        ------
        OutputError
            Where the disk refuses.
        ValueError
            For a picture of another shape or type, or times that do not rise.
        """
        frame = self._frame(image)
        frame.pts, frame.time_base = self._tick(time_s)
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except OSError as error:
            raise output_error(self.path, error) from error
        self.frame_count += 1

    def _tick(self, time_s: float | None) -> tuple[int, Fraction]:
        if self._timed is None:
            self._timed = time_s is not None
            self._stream.codec_context.time_base = FINE_TIME_BASE if self._timed else 1 / self.rate
        if self._timed != (time_s is not None):
            raise ValueError("Expected a time for every picture or for none; got a mixture.")
        if time_s is None:
            return self.frame_count, 1 / self.rate
        tick = round(time_s / FINE_TIME_BASE)
        if tick <= self._last_tick:
            raise ValueError(f"Expected times that rise; got {time_s} s after {float(self._last_tick / 90_000)} s.")
        self._last_tick = tick
        return tick, FINE_TIME_BASE

    def _frame(self, image: Picture) -> Any:
        if image.dtype != np.uint8 or image.shape not in ((self.height, self.width), (self.height, self.width, 3)):
            raise ValueError(
                f"Expected a uint8 picture of {self.height} x {self.width} (height x width), grey or RGB; "
                f"got {image.dtype} of shape {image.shape}."
            )
        if image.ndim == 2 and self.pixel_format != "gray":
            # FFmpeg's conversions disagree on whether plain grey is of full range; RGB leaves no doubt.
            image = np.repeat(image[:, :, None], 3, axis=2)
        image = np.ascontiguousarray(image)
        frame = av.VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else "rgb24")
        if frame.format.name == self.pixel_format:
            return frame
        if self._is_yuv:
            # By BT.709 as labelled; FFmpeg would take BT.601 unasked.
            converted = frame.reformat(format=self.pixel_format, dst_colorspace=1, src_color_range=2, dst_color_range=1)
            converted.colorspace, converted.color_range = 1, 1
            return converted
        return frame.reformat(format=self.pixel_format)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._finish()
            except BaseException as late:
                self._stack.__exit__(type(late), late, late.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self.frame_count == 0:
            raise ValueError(f"Expected at least one picture for {self.path.name}; got none.")
        try:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
            self._container.close()
        except OSError as error:
            raise output_error(self.path, error) from error


class ImageFolderWriter:
    """Write pictures as ``frame_000000.png`` and so on in a folder; use as a context manager.

    The folder appears under its name when the block ends well, in place of one that is there and that holds nothing
    but pictures of this naming.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    OutputError
        Where the disk refuses, or the folder holds other things.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.frame_count = 0
        self._temporary = self.path.with_name(f".fleeting-{self.path.name}.part")

    def __enter__(self) -> Self:
        others = [p.name for p in self.path.iterdir() if not p.match("frame_*.png")] if self.path.is_dir() else []
        if others:
            raise OutputError(f"an empty folder {self.path}", f"one that holds {others[0]}", "Choose another folder.")
        shutil.rmtree(self._temporary, ignore_errors=True)
        make_folder(self._temporary)
        return self

    def write(self, image: Picture) -> None:
        """Append one picture, (h, w, 3) RGB or (h, w) grey, uint8 (png keeps every value).

        Raises
        ------
        OutputError
            Where the disk refuses.
        """
        stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
        done, data = cv2.imencode(".png", stored)
        if not done:
            raise ValueError(f"Expected a picture that png can hold; got {image.dtype} of shape {image.shape}.")
        try:
            (self._temporary / f"frame_{self.frame_count:06d}.png").write_bytes(data.tobytes())
        except OSError as error:
            raise output_error(self.path, error) from error
        self.frame_count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                shutil.rmtree(self.path, ignore_errors=True)
                self._temporary.rename(self.path)
            except OSError as late:
                raise output_error(self.path, late) from late
            return
        shutil.rmtree(self._temporary, ignore_errors=True)
