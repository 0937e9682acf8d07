"""Writing dense flow: as an array, in the Middlebury format, as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError
from fleeting.files import make_folder, write_bytes

Flow = npt.NDArray[np.float32]

FLO_MAGIC = 202021.25
"""First number of a ``.flo`` file, ``PIEH`` as text."""

LEAST_SCALE_PX = 0.05
"""A picture's full colour stands for at least this length, so that noise alone does not look like a movement."""


def write_flow(path: str | Path, flow: Flow) -> list[Path]:
    """Write a flow as ``NAME.npz``, ``NAME.flo`` and ``NAME.png``.

    Parameters
    ----------
    path
        One of the three, or without suffix.
    flow
        (h, w, 2) float32: u, then v, in pixels.

    Returns
    -------
    list of Path
        The array file (``flow``, as given), the Middlebury file, and the picture (`flow_picture`).

    Raises
    ------
    InputError
        For a flow of another shape, or another suffix.
    OutputError
        Where the disk refuses.
    """
    path = Path(path)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise InputError("a flow (h, w, 2)", f"shape {flow.shape}", "Pass the output of dense_flow.")
    if path.suffix not in ("", ".npz", ".flo", ".png"):
        raise InputError("a name that ends in .npz", f"'{path.name}'", "All three files are written beside each other.")
    make_folder(path.parent)
    stem = path.with_suffix("")
    _, picture = cv2.imencode(".png", flow_picture(flow)[..., ::-1])
    contents = {".npz": _npz(flow), ".flo": to_flo(flow), ".png": picture.tobytes()}
    return [write_bytes(stem.with_name(stem.name + suffix), content) for suffix, content in contents.items()]


def _npz(flow: Flow) -> bytes:
    import io

    file = io.BytesIO()
    np.savez_compressed(file, flow=flow.astype(np.float32))
    return file.getvalue()


def to_flo(flow: Flow) -> bytes:
    """Flow in the format of the Middlebury benchmark: a magic number, width, height, then u and v by turns, rows first.

    S. Baker et al., "A database and evaluation methodology for optical flow", IJCV 92(1), 2011; little-endian.
    """
    height, width = flow.shape[:2]
    head = np.array([FLO_MAGIC], "<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    return head + np.ascontiguousarray(flow, "<f4").tobytes()


def from_flo(content: bytes) -> Flow:
    """Flow (h, w, 2) of a ``.flo`` file's content.

    Raises
    ------
    InputError
        Where it is none, or is cut off.
    """
    if len(content) < 12 or np.frombuffer(content[:4], "<f4")[0] != np.float32(FLO_MAGIC):
        raise InputError("a .flo file", "other content", "Such files begin with PIEH.")
    width, height = (int(n) for n in np.frombuffer(content[4:12], "<i4"))
    if len(content) != 12 + 8 * width * height:
        raise InputError(f"{width} x {height} vectors", f"{len(content) - 12} bytes", "The file is damaged.")
    return np.frombuffer(content[12:], "<f4").reshape(height, width, 2).astype(np.float32)


def flow_picture(flow: Flow, *, scale_px: float | None = None) -> npt.NDArray[np.uint8]:
    """Flow as colours: the hue is the direction (right red, down yellow-green, left cyan, up violet), white is rest.

    Parameters
    ----------
    flow
        (h, w, 2).
    scale_px
        Length in pixels of full colour; where None the 99th percentile of the lengths, and `LEAST_SCALE_PX` at least.

    Returns
    -------
    (h, w, 3) uint8 RGB
    """
    length = np.hypot(flow[..., 0], flow[..., 1])
    scale = max(float(np.percentile(length, 99)), LEAST_SCALE_PX) if scale_px is None else scale_px
    hue = (np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360).astype(np.float32)
    saturation = np.clip(length / scale, 0, 1).astype(np.float32)
    colour = cv2.cvtColor(np.stack([hue, saturation, np.ones_like(hue)], -1), cv2.COLOR_HSV2RGB)
    return np.asarray(np.rint(255 * colour), np.uint8)
