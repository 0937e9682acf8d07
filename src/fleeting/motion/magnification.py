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
_ARCTAN = tuple(map(np.float32, (0.0208351, -0.0851330, 0.1801410, -0.3302995, 0.9998660)))


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
            mean = value + self.before
            mean *= self.gain
            mean += self.keep * self.state
            self.state = mean
        self.before = value
        return self.state


class _Band:
    """One band of the pyramid: follows the phase from frame to frame and enlarges its changes."""

    def __init__(self, fps: float, low_hz: float, high_hz: float) -> None:
        self.previous: tuple[_Image, _Image, _Image] | None = None
        self.phase: _Image | None = None
        self.room: _Image | None = None
        self.high = _LowPass(high_hz, fps) if high_hz < fps / 2 else None
        self.low = _LowPass(low_hz, fps) if low_hz > 0 else None

    def step(self, band: _Image, gain: float) -> _Image:
        across = cv2.filter2D(band, cv2.CV_32F, _riesz_kernel(), borderType=cv2.BORDER_REFLECT)
        down = cv2.filter2D(band, cv2.CV_32F, _riesz_kernel().T, borderType=cv2.BORDER_REFLECT)
        now = (band, np.asarray(across, np.float32), np.asarray(down, np.float32))
        if self.room is None:
            self.room = np.empty((5, *band.shape), np.float32)
        change, amplitude = _phase_change(now, self.previous or now, self.room)
        self.previous = now
        # The accumulated phase, as its two components along x and y: (h, w, 2) radians.
        self.phase = change if self.phase is None else self.phase + change
        passed = self.phase if self.high is None else self.high.step(self.phase)
        if self.low is not None:
            passed = passed - self.low.step(self.phase)
        return _shifted(now, _movement(passed, amplitude, now[1], now[2]) * np.float32(gain))


def _phase_change(
    now: tuple[_Image, _Image, _Image], before: tuple[_Image, _Image, _Image], room: _Image
) -> tuple[_Image, _Image]:
    """Return the change of phase (h, w, 2) and the local amplitude; `room` (5, h, w) is written over.

    Room that is kept saves a third of the time: what is freed between two frames goes back to the system each time.
    """
    real, x, y, squared, spare = room
    # The quaternion product now * conj(before), its angle times its direction.
    _sum(now[0], before[0], now[1], before[1], out=real, spare=spare)
    np.multiply(now[2], before[2], out=spare)
    real += spare
    _sum(now[1], before[0], now[0], before[1], out=x, spare=spare, sign=-1)
    _sum(now[2], before[0], now[0], before[2], out=y, spare=spare, sign=-1)
    _sum(x, x, y, y, out=squared, spare=spare)
    ratio = _angle_over_sine(squared, real, spare)
    x *= ratio
    y *= ratio
    _sum(now[0], now[0], now[1], now[1], out=real, spare=spare)
    np.multiply(now[2], now[2], out=spare)
    return np.asarray(cv2.merge([x, y]), np.float32), real + spare


def _sum(a: _Image, b: _Image, c: _Image, d: _Image, *, out: _Image, spare: _Image, sign: int = 1) -> None:
    """Write a b + c d, or a b - c d, into `out`."""
    np.multiply(a, b, out=out)
    np.multiply(c, d, out=spare)
    (np.add if sign > 0 else np.subtract)(out, spare, out=out)


def _angle_over_sine(squared: _Image, x: _Image, spare: _Image) -> _Image:
    """Return the angle, 0..pi, of (x, y) over y, for y >= 0 given squared; numpy's arctangent takes far longer.

    Writes over all it is given. Halved twice, the angle lies within 0..pi/4: tan(a / 2) = y / (hypot(x, y) + x).
    """
    np.multiply(x, x, out=spare)
    spare += squared
    np.sqrt(spare, out=spare)
    x += spare
    np.multiply(x, x, out=spare)
    spare += squared
    np.sqrt(spare, out=spare)
    x += spare
    np.maximum(x, np.float32(1e-30), out=x)
    np.divide(np.float32(1), x, out=x)
    squared *= x
    squared *= x
    # Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 4.4.49.
    np.multiply(squared, _ARCTAN[0], out=spare)
    for coefficient in _ARCTAN[1:-1]:
        spare += coefficient
        spare *= squared
    spare += _ARCTAN[-1]
    spare *= x
    spare *= np.float32(4)
    return spare


def _movement(phase: _Image, amplitude: _Image, across: _Image, down: _Image) -> _Image:
    """Return the movement (h, w, 2) around each pixel, in radians of the band; h and w are half the band's."""
    # An edge shows only the movement across itself: p = n (n . m) for a movement m (in radians of this band) and the
    # edge's direction n. So the mean of p around a pixel is N m with N the mean of n n^T, and m is found by solving for
    # it; the plain mean would lose half of every movement of a texture that has edges of all directions.
    # Means over several pixels need not be known at each.
    half = (-(-amplitude.shape[1] // 2), -(-amplitude.shape[0] // 2))
    moved = (phase[..., 0] * amplitude, phase[..., 1] * amplitude, amplitude)
    values = (*moved, across * across, across * down, down * down)
    x, y, size, xx, xy, yy = (
        cv2.GaussianBlur(cv2.resize(v, half, interpolation=cv2.INTER_AREA), (0, 0), _SMOOTHING / 2) for v in values
    )
    trace = 1 / (xx + yy + np.float32(1e-6))
    xx, xy, yy = xx * trace + _RIDGE, xy * trace, yy * trace + _RIDGE
    share = 1 / ((xx * yy - xy * xy) * (size + np.float32(1e-6)))
    return np.asarray(cv2.merge([(yy * x - xy * y) * share, (xx * y - xy * x) * share]), np.float32)


def _shifted(now: tuple[_Image, _Image, _Image], phase: _Image) -> _Image:
    """Move a band by a phase that is known at half its size."""
    size = np.sqrt(phase[..., 0] ** 2 + phase[..., 1] ** 2)
    # Up to a quarter wave a band can be moved; a larger movement fades out of the enlargement instead of tearing the
    # picture, so that a turning head or a laugh is shown nearly as it is.
    limited = np.minimum(size, _MOST_PHASE**2 / np.maximum(size, np.float32(1e-6)))
    sine = np.sin(limited) / np.maximum(size, np.float32(1e-12))
    turned = cv2.merge([np.cos(limited), sine * phase[..., 0], sine * phase[..., 1]])
    cosine, x, y = cv2.split(cv2.resize(turned, now[0].shape[::-1], interpolation=cv2.INTER_LINEAR))
    return np.asarray(cosine * now[0] - (x * now[1] + y * now[2]), np.float32)


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
        brighter = np.rint(moved - grey).astype(np.int16)
        return np.asarray(cv2.add(frame, cv2.merge([brighter] * 3), dtype=cv2.CV_8U), np.uint8)

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
