"""One movement on a face that moves meanwhile, drawn into grey pictures.

The displacement field is computed once, on the face as it was when the movement began, and carried to each frame by
the similarity of `synthesis.inject.carried`: the same movement as `synthesis.inject.Injection` draws, in less time.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import fit_similarity
from fleeting.synthesis.face.action_units import displacement_field
from fleeting.synthesis.face.frame import Grid, face_frame, pixel_grid
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.warp import sample_field, sample_picture, trace_back
from fleeting.synthesis.inject import carried

Grey = npt.NDArray[np.uint8]

REACH_IOD = 0.7
"""How far beyond the landmarks the skin may move, in inter-ocular distances."""

STILL_PX = 1e-4
MARGIN_PX = 3


class CarriedMovement:
    """A movement, ready to be drawn into the frames during which it lasts.

    Parameters
    ----------
    movement
        An expression.
    points
        (n, 68, 2) landmarks of the face in these frames, pixels.
    times_s
        (n,) seconds of the frames, on the movement's own clock.

    Raises
    ------
    SettingsError
        For a blink, which is no field.
    """

    def __init__(self, movement: Movement, points: npt.NDArray[np.floating], times_s: npt.NDArray[np.float64]) -> None:
        placed = carried(np.asarray(points, np.float64), times_s)
        first = placed[0]
        self._movement, self._times = movement, times_s
        self._matrices = [fit_similarity(first, p, np.ones(len(first))) for p in placed]
        reach = REACH_IOD * face_frame(first).iod
        left, top = np.floor(first.min(axis=0) - reach).astype(int).tolist()
        right, bottom = np.ceil(first.max(axis=0) + reach).astype(int).tolist()
        whole = displacement_field(
            first,
            (bottom - top, right - left),
            movement.activations,
            peak_percent_iod=movement.peak_percent_iod,
            left=left,
            top=top,
        )
        moving = np.argwhere(np.abs(whole).max(axis=-1) > STILL_PX)
        low, high = (moving.min(axis=0), moving.max(axis=0) + 1) if len(moving) else (np.zeros(2, int), np.ones(2, int))
        self._field = np.ascontiguousarray(whole[low[0] : high[0], low[1] : high[1]])
        self._left, self._top = left + int(low[1]), top + int(low[0])

    def field(self, index: int) -> tuple[Grid, int, int]:
        """Displacement in one of the frames, with its left column and top row.

        Returns
        -------
        field
            (h, w, 2) float32 pixels; 0 outside this window.
        left, top
            Pixel of the frame at its first column and row.
        """
        matrix, strength = self._matrices[index], self._movement.profile(float(self._times[index]))
        height, width = self._field.shape[:2]
        x, y = self._left, self._top
        corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]], np.float64)
        there = corners @ matrix[:, :2].T + matrix[:, 2]
        left, top = (np.floor(there.min(axis=0)).astype(int) - MARGIN_PX).tolist()
        right, bottom = (np.ceil(there.max(axis=0)).astype(int) + MARGIN_PX).tolist()
        grid = pixel_grid((bottom - top, right - left), left=left, top=top)
        back = np.asarray(cv2.invertAffineTransform(matrix), np.float32)
        still = sample_field(self._field, np.asarray(cv2.transform(grid, back), np.float32), left=x, top=y)
        turned = cv2.transform(still, np.asarray(strength * matrix[:, :2], np.float32))
        return np.asarray(turned, np.float32), left, top

    def draw(self, picture: Grey, index: int) -> Grey:
        """Return a copy of a grey picture (h, w) uint8, one of the frames, with the movement in it."""
        field, left, top = self.field(index)
        rows = slice(max(top, 0), min(top + field.shape[0], picture.shape[0]))
        columns = slice(max(left, 0), min(left + field.shape[1], picture.shape[1]))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return picture
        grid = pixel_grid((rows.stop - rows.start, columns.stop - columns.start), left=columns.start, top=rows.start)
        source = trace_back(field, grid, left=left, top=top)
        drawn = picture.copy()
        drawn[rows, columns] = np.clip(np.rint(sample_picture(picture, source)), 0, 255).astype(np.uint8)
        return drawn
