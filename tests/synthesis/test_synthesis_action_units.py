from __future__ import annotations

import numpy as np
import pytest
from portraits import POINTS, SHAPE

from fleeting.errors import InputError, SettingsError
from fleeting.faces.ibug import MIRROR
from fleeting.labels import THREE_CLASSES
from fleeting.synthesis.face import emotions
from fleeting.synthesis.face.action_units import ACTION_UNITS, Activation, displacement_field
from fleeting.synthesis.face.frame import face_frame

IOD = float(np.hypot(*(POINTS[45] - POINTS[36])))
# What FACS says each unit does to landmarks of the person's left half: (point, outwards, downwards), signs only; 0 for
# no statement.
APPEARANCE = {
    "AU01": [(22, 0, -1), (23, 0, -1)],
    "AU02": [(25, 0, -1), (24, 0, -1)],
    "AU04": [(22, -1, 1), (23, -1, 1)],
    "AU05": [(43, 0, -1), (44, 0, -1)],
    "AU06": [(46, 0, -1), (45, -1, 0)],
    "AU07": [(46, 0, -1), (47, 0, -1)],
    "AU09": [(35, 0, -1), (52, 0, -1)],
    "AU10": [(52, 0, -1), (51, 0, -1)],
    "AU12": [(54, 1, -1)],
    "AU14": [(54, 1, 0)],
    "AU15": [(54, 0, 1)],
    "AU17": [(57, 0, -1), (8, 0, -1)],
    "AU20": [(54, 1, 0)],
    "AU23": [(54, -1, 0), (52, 0, 1), (56, 0, -1)],
    "AU25": [(57, 0, 1), (51, 0, -1)],
    "AU26": [(8, 0, 1), (57, 0, 1)],
    "AU43": [(43, 0, 1), (44, 0, 1)],
}


def at(field: np.ndarray, point: np.ndarray) -> np.ndarray:
    x, y = np.rint(point).astype(int)
    return field[y, x]


