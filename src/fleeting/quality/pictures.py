"""Noise, blur, blockiness, exposure and flicker, measured on grey pictures.

Each function measures one thing in stated units; what is good enough is decided in `quality.meter`.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

BLOCK = 16
"""Side of the blocks of `temporal_noise`, in pixels."""

QUARTILE_BIAS = 0.97
"""The first quartile of the standard deviations of blocks of 256 normal values lies 3 % below the true one."""

REBLUR_PX = 1.0
"""Standard deviation of the second blur of `edge_blur`."""

CLIPPED_DARK, CLIPPED_BRIGHT = 2, 253
"""Grey levels up to and from which a pixel counts as clipped; compression moves clipped values by a level or two."""

MAINS_HZ = (50.0, 60.0)
"""Frequencies of power grids; lamps flicker at twice these."""


def temporal_noise(before: Grey, after: Grey) -> float | None:
    """Estimate the standard deviation of the noise of one frame, in grey levels, from two successive frames.

    Where nothing moves, the difference of two frames is noise alone, with sqrt(2) times its standard deviation. The
    first quartile over blocks of 16 x 16 pixels stands for the still ones, so up to three quarters of the picture may
    move; blocks that are nearly black or white show no noise and are left out. What compression removed is not counted:
    it is gone from the motion too.

    Parameters
    ----------
    before, after
        (h, w) uint8.

    Returns
    -------
    float or None
        None where fewer than 8 blocks can be used, or the frames are identical.
    """
    rows, columns = before.shape[0] // BLOCK, before.shape[1] // BLOCK
    if rows * columns < 8:
        return None
    whole = slice(0, rows * BLOCK), slice(0, columns * BLOCK)
    if cv2.norm(before[whole], after[whole], cv2.NORM_INF) == 0:
        return None
    level, middle, squared = np.empty((3, rows, columns), np.float32)
    # Row by row of blocks: small arrays stay in the processor's cache.
    for row in range(rows):
        strip = slice(row * BLOCK, (row + 1) * BLOCK), slice(0, columns * BLOCK)
        first = before[strip].astype(np.float32)
        difference = after[strip] - first
        for means, values in ((level, first), (middle, difference), (squared, difference * difference)):
            # Scaled down by a whole number, each pixel is the mean of a block.
            means[row] = cv2.resize(values, (columns, 1), interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(squared - middle * middle, 0))
    usable = spread[(level > 16) & (level < 240)]
    if usable.size < 8:
        return None
    return float(np.percentile(usable, 25) / np.sqrt(2.0) / QUARTILE_BIAS)


def edge_blur(face: Grey) -> float | None:
    """Estimate the blur of the sharpest edges in a picture: standard deviation in pixels of the Gaussian behind it.

    At a step edge blurred by sigma, a second blur by s lowers the gradient by the ratio
    R = sqrt(sigma^2 + s^2) / sigma, so sigma = s / sqrt(R^2 - 1) (Zhuo and Sim, "Defocus map estimation from a single
    image", Pattern Recognition 44, 2011, equations 4 to 6). The first quartile over edges is taken: lids, iris and lips
    are sharp in life, shadows and cheeks are not.

    Parameters
    ----------
    face
        (h, w) uint8 around a face.

    Returns
    -------
    float or None
        At least about 0.5, the pixel itself. None where there are too few edges.
    """
    # A slight blur against noise, which would pass for sharp edges; it is taken off again at the end.
    calm = _blurred(face.astype(np.float32))
    gradient, again = _gradient(calm), _gradient(_blurred(calm))
    peaks = _thin(calm, gradient)
    if int(peaks.sum()) < 50:
        return None
    # Edges that belong to features: noise alone has as many maxima, but low ones.
    chosen = peaks & (gradient >= max(0.35 * float(np.percentile(gradient[peaks], 99)), 2.0))
    if int(chosen.sum()) < 20:
        return None
    ratio = gradient[chosen] / np.maximum(again[chosen], 1e-6)
    variance = REBLUR_PX**2 / np.maximum(ratio**2 - 1.0, 1e-3)
    return float(np.sqrt(max(np.percentile(variance, 25) - REBLUR_PX**2, 0.25)))


def _blurred(image: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), REBLUR_PX), np.float32)


def _gradient(image: Floats) -> Floats:
    across = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def _thin(image: Floats, gradient: Floats) -> npt.NDArray[np.bool_]:
    """Where the gradient is largest across its edge (along the nearer axis), as in Canny's thinning."""
    across = np.abs(cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3)) > np.abs(cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=3))
    peak = np.zeros(gradient.shape, bool)
    inner = gradient[1:-1, 1:-1]
    beside = (inner >= gradient[1:-1, :-2]) & (inner > gradient[1:-1, 2:])
    above = (inner >= gradient[:-2, 1:-1]) & (inner > gradient[2:, 1:-1])
    peak[1:-1, 1:-1] = np.where(across[1:-1, 1:-1], beside, above)
    return peak


