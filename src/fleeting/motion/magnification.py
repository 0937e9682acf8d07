"""Motion magnification: small movements of a video, enlarged so that people see them.

Eulerian and phase-based: Wadhwa, Rubinstein, Durand, Freeman, "Riesz pyramids for fast phase-based video
magnification", ICCP 2014, in the setting of Wu et al., "Eulerian video magnification for revealing subtle changes in
the world", SIGGRAPH 2012. Every band of a Laplacian pyramid with its Riesz transform gives the local phase at each
pixel; its change over time is the movement across the local edge. The change is band-passed in time, smoothed in space
by the band's own amplitude, multiplied and put back. Phase moves edges where the linear method of 2012 multiplies
differences, so noise grows less and a factor of 10 leaves no bright halos.

Deviations and readings: the pyramid is OpenCV's (five-tap Gaussian); the Riesz transform is a kernel of 11 x 11 pixels,
and the smoothing solves for the movement that explains the edges of all directions around a pixel. The paper's three
taps and plain average fall short on this pyramid's wide bands and on skin, whose edges have all directions. The filters
in time are of first order; a movement that would shift a band by more than a quarter wave fades out of the enlargement,
since beyond that a picture tears. What comes out is somewhat less than the factor: about four fifths of it on random
texture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

_Image = npt.NDArray[np.float32]

SMALLEST_SIDE = 8
"""Bands of fewer pixels along a side are left as they are: at this scale the whole face moves."""
_SMOOTHING = 2.0  # pixels of each band, standard deviation (the paper's code uses 3 on sharper bands)
_MOST_PHASE = np.float32(0.5 * math.pi)
_RIDGE = np.float32(0.05)  # keeps the movement along a lone edge, which nothing shows, near zero
_KERNEL_SIZE = 11


@lru_cache
def _riesz_kernel() -> _Image:
    """Transfer function -i w_x / |w| as a kernel for correlation along x, by frequency sampling and a Hann window."""
    frequency = np.fft.fftfreq(64)
    x, y = np.meshgrid(frequency, frequency)
    length = np.hypot(x, y)
    length[0, 0] = 1
    response = np.fft.fftshift(np.fft.ifft2(-1j * x / length).real)
    reach = _KERNEL_SIZE // 2
    window = np.hanning(_KERNEL_SIZE + 2)[1:-1]
    kernel = response[32 - reach : 33 + reach, 32 - reach : 33 + reach] * np.outer(window, window) ** 0.5
    return np.ascontiguousarray(kernel[::-1, ::-1], np.float32)


class _LowPass:
    """First-order Butterworth low-pass (bilinear transform), started at rest on its first input."""

    def __init__(self, cut_hz: float, fps: float) -> None:
        warped = math.tan(math.pi * min(cut_hz / fps, 0.499))
        self.gain = warped / (1 + warped)
        self.keep = (1 - warped) / (1 + warped)
        self.before: _Image | None = None
        self.state: _Image | None = None

    def step(self, value: _Image) -> _Image:
        if self.state is None or self.before is None:
            self.state = value
        else:
            self.state = self.keep * self.state + self.gain * (value + self.before)
        self.before = value
        return self.state


class _Band:
    """One band of the pyramid: follows the phase from frame to frame and enlarges its changes."""

    def __init__(self, fps: float, low_hz: float, high_hz: float) -> None:
        self.previous: tuple[_Image, _Image, _Image] | None = None
        self.phase: _Image | None = None
        self.high = _LowPass(high_hz, fps) if high_hz < fps / 2 else None
        self.low = _LowPass(low_hz, fps) if low_hz > 0 else None

    def step(self, band: _Image, gain: float) -> _Image:
        across = cv2.filter2D(band, cv2.CV_32F, _riesz_kernel(), borderType=cv2.BORDER_REFLECT)
        down = cv2.filter2D(band, cv2.CV_32F, _riesz_kernel().T, borderType=cv2.BORDER_REFLECT)
        now = (band, np.asarray(across, np.float32), np.asarray(down, np.float32))
        change, amplitude = _phase_change(now, self.previous or now)
        self.previous = now
        # The accumulated phase, as its two components along x and y: (h, w, 2) radians.
        self.phase = change if self.phase is None else self.phase + change
        passed = self.phase if self.high is None else self.high.step(self.phase)
        if self.low is not None:
            passed = passed - self.low.step(self.phase)
        return _shifted(now, _smoothed(passed, amplitude, now[1], now[2]) * np.float32(gain))


def _phase_change(now: tuple[_Image, _Image, _Image], before: tuple[_Image, _Image, _Image]) -> tuple[_Image, _Image]:
    # The quaternion product now * conj(before), its angle times its direction, and the local amplitude.
    real = now[0] * before[0] + now[1] * before[1] + now[2] * before[2]
    x = now[1] * before[0] - now[0] * before[1]
    y = now[2] * before[0] - now[0] * before[2]
    turn = np.sqrt(x * x + y * y)
    angle = np.arctan2(turn, real) / np.maximum(turn, 1e-12)
    amplitude = now[0] * now[0] + now[1] * now[1] + now[2] * now[2]
    return np.stack([angle * x, angle * y], -1).astype(np.float32), amplitude.astype(np.float32)


def _smoothed(phase: _Image, amplitude: _Image, across: _Image, down: _Image) -> _Image:
    # An edge shows only the movement across itself: p = n (n . m) for a movement m (in radians of this band) and the
    # edge's direction n. So the mean of p around a pixel is N m with N the mean of n n^T, and m is found by solving for
    # it; the plain mean would lose half of every movement of a texture that has edges of all directions.
    weighted = cv2.GaussianBlur(phase * amplitude[..., None], (0, 0), _SMOOTHING)
    mean = weighted / (cv2.GaussianBlur(amplitude, (0, 0), _SMOOTHING) + np.float32(1e-6))[..., None]
    xx, xy, yy = (cv2.GaussianBlur(e, (0, 0), _SMOOTHING) for e in (across * across, across * down, down * down))
    trace = xx + yy + np.float32(1e-6)
    xx, xy, yy = xx / trace + _RIDGE, xy / trace, yy / trace + _RIDGE
    determinant = xx * yy - xy * xy
    x, y = mean[..., 0], mean[..., 1]
    return np.stack([(yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant], -1).astype(np.float32)


def _shifted(now: tuple[_Image, _Image, _Image], phase: _Image) -> _Image:
    size = np.sqrt(phase[..., 0] ** 2 + phase[..., 1] ** 2)
    # Up to a quarter wave a band can be moved; a larger movement fades out of the enlargement instead of tearing the
    # picture, so that a turning head or a laugh is shown nearly as it is.
    limited = np.minimum(size, _MOST_PHASE**2 / np.maximum(size, 1e-6))
    sine = np.sin(limited) / np.maximum(size, 1e-12)
    return np.asarray(np.cos(limited) * now[0] - sine * (phase[..., 0] * now[1] + phase[..., 1] * now[2]), np.float32)


class Magnifier:
    """Enlarges movements frame by frame; memory does not grow with the length of the video.

    Parameters
    ----------
    fps
        Frames per second.
    factor
        How many times larger a movement gets: 1 changes nothing.
    low_hz, high_hz
        Band of the movements that are enlarged. With ``low_hz`` 0 they count against the first frame, slow ones too. A
        ``high_hz`` of half the frame rate or more lets all fast ones through, noise included.

    Raises
    ------
    InputError
        Where the frame rate, factor or band make no sense.
    """

    def __init__(self, fps: float, *, factor: float, low_hz: float, high_hz: float) -> None:
        if not (fps > 0 and factor >= 1 and 0 <= low_hz < high_hz):
            raise InputError(
                "fps > 0, factor >= 1 and 0 <= low_hz < high_hz",
                f"fps {fps}, factor {factor}, band {low_hz} to {high_hz} Hz",
                "Facial movements lie between 0.5 and 10 Hz.",
            )
        if low_hz >= fps / 2:
            raise InputError(
                f"a band that {fps:g} frames/s can show (below {fps / 2:g} Hz)",
                f"{low_hz:g} to {high_hz:g} Hz",
                "Lower the band.",
            )
        self._gain = factor - 1
        self._band = (fps, low_hz, high_hz)
        self._bands: list[_Band] = []
        self._shape: tuple[int, ...] | None = None

    def step(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the next frame with its movements enlarged.

        Parameters
        ----------
        frame
            (h, w) grey or (h, w, 3) RGB, uint8, of the same shape every time. Of colour pictures the brightness moves
            and the colour stays.

        Raises
        ------
        InputError
            Where the shape changes or is no picture's.
        """
        if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or min(frame.shape[:2]) < SMALLEST_SIDE:
            raise InputError(
                f"uint8 pictures (h, w) or (h, w, 3), each side at least {SMALLEST_SIDE} px",
                f"{frame.dtype} {frame.shape}",
                "Convert the frame.",
            )
        if self._shape not in (None, frame.shape):
            raise InputError(f"frames of shape {self._shape}", f"{frame.shape}", "Start a new Magnifier per video.")
        self._shape = frame.shape
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        moved = self._enlarged(grey.astype(np.float32))
        if frame.ndim == 2:
            return _to_uint8(moved)
        # The same difference on all three channels changes the brightness alone.
        return _to_uint8(frame.astype(np.float32) + (moved - grey)[..., None])

    def _enlarged(self, grey: _Image) -> _Image:
        pyramid: list[_Image] = []
        low: npt.NDArray[Any] = grey
        while min(low.shape) >= 2 * SMALLEST_SIDE or not pyramid:
            smaller = cv2.pyrDown(low)
            pyramid.append(np.asarray(low - cv2.pyrUp(smaller, dstsize=low.shape[1::-1]), np.float32))
            low = smaller
        if not self._bands:
            self._bands = [_Band(*self._band) for _ in pyramid]
        bands = [band.step(picture, self._gain) for band, picture in zip(self._bands, pyramid, strict=True)]
        for picture in reversed(bands):
            low = cv2.pyrUp(low, dstsize=picture.shape[1::-1]) + picture
        return np.asarray(low, np.float32)


def _to_uint8(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def magnify_stream(
    frames: Iterable[npt.NDArray[np.uint8]], fps: float, *, factor: float, low_hz: float, high_hz: float
) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield frames with their movements enlarged, one at a time; see `Magnifier`."""
    magnifier = Magnifier(fps, factor=factor, low_hz=low_hz, high_hz=high_hz)
    for frame in frames:
        yield magnifier.step(frame)


def magnify(
    frames: npt.NDArray[np.uint8], fps: float, *, factor: float, low_hz: float = 0.0, high_hz: float = 10.0
) -> npt.NDArray[np.uint8]:
    """Return a short clip with its movements enlarged.

    Parameters
    ----------
    frames
        (t, h, w) or (t, h, w, 3) uint8. With ``low_hz`` 0 movements count against the first frame, so let the clip
        begin at rest (the onset).
    fps, factor, low_hz, high_hz
        As for `Magnifier`.

    Raises
    ------
    InputError
        As `Magnifier`; and for an empty clip.
    """
    if len(frames) == 0:
        raise InputError("a clip of at least 1 frame", "none", "Check where the clip was cut.")
    return np.stack(list(magnify_stream(frames, fps, factor=factor, low_hz=low_hz, high_hz=high_hz)))
