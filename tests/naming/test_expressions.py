"""The expression of the whole face in an analysis: read over time, held against the events, named where it is long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from portraits import POINTS, portrait

from fleeting.errors import SettingsError
from fleeting.faces.align import canonical_points, crop_transform
from fleeting.faces.crop import apply
from fleeting.faces.track import Sighting
from fleeting.labels import SEVEN_CLASSES
from fleeting.naming.expression_net import CENTRE, MIDDLE, SCALE, expression_crop, expression_transform
from fleeting.naming.whole_face import (
    BATCH,
    ExpressionMeter,
    contradiction,
    named,
    surroundings,
    valence,
    with_surroundings,
)
from fleeting.records import REGIONS, Event, ExpressionCurve
from fleeting.settings import ExpressionSettings

SETTINGS = ExpressionSettings()


# ---------------------------------------------------------------- the crop


def test_the_crop_is_framed_as_fer2013_frames_faces() -> None:
    transform = expression_transform(crop_transform(canonical_points()))
    np.testing.assert_allclose(apply(transform, np.array([MIDDLE])), [CENTRE], atol=1e-6)
    points = apply(transform, canonical_points())
    # Means over 1,032 Training pictures; each face differs by some pixels.
    for name, own, theirs in (
        ("eyes", points[36:48].mean(0), (24.1, 18.4)),
        ("nose", points[30], (24.1, 28.9)),
        ("mouth", points[48:60].mean(0), (24.3, 37.2)),
    ):
        assert np.linalg.norm(own - theirs) < 1.5, name
    assert np.linalg.norm(points[45] - points[36]) == pytest.approx(SCALE * 104.2, rel=0.01)


def test_a_larger_crop_shows_the_same_place() -> None:
    small, large = (expression_transform(crop_transform(POINTS), size=size) for size in (48, 192))
    # The picture's edge, half a pixel before the first centre, lies at the same place in both.
    edge = np.array([[-0.5, -0.5], [47.5, 47.5]])
    there = np.linalg.inv(small[:, :2]) @ (edge - small[:, 2]).T
    np.testing.assert_allclose(apply(large, there.T), [[-0.5, -0.5], [191.5, 191.5]], atol=1e-6)


def test_a_face_is_cut_level_whatever_its_size_and_turn() -> None:
    import cv2

    grey = cv2.cvtColor(portrait(), cv2.COLOR_RGB2GRAY)
    straight = expression_crop(grey, POINTS)
    assert straight.shape == (48, 48)
    turn = cv2.getRotationMatrix2D((130, 120), 17, 1.6)
    turn[:, 2] += (80, 90)
    turned = cv2.warpAffine(grey, turn, (430, 450), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    again = expression_crop(turned, POINTS @ turn[:, :2].T + turn[:, 2])
    assert np.corrcoef(straight.ravel(), again.ravel())[0, 1] > 0.97


# ---------------------------------------------------------------- reading a film


class Brightness:
    """Stands in for the network: happy as far as the face is bright, else neutral."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.batches.append(len(faces))
        found = np.zeros((len(faces), 7), np.float32)
        found[:, 3] = faces.mean((1, 2)) / 255
        found[:, 6] = 1 - found[:, 3]
        return found


def frame(index: int, fps: float, level: int = 100) -> Any:
    return SimpleNamespace(index=index, time_s=index / fps, grey=np.full((120, 120), level, np.uint8))


def sighting(track: int = 0, yaw: float = 0.0) -> Sighting:
    landmarks = SimpleNamespace(points=canonical_points(70), pose=np.array([yaw, 0, 0], np.float32))
    return Sighting(track, 0, landmarks)  # type: ignore[arg-type]


def read(
    frames: int, fps: float, *, per_second: float | None, seen: Callable[[int], list[Sighting]] = lambda i: [sighting()]
) -> tuple[dict[int, ExpressionCurve], Brightness]:
    network = Brightness()
    meter = ExpressionMeter(network, per_second=per_second)  # type: ignore[arg-type]
    for i in range(frames):
        meter.add(frame(i, fps, level=min(i, 255)), seen(i))
    return meter.curves(), network


@pytest.mark.parametrize("fps", [30.0, 29.97, 50.0, 200.0, 500.0])
def test_a_face_is_read_so_many_times_a_second_at_every_frame_rate(fps: float) -> None:
    curves, _ = read(round(10 * fps), fps, per_second=4)
    assert list(curves) == [0]
    assert 39 <= len(curves[0].frame) <= 41
    gaps = np.diff(curves[0].time_s)
    assert abs(gaps - 0.25).max() <= 1 / fps + 1e-6


def test_every_frame_is_read_where_it_is_asked_for_or_where_there_are_few() -> None:
    assert len(read(70, 30, per_second=None)[0][0].frame) == 70
    assert len(read(12, 3, per_second=4)[0][0].frame) == 12


