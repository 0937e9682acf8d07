from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fleeting import weights
from fleeting.errors import WeightsError
from fleeting.faces.detect import CONFIRM, FaceDetector, weigh
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, FaceFinder, box_iou, decode, distinct, scaled
from fleeting.faces.landmarks import Landmarks
from fleeting.records import FaceBox

ASTRONAUT = FaceBox(178, 85, 94, 106)
"""Brows to chin, ear to ear, of scikit-image's astronaut (512x512), drawn by hand."""


def landmarks_in(box: FaceBox, score: float) -> Landmarks:
    """68 points whose bounding box is `box`."""
    x, y = np.linspace(0, box.width, 68) + box.x, np.linspace(0, box.height, 68) + box.y
    pose, eyes = np.zeros(3, np.float32), np.full(2, 0.3, np.float32)
    return Landmarks(np.stack([x, y], 1).astype(np.float32), score, pose, eyes, 0.0)


class Proposals:
    """A finder that proposes what it was given, by number of pixels."""

    def __init__(self, boxes: dict[int, list[FaceBox]], *, again: float = 3.0) -> None:
        self.boxes, self.searched, self.log_odds = boxes, [], again

    def again(self, grey: np.ndarray, points: np.ndarray) -> float:
        return self.log_odds

    def search(self, grey: np.ndarray, *, pixels: int, threshold: float | None = None) -> list[FaceBox]:
        self.searched.append(pixels)
        return self.boxes.get(pixels, [])


class Judge:
    """A landmark network that moves boxes by (2, 3) and scores them by their width."""

    def __init__(self, scores: dict[float, float], *, second_score: float | None = None) -> None:
        self.scores, self.second_score, self.second_looks = scores, second_score, 0

    def __call__(self, grey: np.ndarray, boxes: list[FaceBox]) -> list[Landmarks]:
        return [landmarks_in(b._replace(x=b.x + 2, y=b.y + 3), self.scores[b.width]) for b in boxes]

    def from_points(self, grey: np.ndarray, points: list[np.ndarray]) -> list[Landmarks]:
        self.second_looks += len(points)
        seen = []
        for p in points:
            box = FaceBox(*p.min(0).tolist(), *(np.ptp(p, axis=0)).tolist())
            score = self.scores[round(box.width)] if self.second_score is None else self.second_score
            seen.append(landmarks_in(box._replace(x=box.x + 1), score))
        return seen


FRAME = np.zeros((360, 640), np.uint8)


def maps(*faces: tuple[int, int, float, tuple[float, float, float, float]]) -> tuple[np.ndarray, np.ndarray]:
    heat, sides = np.full((24, 40), -8.0, np.float32), np.ones((4, 24, 40), np.float32)
    for row, column, logit, distances in faces:
        heat[row, column] = logit
        sides[:, row, column] = distances
    return heat, sides


class TestDecode:
    def test_box_of_a_peak_in_pixels_of_the_frame(self) -> None:
        heat, sides = maps((10, 20, 2.0, (12, 14, 16, 18)))
        (box,) = decode(heat, sides, threshold=0.5, scale=(0.5, 0.25))
        # The middle of place (10, 20) is (163.5, 83.5), the corner (151.5, 69.5): twice, four times as far from -1/2.
        assert box[:4] == pytest.approx((2 * 152 - 0.5, 4 * 70 - 0.5, 56, 128))
        assert box.score == pytest.approx(1 / (1 + np.exp(-2.0)))

    def test_places_beside_a_peak_are_no_faces(self) -> None:
        same = (20.0, 20.0, 20.0, 20.0)
        heat, sides = maps((10, 20, 3.0, same), (10, 21, 2.9, same), (11, 20, 2.8, same))
        assert len(decode(heat, sides, threshold=0.5)) == 1

    def test_threshold(self) -> None:
        heat, sides = maps((5, 5, 0.0, (9, 9, 9, 9)))
        assert len(decode(heat, sides, threshold=0.49)) == 1
        assert decode(heat, sides, threshold=0.51) == []

    def test_overlapping_boxes_leave_the_more_probable_and_largest_come_first(self) -> None:
        small, large = (10.0, 10.0, 10.0, 10.0), (40.0, 40.0, 40.0, 40.0)
        heat, sides = maps((10, 8, 1.0, small), (10, 30, 2.0, large), (10, 33, 3.0, large))
        boxes = decode(heat, sides, threshold=0.5)
        assert [b.width for b in boxes] == [80, 20]
        assert boxes[0].x == pytest.approx(33.5 * 8 - 0.5 - 40)


