"""At high frame rates only some frames are looked at; what lies between is interpolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleeting.faces.landmarks import Landmarks
from fleeting.faces.looks import MOST_BETWEEN, blend, sightings
from fleeting.faces.track import Sighting
from fleeting.video.frame import Frame

GREY = np.zeros((16, 16), np.uint8)


def face(value: float, score: float = 1.0) -> Landmarks:
    return Landmarks(
        np.full((68, 2), value, np.float32),
        score,
        np.full(3, value, np.float32),
        np.full(2, value / 100, np.float32),
        value / 10,
    )


class Script:
    """Sees in a frame the faces (track, segment) that it is told; their landmarks say the time in hundredths."""

    def __init__(self, seen: dict[int, Sequence[tuple[int, int]]] | None = None) -> None:
        self.seen, self.looked = seen, []

    def update(self, index: int, time_s: float, grey: np.ndarray) -> list[Sighting]:
        self.looked.append(index)
        faces = [(0, 0)] if self.seen is None else self.seen.get(index, [])
        return [Sighting(track, segment, face(100 * time_s)) for track, segment in faces]


def frames(count: int, fps: float) -> list[Frame]:
    return [Frame(i, i / fps, GREY) for i in range(count)]


@pytest.mark.parametrize(
    ("fps", "step"),
    [(25, 1), (30, 1), (59.94, 1), (60, 1), (62.5, 1), (100, 2), (120, 2), (200, 4), (240, 4), (1000, 9)],
)
def test_how_often_is_looked(fps: float, step: int) -> None:
    script = Script()
    done = list(sightings(frames(50, fps), script))
    assert [f.index for f, _ in done] == list(range(50))
    assert script.looked == sorted({*range(0, 50, step), 49})
    assert step <= MOST_BETWEEN + 1


def test_between_two_looks_landmarks_move_evenly() -> None:
    for frame, (one,) in sightings(frames(23, 200), Script()):
        expected = face(100 * frame.time_s)
        np.testing.assert_allclose(one.landmarks.points, expected.points, rtol=1e-5)
        np.testing.assert_allclose(one.landmarks.pose, expected.pose, rtol=1e-5)
        np.testing.assert_allclose(one.landmarks.eye_opening, expected.eye_opening, rtol=1e-5)
        assert one.landmarks.mouth_opening == pytest.approx(expected.mouth_opening)


def test_uneven_times_are_interpolated_in_time() -> None:
    uneven = [Frame(i, t, GREY) for i, t in enumerate([0.0, 0.001, 0.010, 0.02, 0.05])]
    script = Script()
    values = [float(seen[0].landmarks.points[0, 0]) for _, seen in sightings(uneven, script)]
    assert script.looked == [0, 3, 4]
    assert values == pytest.approx([0, 0.1, 1.0, 2.0, 5.0])


def test_a_face_is_between_two_looks_only_where_both_see_it_in_one_segment() -> None:
    seen = {0: [(0, 0)], 4: [(0, 0), (1, 0)], 8: [(0, 1), (1, 0)], 12: [(1, 0)], 13: []}
    found = [[(s.track, s.segment) for s in now] for _, now in sightings(frames(14, 200), Script(seen))]
    assert found[:9] == [[(0, 0)]] * 4 + [[(0, 0), (1, 0)]] + [[(1, 0)]] * 3 + [[(0, 1), (1, 0)]]
    assert found[9:] == [[(1, 0)]] * 4 + [[]]


def test_every_frame_is_looked_at_if_told_so() -> None:
    script = Script()
    list(sightings(frames(20, 200), script, look_s=0.0))
    assert script.looked == list(range(20))


def test_the_score_between_is_the_lower_one() -> None:
    assert blend(face(1, 0.9), face(2, 0.4), 0.1).score == 0.4
