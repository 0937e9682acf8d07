"""Real motion on another face: from a published flow image to the displacement field of a crop.

The flow images of the MEGC 2019 composite set are the only motion of real micro-expressions that is free. Each is the
flow from onset to apex, with strain, v and u each stretched to 0..255 by itself (`motion.flow_image`), so three things
are lost, and put back here:

- the zero of u and v: the median of the channel, since most of a face does not move;
- the size of u against that of v: the ratio whose optical strain looks most like the strain that was published
  (`motion.image_directions.axis_ratio`);
- the size of both: not recoverable; the caller gives the peak displacement, of which 1 to 3 pixels of a crop of 112
  pixels are plausible (1.2 to 3.6 % of the inter-ocular distance).

The field is that of a measured flow with its errors: what a sequence drawn from it shows is a real pattern of motion on
another face, at an assumed size, with an assumed course over time, and no more than that.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.faces.align import crop_size
from fleeting.motion.flow_image import SIZE
from fleeting.motion.image_directions import centred_flow
from fleeting.synthesis.face.frame import Grid

SMOOTHING = 0.7
"""Standard deviation, in pixels of the flow image, of the smoothing of u and v: their errors change from pixel to
pixel, and a field that changes by its own length from one pixel to the next would fold."""

MOST = 1.25
"""Displacements are cut off at so many times the peak."""

BORDER = 2.0
"""Pixels of the flow image over which the field fades to 0 at the crop's border, where flow is least reliable."""

MOST_GRADIENT = 0.9
"""Largest change of the displacement per pixel of the crop; where the field would change more, it is made smaller as a
whole: beyond 1 the skin would fold."""


def motion_field(image: npt.NDArray[np.uint8], *, peak_px: float, width: int = 112) -> Grid:
    """Return the displacement field of a flow image.

    Parameters
    ----------
    image
        (28, 28, 3) uint8, channels strain, v, u.
    peak_px
        98th percentile of the displacement's length, in pixels of the crop. A field that would fold gets less.
    width
        Of the crop in pixels.

    Returns
    -------
    (h, w, 2) float32
        Pixels of the canonical crop, x then y, onset -> apex; all 0 for an image without motion.

    Raises
    ------
    InputError
        For another shape or type, or a peak below 0.
    """
    flow = centred_flow(image)
    if not 0 <= peak_px < np.inf:
        raise InputError("a peak of 0 or more pixels", f"{peak_px}", "Give peak_px.")
    flow = cv2.GaussianBlur(flow, (0, 0), SMOOTHING) * _fading()[..., None]
    length = np.linalg.norm(flow, axis=2)
    strongest = float(np.percentile(length, 98))
    height = crop_size(width)[0]
    if strongest < 1e-6 or peak_px == 0:
        return np.zeros((height, width, 2), np.float32)
    flow *= (peak_px / strongest * np.minimum(1, MOST * strongest / np.maximum(length, 1e-9)))[..., None]
    axes = [cv2.resize(flow[..., i], (width, height), interpolation=cv2.INTER_CUBIC) for i in (0, 1)]
    field = np.stack(axes, axis=-1).astype(np.float32)
    return np.asarray(field * min(1.0, MOST_GRADIENT / max(_steepest(field), 1e-9)), np.float32)


def _steepest(field: Grid) -> float:
    """Largest Frobenius norm of the change from a pixel to the next ones, which bounds the change in any direction."""
    across, down = np.diff(field, axis=1)[:-1], np.diff(field, axis=0)[:, :-1]
    return float(np.sqrt((across**2 + down**2).sum(axis=2)).max())


def _fading() -> npt.NDArray[np.float32]:
    """Weight (28, 28): 0 at the border, 1 from `BORDER` pixels inside."""
    place = np.arange(SIZE) + 0.5
    edge = np.clip(np.minimum(place, SIZE - place) / BORDER, 0, 1)
    smooth = edge * edge * (3 - 2 * edge)
    return np.asarray(np.outer(smooth, smooth), np.float32)