def test_iou_of_boxes() -> None:
    first = FaceBox(0, 0, 10, 10)
    assert box_iou(first, first) == 1.0
    assert box_iou(first, FaceBox(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert box_iou(first, FaceBox(10, 0, 5, 5)) == 0.0


def test_distinct_keeps_neighbours() -> None:
    boxes = [FaceBox(0, 0, 10, 10, 0.9), FaceBox(1, 0, 10, 10, 0.8), FaceBox(8, 0, 10, 10, 0.3)]
    assert distinct(boxes) == [boxes[0], boxes[2]]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((360, 640), (192, 320)), ((720, 1280), (192, 320)), ((60, 60), (256, 256)), ((1, 900), (32, 3584))],
)
def test_every_frame_is_searched_at_about_the_same_size(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    picture, scale = scaled(np.zeros(shape, np.uint8), pixels=COARSE_PIXELS)
    assert picture.shape == expected
    assert scale == (expected[1] / shape[1], expected[0] / shape[0])


def test_scaling_keeps_places() -> None:
    grey = np.zeros((360, 640), np.uint8)
    grey[120:180, 300:340] = 255
    picture, (across, down) = scaled(grey, pixels=COARSE_PIXELS)
    rows, columns = np.nonzero(picture > 127)
    assert (columns.min() / across, rows.min() / down) == pytest.approx((300, 120))
    assert ((columns.max() + 1) / across, (rows.max() + 1) / down) == pytest.approx((340, 180))


class TestDetector:
    """What the detector makes of proposals and judgements."""

    def test_keeps_what_is_confirmed_with_the_box_of_its_points(self) -> None:
        good, bad = FaceBox(10, 10, 30, 40, 0.6), FaceBox(90, 10, 20, 20, 0.6)
        detect = FaceDetector(finder=Proposals({COARSE_PIXELS: [bad, good]}), landmarks=Judge({30: 0.99, 20: 0.001}))
        ((box, seen),) = detect(FRAME)
        # Moved by (2, 3) by the first look and by 1 by the second.
        assert box[:4] == pytest.approx((13, 13, 30, 40))
        assert box.score == pytest.approx(weigh(0.6, 0.99, 3.0))
        assert seen.points.min(0) == pytest.approx((13, 13))

    def test_second_look_of_the_landmark_network_counts(self) -> None:
        box = FaceBox(10, 10, 30, 40, 0.5)
        doubtful = Judge({box.width: 0.2}, second_score=0.999)
        assert len(FaceDetector(finder=Proposals({COARSE_PIXELS: [box]}), landmarks=doubtful)(FRAME)) == 1
        refuted = Judge({box.width: 0.999}, second_score=0.0001)
        assert FaceDetector(finder=Proposals({COARSE_PIXELS: [box]}), landmarks=refuted)(FRAME) == []

    def test_second_look_of_the_finder_counts(self) -> None:
        box = FaceBox(10, 10, 30, 40, 0.5)
        for again, faces in ((4.0, 1), (-8.0, 0)):
            finder = Proposals({COARSE_PIXELS: [box]}, again=again)
            assert len(FaceDetector(finder=finder, landmarks=Judge({box.width: 0.99}))(FRAME)) == faces

    def test_hopeless_places_get_no_second_look(self) -> None:
        judge = Judge({30: 0.01})
        assert FaceDetector(finder=Proposals({COARSE_PIXELS: [FaceBox(0, 0, 30, 40)]}), landmarks=judge)(FRAME) == []
        assert judge.second_looks == 0

    def test_one_face_proposed_twice_is_one_face(self) -> None:
        twice = [FaceBox(10, 10, 30, 40, 0.9), FaceBox(12, 10, 32, 40, 0.9)]
        judge = Judge({30: 0.99, 32: 0.999})
        ((box, _),) = FaceDetector(finder=Proposals({COARSE_PIXELS: twice}), landmarks=judge)(FRAME)
        assert box.width == pytest.approx(32)

    def test_finer_search_only_where_nothing_is_confirmed(self) -> None:
        judge = Judge({30: 0.99, 18: 0.99})
        coarse, fine = [FaceBox(0, 0, 30, 40, 0.8)], [FaceBox(0, 0, 18, 19, 0.8)]
        finder = Proposals({COARSE_PIXELS: coarse, FINE_PIXELS: fine})
        assert FaceDetector(finder=finder, landmarks=judge)(FRAME)[0][0].width == pytest.approx(30)
        assert finder.searched == [COARSE_PIXELS]
        finder = Proposals({FINE_PIXELS: fine})
        assert FaceDetector(finder=finder, landmarks=judge)(FRAME)[0][0].width == pytest.approx(18)
        assert finder.searched == [COARSE_PIXELS, FINE_PIXELS]

    def test_a_small_picture_is_searched_once(self) -> None:
        finder = Proposals({})
        assert FaceDetector(finder=finder, landmarks=Judge({}))(np.zeros((160, 160), np.uint8)) == []
        assert finder.searched == [COARSE_PIXELS]

    def test_specks_are_no_faces(self) -> None:
        judge = Judge({12: 0.99})
        assert FaceDetector(finder=Proposals({COARSE_PIXELS: [FaceBox(0, 0, 12, 12)]}), landmarks=judge)(FRAME) == []

    def test_largest_first(self) -> None:
        boxes = [FaceBox(0, 0, 20, 20, 0.9), FaceBox(60, 0, 40, 40, 0.8)]
        detect = FaceDetector(finder=Proposals({COARSE_PIXELS: boxes}), landmarks=Judge({20: 0.99, 40: 0.98}))
        assert [round(box.width) for box, _ in detect(FRAME)] == [40, 20]


def test_no_network_alone_decides() -> None:
    assert weigh(1.0, 0.0, -6.0) < CONFIRM
    assert weigh(0.2, 1.0, -9.0) < CONFIRM
    assert weigh(0.5, 0.99, 3.0) > CONFIRM


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="the astronaut comes with the extra 'demo'")
    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("scale", [0.15, 0.25, 0.5, 1.0, 2.0])
