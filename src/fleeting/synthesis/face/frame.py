"""The face's own frame: where the midline is, which way is up, and how long the inter-ocular distance is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError

Points = npt.NDArray[np.floating]
Grid = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """Axes and unit of one face, which turn and grow with it.

    Coordinates in this frame are ``(across, down)`` in inter-ocular distances: *across* runs from the person's right to
    the person's left (from left to right in an unmirrored picture), *down* at a right angle to it from brow to chin.

    Attributes
    ----------
    origin
        (2,) pixel of the midline between the eyes.
    across, down
        (2,) unit vectors in pixels.
    iod
        Inter-ocular distance (outer eye corners, iBUG points 36 and 45) in pixels.
    """

    origin: npt.NDArray[np.float64]
    across: npt.NDArray[np.float64]
    down: npt.NDArray[np.float64]
    iod: float

    def coordinates(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Pixels (..., 2) to coordinates of the face (..., 2) in inter-ocular distances."""
        axes = np.stack([self.across, self.down], axis=1) / self.iod
        return (np.asarray(xy, np.float64) - self.origin) @ axes

    def pixels(self, coordinates: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Coordinates of the face (..., 2) to pixels (..., 2)."""
        return self.origin + self.vector(coordinates)

    def vector(self, coordinates: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Displacements (..., 2) in inter-ocular distances to displacements in pixels."""
        return np.asarray(coordinates, np.float64) @ np.stack([self.across, self.down]) * self.iod


def check_points(points: Points) -> npt.NDArray[np.float64]:
    """Return 68 landmarks as float64.

    Raises
    ------
    InputError
        Where the shape is not (68, 2), a value is not finite, or the eye corners coincide.
    """
    checked = np.asarray(points, np.float64)
    if checked.shape != (68, 2):
        raise InputError("landmarks of shape (68, 2)", f"shape {checked.shape}", "Give the 68 iBUG points as x, y.")
    if not np.isfinite(checked).all() or np.hypot(*(checked[45] - checked[36])) < 1.0:
        raise InputError(
            "68 finite landmarks with separate eye corners",
            "points with NaN, or eye corners that coincide",
            "Check that the landmarks belong to a visible face.",
        )
    return checked


def face_frame(points: Points) -> FaceFrame:
    """Frame of a face from its 68 landmarks, in pixels of the same image."""
    points = check_points(points)
    axis = points[45] - points[36]
    iod = float(np.hypot(*axis))
    across = axis / iod
    # The mean of both eyes' four corners: less noisy than the outer two alone, and on the midline all the same.
    return FaceFrame(points[[36, 39, 42, 45]].mean(axis=0), across, np.array([-across[1], across[0]]), iod)


def pixel_grid(shape: tuple[int, int], *, left: int = 0, top: int = 0) -> Grid:
    """Pixel positions (h, w, 2), x then y, as float32."""
    height, width = shape
    x, y = np.meshgrid(np.arange(left, left + width), np.arange(top, top + height))
    return np.stack([x, y], axis=-1).astype(np.float32)