def test_batches_keep_the_order() -> None:
    curves, network = read(2 * BATCH + 5, 50, per_second=None)
    assert network.batches == [BATCH, BATCH, 5]
    np.testing.assert_array_equal(curves[0].frame, np.arange(2 * BATCH + 5))
    np.testing.assert_allclose(curves[0].probabilities[:, 3], np.arange(2 * BATCH + 5) / 255, atol=1e-6)


def test_faces_that_are_away_or_turned_are_not_read() -> None:
    def seen(i: int) -> list[Sighting]:
        return [sighting(1, yaw=60.0), *([sighting(2)] if not 50 <= i < 100 else [])]

    curves, _ = read(150, 50, per_second=4, seen=seen)
    assert list(curves) == [2]
    assert not ((curves[2].frame >= 50) & (curves[2].frame < 100)).any()
    # Once it is back, it is read at once, and no more often than before.
    later = curves[2].time_s[curves[2].frame >= 100]
    assert later[0] == 2.0
    assert np.diff(later).min() > 0.2


def test_nothing_seen_gives_no_curve() -> None:
    assert read(5, 30, per_second=4, seen=lambda i: [])[0] == {}
    with pytest.raises(SettingsError, match="positive number of readings"):
        ExpressionMeter(Brightness(), per_second=0)  # type: ignore[arg-type]


# ---------------------------------------------------------------- against the events


def curve(happy: Callable[[float], float], *, seconds: float = 10.0) -> ExpressionCurve:
    """A face that is happy by a function of time, else angry and neutral in halves, read four times a second."""
    time_s = np.arange(0, seconds, 0.25)
    p = np.zeros((len(time_s), 7), np.float32)
    p[:, 3] = [happy(t) for t in time_s]
    p[:, 0] = p[:, 6] = (1 - p[:, 3]) / 2
    return ExpressionCurve(0, (time_s * 100).astype(np.int32), time_s, p)


def event(emotion: str = "negative", *, probability: float = 0.8, kind: Any = "micro", at: float = 5.0) -> Event:
    return Event(
        0, kind, int(100 * at), int(100 * at) + 20, int(100 * at) + 40, at, at + 0.2, at + 0.4,
        emotion=emotion, probability=probability,
    )  # fmt: skip


def marked(one: Event, shown: ExpressionCurve, *more: Event) -> Event:
    return with_surroundings([one, *more], {0: shown}, SETTINGS)[0]


def test_a_negative_flash_in_a_smile_contradicts_it() -> None:
    smiling = curve(lambda t: 0.9)
    found = marked(event(), smiling)
    assert found.contradicts
    assert found.surrounding == "happy"
    assert found.surrounding_probability == pytest.approx(0.9)
    for emotion in ("positive", "surprise", "unsure", "neutral"):
        assert not marked(event(emotion), smiling).contradicts, emotion


def test_a_positive_flash_in_an_angry_face_contradicts_it() -> None:
    angry = ExpressionCurve(
        0,
        np.arange(40, dtype=np.int32),
        np.arange(40) / 4,
        np.tile(np.float32([0.4, 0.1, 0, 0.1, 0.2, 0, 0.2]), (40, 1)),
    )
    assert marked(event("positive"), angry).contradicts, "angry, disgust and sad together are 0.7"
    assert not marked(event("negative"), angry).contradicts


def test_both_sides_must_be_probable_enough() -> None:
    least = SETTINGS.min_contradiction
    assert marked(event(probability=least), curve(lambda t: least + 0.001)).contradicts
    assert not marked(event(probability=least - 0.01), curve(lambda t: 0.9)).contradicts
    assert not marked(event(), curve(lambda t: least - 0.01)).contradicts
    assert not marked(event(kind="macro"), curve(lambda t: 0.9)).contradicts, "a long expression is no flash"


def test_surroundings_are_the_face_just_before_and_after() -> None:
    # Happy only within the event and far from it: what counts are the two seconds on both sides.
    found = marked(event(), curve(lambda t: 0.9 if 4.9 < t < 5.5 or abs(t - 5.2) > 2.3 else 0.1))
    assert found.surroundings["happy"] == pytest.approx(0.1)
    assert not found.contradicts
    # What another flash shows does not count either.
    other = event("positive", at=5.6)
    found = marked(event(), curve(lambda t: 0.9 if 5.5 < t < 6.01 else 0.1), other)
    assert found.surroundings["happy"] == pytest.approx(0.1)
    # But a smile around the flash does, although it is an event of its own.
    smile = replace(event("happy", kind="macro", at=3.0), offset_s=8.0, offset_frame=800, apex_frame=500, apex_s=5.0)
    assert marked(event(), curve(lambda t: 0.9 if 3 < t < 8 else 0.1), smile).contradicts


def test_without_readings_nothing_is_said() -> None:
    few = curve(lambda t: 0.9, seconds=0.5)
    found = marked(event(), few)
    assert found.surroundings == {}
    assert found.surrounding is None
    assert found.surrounding_probability is None
    assert not found.contradicts
    blink = Event(0, "blink", 500, 505, 510, 5.0, 5.05, 5.1)
    assert with_surroundings([blink], {0: curve(lambda t: 0.9)}, SETTINGS) == [blink]
    other_face = replace(event(), face=3)
    assert with_surroundings([other_face], {0: curve(lambda t: 0.9)}, SETTINGS) == [other_face]