def test_finds_the_astronaut_at_any_size(finder: FaceFinder, astronaut: np.ndarray, scale: float) -> None:
    grey = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    truth = FaceBox(*(scale * v for v in ASTRONAUT[:4]))
    assert max(box_iou(box, truth) for box in finder(grey)) > 0.5


@pytest.mark.parametrize("roll", [-35, -20, 20, 35])
def test_detects_turned_faces(detector: FaceDetector, astronaut: np.ndarray, roll: float) -> None:
    middle = (ASTRONAUT.x + ASTRONAUT.width / 2, ASTRONAUT.y + ASTRONAUT.height / 2)
    turned = cv2.warpAffine(astronaut, cv2.getRotationMatrix2D(middle, roll, 1.0), (512, 512))
    assert max((box_iou(box, ASTRONAUT) for box, _ in detector(turned)), default=0) > 0.4


def test_detects_every_face_and_its_place(detector: FaceDetector, astronaut: np.ndarray) -> None:
    face = astronaut[30:250, 110:330]
    frame = np.full((360, 640), 90, np.uint8)
    frame[20:240, 30:250], frame[150:260, 450:560] = face, cv2.resize(face, (110, 110), interpolation=cv2.INTER_AREA)
    large, small = (box for box, _ in detector(frame))
    assert box_iou(large, FaceBox(98, 75, 94, 106)) > 0.5
    assert box_iou(small, FaceBox(484, 177.5, 47, 53)) > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (60, 60), (360, 640)])
def test_nothing_is_found_where_nothing_is(detector: FaceDetector, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    for grey in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise):
        assert detector(grey) == []


def test_second_look_is_the_same_for_a_turned_face(finder: FaceFinder, astronaut: np.ndarray) -> None:
    box = ASTRONAUT
    points = landmarks_in(box, 1.0).points
    # Level eyes, so that only the turn of the picture tilts them.
    points[36:42] = (box.x + 0.25 * box.width, box.y + 0.3 * box.height)
    points[42:48] = (box.x + 0.75 * box.width, box.y + 0.3 * box.height)
    upright = finder.again(astronaut, points)
    turn = cv2.getRotationMatrix2D((225.0, 138.0), 30, 1.0)
    turned = cv2.warpAffine(astronaut, turn, (512, 512))
    moved = (points @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    assert upright > 0
    assert finder.again(turned, moved) > 0
    assert finder.again(turned, points + np.float32(220)) < 0


def test_an_empty_frame_has_no_face(finder: FaceFinder) -> None:
    assert finder(np.zeros((0, 0), np.uint8)) == []


def test_faces_of_a_real_recording(detector: FaceDetector, shared_data: Path) -> None:
    film = cv2.VideoCapture(str(shared_data / "videos" / "single_face.mp4"))
    for _ in range(5):
        frame = cv2.cvtColor(film.read()[1], cv2.COLOR_BGR2GRAY)
        ((box, seen),) = detector(frame)
        assert 270 < box.x + box.width / 2 < 350
        assert 150 < box.y + box.height / 2 < 260
        assert min(box.score, seen.score) > CONFIRM


def test_shipped_file_is_small_and_described() -> None:
    card = weights.card("face_finder")
    assert (weights.folder() / "face_finder.onnx").stat().st_size < 1_000_000
    assert 0 < card["threshold"] < 1
    assert set(card["subjects"]) == {"train", "validation"}


def test_damaged_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(weights.card("face_finder"), "sha256", "0" * 64)
    with pytest.raises(WeightsError, match="reinstall fleeting"):
        FaceFinder()
