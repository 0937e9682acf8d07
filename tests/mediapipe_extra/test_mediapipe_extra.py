"""Run by scripts/test-mediapipe in an environment of its own, since mediapipe replaces the headless OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="the extra 'mediapipe' is tested in an environment of its own")
data = pytest.importorskip("skimage.data", reason="the portrait comes with the extra 'demo'")

import cv2  # noqa: E402
from guard import can_trace, guarded  # noqa: E402

from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module")
def landmarker() -> Iterator[MediaPipeLandmarker]:
    landmarker = MediaPipeLandmarker()
    yield landmarker
    landmarker.close()


def test_the_astronaut_is_found(landmarker: MediaPipeLandmarker, grey: np.ndarray) -> None:
    ((box, seen),) = landmarker(grey)
    assert 170 < box.x < 200
    assert seen.points.shape == (68, 2)
    eyes = seen.points[36:48].mean(axis=0)
    mouth = seen.points[48:].mean(axis=0)
    assert mouth[1] - eyes[1] > 0.4 * seen.iod
    assert (seen.eye_opening > 0.15).all()
    assert np.abs(seen.pose).max() < 30


def test_the_two_networks_agree(landmarker: MediaPipeLandmarker, grey: np.ndarray) -> None:
    from fleeting.faces.detect import FaceDetector

    ((_, theirs),) = landmarker(grey)
    _, ours = FaceDetector()(grey)[0]
    inner = np.linalg.norm(theirs.points[17:] - ours.points[17:], axis=1).mean() / ours.iod
    assert inner < 0.09
    assert np.abs(theirs.pose - ours.pose).max() < 15


def test_a_known_face_is_followed_and_a_wrong_place_scores_nothing(
    landmarker: MediaPipeLandmarker, grey: np.ndarray
) -> None:
    ((_, seen),) = landmarker(grey)
    (again,) = landmarker.from_points(grey, [seen.points + 3])
    assert np.linalg.norm(again.points - seen.points, axis=1).mean() < 0.04 * seen.iod
    (gone,) = landmarker.from_points(grey, [seen.points * 0.3 + (380, 300)])
    assert gone.score == 0


def test_nothing_is_sent(tmp_path: Path) -> None:
    """MediaPipe's reports of its use end on this machine, whatever proxy the user has; native code, so it is traced."""
    if not can_trace():
        pytest.skip("strace, which sees calls of native code, is not installed or not allowed")
    program = (
        "import os; os.environ.update(https_proxy='', no_proxy='*', NO_PROXY='*')\n"
        "import time, cv2; from skimage import data\n"
        "from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker\n"
        "landmarker = MediaPipeLandmarker()\n"
        "assert len(landmarker(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY))) == 1\n"
        "time.sleep(1); landmarker.close()\n"
    )
    found = guarded(folder=tmp_path, program=program)
    assert found.status == 0, found.said
    assert [seen for seen in found.reached if seen.startswith("address")] == []
    assert {"/".join(Path(p).relative_to(tmp_path).parts[:3]) for p in found.left} <= {
        *("home/.cache", "home/.config", "home/.cache/matplotlib", "home/.config/matplotlib")
    }, "a list of fonts, by matplotlib, which MediaPipe imports"