def rotated(points: np.ndarray, degrees: float, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return (points - centre) @ turn.T + centre, turn


def test_the_table_covers_the_units_that_micro_expressions_need() -> None:
    assert set(APPEARANCE) == set(ACTION_UNITS)


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_landmarks_move_as_facs_says(unit: str) -> None:
    field = displacement_field(POINTS, SHAPE, [Activation(unit)], peak_percent_iod=3.0)
    for point, outwards, downwards in APPEARANCE[unit]:
        for index, sign in ((point, 1), (int(MIRROR[point]), -1)):
            dx, dy = at(field, POINTS[index])
            if outwards:
                assert dx * sign * outwards > 0.1, (unit, index)
            if downwards:
                assert dy * downwards > 0.1, (unit, index)


@pytest.mark.parametrize("unit", ACTION_UNITS)
@pytest.mark.parametrize("percent", [0.5, 4.0])
def test_peak_is_in_percent_of_the_inter_ocular_distance(unit: str, percent: float) -> None:
    field = displacement_field(POINTS, SHAPE, [Activation(unit)], peak_percent_iod=percent)
    assert field.dtype == np.float32
    assert np.hypot(field[..., 0], field[..., 1]).max() == pytest.approx(percent / 100 * IOD, rel=0.02)


def test_peak_is_that_of_the_sum() -> None:
    both = [Activation("AU01"), Activation("AU02"), Activation("AU26", weight=0.8)]
    field = displacement_field(POINTS, SHAPE, both, peak_percent_iod=2.0)
    assert np.hypot(field[..., 0], field[..., 1]).max() == pytest.approx(0.02 * IOD, rel=0.02)


@pytest.mark.parametrize("unit", [u for u in ACTION_UNITS if not ACTION_UNITS[u].midline])
def test_a_side_is_the_persons_own_and_leaves_the_other_alone(unit: str) -> None:
    field = displacement_field(POINTS, SHAPE, [Activation(unit, "left")], peak_percent_iod=3.0)
    other = np.ceil(face_frame(POINTS).origin[0] - 0.06 * IOD).astype(int)
    assert np.abs(field[:, :other]).max() == 0.0
    # The person's left is on the right of an unmirrored picture.
    assert np.abs(field[:, other:]).max() > 1.0
    mirrored = displacement_field(POINTS, SHAPE, [Activation(unit, "right")], peak_percent_iod=3.0)
    assert np.abs(mirrored[:, int(POINTS[45, 0]) :]).max() == 0.0


@pytest.mark.parametrize("unit", ["AU01", "AU04", "AU12", "AU14"])
def test_both_sides_mirror_each_other(unit: str) -> None:
    middle = face_frame(POINTS).origin[0]
    field = displacement_field(POINTS, SHAPE, [Activation(unit)], peak_percent_iod=3.0)
    for point in (POINTS[54], POINTS[24], POINTS[46]):
        here = np.rint(point).astype(int)
        there = np.array([2 * middle - here[0], here[1]])
        assert 2 * middle == pytest.approx(round(2 * middle), abs=1e-6), "the mean face is symmetric about a column"
        assert at(field, here) == pytest.approx(at(field, there) * [-1, 1], abs=0.02)


@pytest.mark.parametrize("degrees", [-35.0, 20.0])
def test_fields_turn_with_the_head(degrees: float) -> None:
    shape = (400, 400)
    upright = POINTS + [70, 65]
    centre = upright.mean(axis=0)
    turned, turn = rotated(upright, degrees, centre)
    activations = [Activation("AU04"), Activation("AU12", "left")]
    field = displacement_field(upright, shape, activations, peak_percent_iod=5.0)
    field_turned = displacement_field(turned, shape, activations, peak_percent_iod=5.0)
    for pixel in ([upright[54][0], upright[54][1]], upright[22], upright[47], upright[54] + [8, -12]):
        pixel = np.rint(np.asarray(pixel))
        moved = rotated(pixel[None], degrees, centre)[0][0]
        x, y = np.floor(moved).astype(int)
        fx, fy = moved - [x, y]
        corner = field_turned[y : y + 2, x : x + 2]
        value = (1 - fy) * ((1 - fx) * corner[0, 0] + fx * corner[0, 1]) + fy * (
            (1 - fx) * corner[1, 0] + fx * corner[1, 1]
        )
        assert value == pytest.approx(turn @ at(field, pixel), abs=0.02)


def test_fields_grow_with_the_face() -> None:
    small = displacement_field(POINTS, SHAPE, [Activation("AU12")], peak_percent_iod=3.0)
    large = displacement_field(POINTS * 2, (540, 520), [Activation("AU12")], peak_percent_iod=3.0)
    assert large[::2, ::2] == pytest.approx(2 * small, abs=0.01)


def test_a_window_of_the_field_is_the_field() -> None:
    whole = displacement_field(POINTS, SHAPE, [Activation("AU09")], peak_percent_iod=3.0)
    window = displacement_field(POINTS, (90, 80), [Activation("AU09")], peak_percent_iod=3.0, left=90, top=100)
    assert np.array_equal(window, whole[100:190, 90:170])


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(SettingsError, match="AU12 for 12"):
        Activation("12")
    with pytest.raises(SettingsError, match="no side for AU26"):
        Activation("AU26", "left")
    with pytest.raises(SettingsError, match="positive weight"):
        Activation("AU12", weight=-1.0)
    with pytest.raises(SettingsError, match="at least one action unit"):
        displacement_field(POINTS, SHAPE, [], peak_percent_iod=1.0)
    with pytest.raises(SettingsError, match="0 or more percent"):
        displacement_field(POINTS, SHAPE, [Activation("AU12")], peak_percent_iod=-1.0)
    with pytest.raises(InputError, match=r"shape \(68, 2\)"):
        displacement_field(POINTS[:60], SHAPE, [Activation("AU12")], peak_percent_iod=1.0)
    with pytest.raises(InputError, match="eye corners"):
        displacement_field(np.zeros((68, 2)), SHAPE, [Activation("AU12")], peak_percent_iod=1.0)


@pytest.mark.parametrize("emotion", emotions.EMOTION_ACTION_UNITS)
def test_emotions_draw_known_units_and_map_to_three_classes(emotion: str) -> None:
    assert emotions.three_class(emotion) in THREE_CLASSES
    rng = np.random.default_rng(0)
    drawn = {tuple(a.unit for a in emotions.draw(emotion, rng)[0]) for _ in range(60)}
    assert drawn == set(emotions.EMOTION_ACTION_UNITS[emotion])


def test_contempt_is_one_sided() -> None:
    rng = np.random.default_rng(0)
    sides = {emotions.draw("contempt", rng, one_sided=0.0)[1] for _ in range(30)}
    assert sides == {"left", "right"}
    assert {emotions.draw("fear", rng, one_sided=0.0)[1] for _ in range(30)} == {"both"}
    with pytest.raises(SettingsError, match="one-sided"):
        emotions.activations_of("contempt")
    with pytest.raises(SettingsError, match="an emotion of happiness"):
        emotions.activations_of("joy")
    with pytest.raises(SettingsError, match="a set 0 to 1"):
        emotions.activations_of("anger", variant=2)