def test_surroundings_add_up() -> None:
    found = surroundings(event(), [event()], curve(lambda t: 0.3), SETTINGS)
    assert set(found) == set(SEVEN_CLASSES)
    assert sum(found.values()) == pytest.approx(1)
    assert valence(found, "positive") == pytest.approx(0.3)
    assert valence(found, "negative") == pytest.approx(0.35)
    assert not contradiction(replace(event(), probability=None), {"happy": 0.9}, least=0.6)


CALM = np.float32([0, 0, 0, 0.05, 0.05, 0, 0.9])
"""A neutral face, at the onset."""


def test_a_macro_expression_is_named_by_the_whole_face() -> None:
    p = np.float32([0.1, 0, 0, 0.7, 0.1, 0, 0.1])
    found = named(event("negative", kind="macro"), p, CALM, least=0.5)
    assert (found.emotion, found.probability) == ("happy", pytest.approx(0.7))
    assert list(found.probabilities) == list(SEVEN_CLASSES)
    assert named(event(kind="macro"), p, CALM, least=0.75).emotion == "unsure"


def test_a_movement_is_never_named_neutral() -> None:
    """Whatever the whole face is read as, and whatever named the movement before."""
    neutral = np.float32([0.1, 0, 0, 0.1, 0.1, 0, 0.7])
    by_movement = event("surprise", kind="macro", probability=0.8)
    assert named(by_movement, neutral, CALM, least=0.5) == by_movement
    bare = named(replace(by_movement, emotion=None, probability=None, probabilities={}), neutral, CALM, least=0.5)
    assert (bare.emotion, bare.probability) == ("unsure", pytest.approx(0.7))
    for best in range(7):
        rows = np.full(7, 0.05, np.float32)
        rows[best] = 0.7
        for before in (by_movement, replace(by_movement, emotion="unsure"), replace(by_movement, emotion=None)):
            for at_onset in (CALM, rows, np.full(7, 1 / 7, np.float32)):
                assert named(before, rows, at_onset, least=0.5).emotion not in ("neutral", None)


def test_what_the_face_showed_before_does_not_name_a_movement() -> None:
    """Brows that go up in a smile are no happiness."""
    smile = np.float32([0.02, 0, 0, 0.9, 0, 0.02, 0.06])
    raised = event("surprise", kind="macro", probability=0.8)
    assert named(raised, smile, smile + 0.02, least=0.5) == raised
    assert named(raised, smile, CALM, least=0.5).emotion == "happy", "a smile that comes is named by the face"
    grows = np.float32([0.1, 0, 0, 0.55, 0, 0.05, 0.3])
    assert named(raised, smile, grows, least=0.5).emotion == "happy", "a smile that grows too"


class Neutral:
    """Stands in for the network that reads whole faces, and sees no expression."""

    def __init__(self) -> None:
        self.card = {"name": "expression"}

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.tile(np.float32([0.02, 0, 0, 0.02, 0.02, 0, 0.94]), (len(faces), 1))


@pytest.fixture(scope="module")
def slow_smile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, who smiles for 1.4 s."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip

    path = tmp_path_factory.mktemp("smile") / "ada.mp4"
    smile = Movement("macro", Profile(1.2, 1.8, 2.6), activations_of("happiness"), 8.0, "happiness")
    settings = ClipSettings(fps=25, seconds=4, width=192, height=192, iod_px=60)
    render_clip(PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=[smile], settings=settings, seed=1), path)
    return path


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_a_film_of_a_slow_smile_on_a_face_read_as_neutral(slow_smile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleeting.analysis import analyse

    monkeypatch.setattr(analyse, "expression_network", lambda settings: Neutral())
    timeline = analyse.analyse_video(slow_smile, pictures=False).timeline
    macro = timeline.of_kind("macro")
    assert macro
    for found in macro:
        assert found.emotion in ("negative", "positive", "surprise", "unsure")
        assert set(found.probabilities) == {"negative", "positive", "surprise"}
        assert found.surrounding == "neutral", "the face around it may be"
        shown = timeline.signals[0].motion[found.apex_frame]
        assert found.displacement_percent_iod == pytest.approx(max(shown[REGIONS.index(r)] for r in found.regions))


# ---------------------------------------------------------------- records and networks


def test_curves_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"probabilities of shape \(2, 7\)"):
        ExpressionCurve(0, np.zeros(2, np.int32), np.zeros(2), np.zeros((2, 3), np.float32))


def test_readings_must_not_be_negative(clip: Any) -> None:
    from fleeting.analysis.analyse import analyse_video
    from fleeting.settings import AnalyseSettings

    with pytest.raises(SettingsError, match="per_second of 0 to 1000"):
        analyse_video(clip, settings=AnalyseSettings(expressions=ExpressionSettings(per_second=-1)))