def blockiness(image: Grey) -> float | None:
    """How much neighbouring pixels differ more at the borders of 8 x 8 blocks than elsewhere; 1 is not at all.

    Ratio of the mean absolute difference across block borders to that within blocks (after Wang, Sheikh and Bovik,
    "No-reference perceptual quality assessment of JPEG compressed images", ICIP 2002, equation 1), horizontally and
    vertically, the blockier of the two. The position of the grid is searched, since a turned or cut picture need not
    begin with a block.

    Returns
    -------
    float or None
        None for a picture without any texture or smaller than four blocks.
    """
    if min(image.shape) < 32:
        return None
    worst = 0.0
    across, down = cv2.absdiff(image[:, 1:], image[:, :-1]), cv2.absdiff(image[1:], image[:-1])
    for differences, axis in ((across, 0), (down, 1)):
        steps = cv2.reduce(differences, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() / differences.shape[axis]
        phases = np.array([steps[phase::8].mean() for phase in range(8)])
        best = int(phases.argmax())
        within = float(np.delete(phases, best).mean())
        if within < 0.05:
            return None
        worst = max(worst, float(phases[best]) / within)
    return worst


def clipped_share(image: Grey) -> float:
    """Share of pixels, 0..1, that are black or white to within compression."""
    kept = cv2.countNonZero(cv2.inRange(image, CLIPPED_DARK + 1, CLIPPED_BRIGHT - 1))
    return (image.size - kept) / image.size


def flicker_depth(brightness: npt.NDArray[np.float64], fps: float) -> tuple[float, float] | None:
    """How strongly lamps on a 50 or 60 Hz grid make the picture pulse.

    Lamps flicker at twice the grid's frequency; a camera shows that folded into 0..fps/2. The spectrum of the mean
    brightness (Hann window, 2 s, half overlap, mean over windows) must stand out there by five times over its
    neighbourhood.

    Parameters
    ----------
    brightness
        (n,) mean grey level of every frame, evenly spaced.
    fps
        Frames per second.

    Returns
    -------
    (depth, grid) or None
        Amplitude in percent of the mean brightness (0 where nothing stands out), and the grid in Hz that causes it.
        None where it cannot be seen: less than 2 s, darkness, or a rate that folds both frequencies to below 1 Hz.
    """
    length = round(2 * fps)
    mean = float(brightness.mean()) if brightness.size else 0.0
    if brightness.size < length or length < 32 or mean < 1.0:
        return None
    window = np.hanning(length)
    starts = range(0, brightness.size - length + 1, length // 2)
    pieces = np.stack([brightness[s : s + length] for s in starts])
    pieces = (pieces - pieces.mean(axis=1, keepdims=True)) * window
    # Scaled so that a sinusoid of amplitude 1 on a bin gives 1.
    spectrum = np.sqrt(np.mean(np.abs(np.fft.rfft(pieces, axis=1)) ** 2, axis=0)) * 2.0 / window.sum()
    frequencies = np.fft.rfftfreq(length, 1.0 / fps)
    best: tuple[float, float] | None = None
    for grid in MAINS_HZ:
        folded = abs(2 * grid - round(2 * grid / fps) * fps)
        if folded < 1.0:
            continue
        near = np.abs(frequencies - folded)
        peak = float(spectrum[near <= 0.6].max(initial=0.0))
        around = spectrum[(near > 1.5) & (near <= 6.0) & (frequencies > 0.7)]
        if folded > fps / 2 - 0.6:
            peak /= 2.0  # at half the frame rate both halves of the spectrum fall on one bin
        stands_out = around.size > 0 and peak > 5.0 * float(np.median(around))
        depth = 100.0 * peak / mean if stands_out else 0.0
        if best is None or depth > best[0]:
            best = (depth, grid)
    return best
