from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleeting.faces.align import CANONICAL_POINTS
from fleeting.faces.crop import points_box
from fleeting.faces.landmarks import Landmarks
from fleeting.faces.track import Tracker, box_iou
from fleeting.records import FaceBox
from fleeting.settings import FaceSettings

FPS = 50


class Scene:
    """Faces that move through an empty room; each person has a pattern of their own."""

    def __init__(
        self, *people: dict[int, tuple[float, float, float]], hidden: dict[int, set[int]] | None = None
    ) -> None:
        self.people, self.hidden = people, hidden or {}
        rng = np.random.default_rng(0)
        self.looks = [rng.integers(0, 255, (22, 18)).astype(np.uint8) for _ in people]
        self.now = 0
        self.searches = 0

    def points(self, person: int) -> np.ndarray | None:
        if self.now not in self.people[person]:
            return None
        x, y, scale = self.people[person][self.now]
        return CANONICAL_POINTS * scale + (x, y)

    def picture(self) -> np.ndarray:
        import cv2

        frame = np.full((400, 900), 90, np.uint8)
        for person, looks in enumerate(self.looks):
            points = self.points(person)
            if points is not None:
                x, y, w, h = (round(v) for v in points_box(points)[:4])
                face = cv2.resize(looks, (w, h), interpolation=cv2.INTER_CUBIC)
                left, top = max(x, 0), max(y, 0)
                face = face[top - y :, left - x :]
                part = frame[top : top + face.shape[0], left : left + face.shape[1]]
                part[:] = face[: part.shape[0], : part.shape[1]]
        return frame

    def landmarks(self, points: np.ndarray, score: float) -> Landmarks:
        return Landmarks(points.astype(np.float32), score, np.zeros(3, np.float32), np.full(2, 0.3, np.float32), 0.0)

    def __call__(self, grey: np.ndarray) -> list[tuple[FaceBox, Landmarks]]:
        self.searches += 1
        found = []
        for person in range(len(self.people)):
            points = self.points(person)
            if points is not None and self.now not in self.hidden.get(person, set()):
                found.append((points_box(points), self.landmarks(points, 0.99)))
        return found

    def from_points(self, grey: np.ndarray, points: Sequence[np.ndarray]) -> list[Landmarks]:
        out = []
        for before in points:
            here = [
                p
                for i in range(len(self.people))
                if (p := self.points(i)) is not None
                and np.linalg.norm(p.mean(0) - before.mean(0)) < 60
                and self.now not in self.hidden.get(i, set())
            ]
            out.append(self.landmarks(here[0], 0.95) if here else self.landmarks(before, 0.05))
        return out

    def run(self, frames: int, settings: FaceSettings | None = None) -> tuple[Tracker, list[list[int]]]:
        tracker = Tracker(settings, detector=self, follower=self)
        seen = []
        for self.now in range(frames):
            seen.append([s.track for s in tracker.update(self.now, self.now / FPS, self.picture())])
        return tracker, seen


def still(x: float, frames: range, scale: float = 1.0) -> dict[int, tuple[float, float, float]]:
    return dict.fromkeys(frames, (x, 100.0, scale))


def test_two_faces_keep_their_ids_and_the_frame_is_searched_seldom() -> None:
    scene = Scene(still(100, range(200)), still(500, range(200), 0.8))
    tracker, seen = scene.run(200)
    assert seen == [[0, 1]] * 200
    first, second = tracker.tracks()
    assert [(s.onset_frame, s.offset_frame) for s in first.segments] == [(0, 199)]
    assert first.median_iod_px == pytest.approx(104.2, abs=0.5)
    assert second.median_iod_px == pytest.approx(83.3, abs=0.5)
    assert scene.searches <= 200 / FPS / 0.5 + 1


def test_a_hidden_face_ends_a_segment_and_comes_back_as_the_same_track() -> None:
    scene = Scene(still(100, range(150)), hidden={0: set(range(40, 60))})
    tracker, seen = scene.run(150)
    assert [len(s) for s in seen[40:60]] == [0] * 20
    (track,) = tracker.tracks()
    spans = [(s.onset_frame, s.offset_frame) for s in track.segments]
    assert spans[0] == (0, 39)
    assert 60 <= spans[1][0] <= 66
    assert spans[1][1] == 149
    assert track.frame_count == sum(len(s) for s in seen)


def test_a_face_that_leaves_and_returns_elsewhere_much_later_is_known_by_its_looks() -> None:
    scene = Scene(still(100, range(50)) | still(600, range(200, 260)))
    tracker, _ = scene.run(260)
    (track,) = tracker.tracks()
    assert len(track.segments) == 2


def test_another_person_at_the_same_place_much_later_is_another_track() -> None:
    scene = Scene(still(100, range(50)), still(104, range(200, 260)))
    tracker, _ = scene.run(260)
    assert len(tracker.tracks()) == 2


def test_a_face_that_enters_later_gets_the_next_id() -> None:
    scene = Scene(still(100, range(200)), still(600, range(60, 200)))
    tracker, seen = scene.run(200)
    assert seen[0] == [0]
    assert seen[100] == [0, 1]
    assert tracker.tracks()[1].segments[0].onset_frame <= 60 + round(0.5 * FPS) + 1


def test_a_walking_face_is_followed() -> None:
    scene = Scene({i: (50.0 + 4 * i, 100.0 + 0.2 * i, 1.0) for i in range(120)})
    tracker, seen = scene.run(120)
    assert seen == [[0]] * 120
    assert len(tracker.tracks()[0].segments) == 1


def test_an_empty_room_has_no_tracks() -> None:
    tracker, seen = Scene({}).run(50)
    assert seen == [[]] * 50
    assert tracker.tracks() == ()


def test_box_iou_by_hand() -> None:
    assert box_iou(FaceBox(0, 0, 2, 2), FaceBox(1, 0, 2, 2)) == pytest.approx(1 / 3)
    assert box_iou(FaceBox(0, 0, 2, 2), FaceBox(2, 0, 2, 2)) == 0
