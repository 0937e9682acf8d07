"""MDMO on flow made by hand, and on a face whose movement is known."""

from __future__ import annotations

import numpy as np
import pytest
from portrait_sequences import FRAMES, sequence

from fleeting.errors import InputError
from fleeting.faces.align import canonical_points
from fleeting.motion.flow_image import flow_image, mirrored
from fleeting.motion.mdmo import encoded, flow_image_directions, main_directions, mdmo, region_weights
from fleeting.motion.regions import MDMO_NAMES

RIGHT_CORNER, LEFT_CORNER = MDMO_NAMES.index("right_mouth_corner"), MDMO_NAMES.index("left_mouth_corner")


def directions(vectors: list[tuple[float, float]], *, bins: int = 8, centred: bool = True) -> list[float]:
    flow = np.array([vectors], float)
    (found,) = main_directions(flow, np.ones((1, 1, len(vectors)), np.float32), bins=bins, centred=centred)
    return [float(v) for v in found]


def test_the_mean_is_that_of_the_fullest_direction() -> None:
    # Three to the right, of which one slants by 6 degrees; two long ones upwards do not count, nor does a still one.
    assert directions([(1, 0), (2, 0), (3, 0.3), (0, -5), (0, -9), (0, 0)]) == pytest.approx([2, 0.1])


def test_equally_full_directions() -> None:
    assert directions([(1, 0), (0, 2), (0, 3), (4, 0)]) == pytest.approx([2.5, 0])
    assert directions([(1, 0), (0, 2), (0, 4), (4, 0)]) == pytest.approx([0, 3])


def test_a_motion_along_an_axis_falls_into_one_bin() -> None:
    assert directions([(1, 0.1), (1, -0.1), (-5, 0)]) == pytest.approx([1, 0])
    assert directions([(-1, 0.1), (-1, -0.1), (5, 0)]) == pytest.approx([-1, 0]), "also where the angle jumps"
    # Quadrants part there.
    assert directions([(1, 0.1), (1, 0.3), (1, -0.1)], bins=4, centred=False) == pytest.approx([1, 0.2])


def test_weights_are_counted() -> None:
    flow = np.array([[(1, 0), (0, 1), (0, 1)]], float)
    weights = np.array([[[1.0, 0.4, 0.4]], [[0.1, 0.4, 0.4]], [[0, 0, 0]]], np.float32)
    np.testing.assert_allclose(main_directions(flow, weights), [(1, 0), (0, 1), (0, 0)], atol=1e-6)


def test_lengths_are_shares_of_the_longest() -> None:
    vectors = np.zeros((36, 2))
    vectors[0], vectors[1] = (0, 4), (-2, 0)
    found = encoded(vectors, "polar")
    assert found[:3].tolist() == [1.0, 0.5, 0.0]
    np.testing.assert_allclose(found[36:39], [np.pi / 2, np.pi, 0], rtol=1e-6)
    plain = encoded(vectors, "cartesian")
    assert plain[:2].tolist() == [0.0, -0.5]
    assert plain[36:38].tolist() == [1.0, 0.0]
    assert not encoded(np.zeros((36, 2)), "polar").any()


def test_a_smile_is_in_cheeks_and_mouth_corners_and_goes_up_and_out() -> None:
    found = mdmo(sequence("happiness", 1, 0, width=140))
    length, angle = found[:36], found[36:]
    top = [MDMO_NAMES[i].split("_", 1)[1] for i in np.argsort(-length)[:10]]
    assert {name.split("_")[0] for name in top} == {"cheek", "mouth"}
    # In the picture the person's right corner goes up and to the left, the left one up and to the right.
    assert -np.pi < angle[RIGHT_CORNER] < -np.pi / 2 < angle[LEFT_CORNER] < 0
    assert length[MDMO_NAMES.index("right_forehead_outer")] < 0.25


def test_raised_brows_are_at_the_brows() -> None:
    found = mdmo(sequence("surprise", 2, 2, width=140))
    length, angle = found[:36], found[36:]
    top = [MDMO_NAMES[i].split("_", 1)[1] for i in np.argsort(-length)[:6]]
    assert {name.split("_")[0] for name in top} <= {"brow", "forehead", "brows"}
    brow = MDMO_NAMES.index("left_brow_inner")
    assert angle[brow] == pytest.approx(-np.pi / 2, abs=0.5)


def test_a_still_clip_has_no_motion_to_speak_of() -> None:
    clip = np.stack([sequence("happiness", 1, 0, width=140)[0]] * 3)
    assert not mdmo(clip).any()


def hand_made(u_scale: float = 1.0) -> np.ndarray:
    """A flow image of a face whose corners of the mouth go up and out."""
    y, x = np.mgrid[:170, :140].astype(np.float32)
    flow = np.zeros((170, 140, 2), np.float32)
    for point, sign in ((48, -1), (54, 1)):
        cx, cy = canonical_points()[point]
        hill = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 12**2))
        flow += hill[..., None] * np.array([sign * 1.0 * u_scale, -2.0], np.float32)
    return flow_image(flow)


def test_flow_images_keep_their_quadrants() -> None:
    u, v = flow_image_directions(hand_made()).reshape(2, 36)
    assert u[RIGHT_CORNER] < -1
    assert u[LEFT_CORNER] > 1
    assert v[RIGHT_CORNER] < -1
    assert v[LEFT_CORNER] < -1
    forehead = MDMO_NAMES.index("between_brows")
    assert abs(u[forehead]) < 0.2
    assert abs(v[forehead]) < 0.2
    # How far u was stretched cannot be seen.
    np.testing.assert_allclose(flow_image_directions(hand_made(5.0)), flow_image_directions(hand_made()), atol=0.05)


def test_mirrored_flow_images_swap_the_sides() -> None:
    u, v = flow_image_directions(hand_made()).reshape(2, 36)
    other_u, other_v = flow_image_directions(mirrored(hand_made()[None])[0]).reshape(2, 36)
    assert other_u[LEFT_CORNER] == pytest.approx(-u[RIGHT_CORNER], abs=0.15)
    assert other_v[LEFT_CORNER] == pytest.approx(v[RIGHT_CORNER], abs=0.15)


def test_regions_of_a_flow_image_are_those_of_the_crop() -> None:
    fine, squeezed = region_weights((170, 140)), region_weights((28, 28))
    assert fine.shape == (36, 170, 140)
    np.testing.assert_allclose(squeezed.sum((1, 2)), fine.sum((1, 2)) * 28 * 28 / (170 * 140), rtol=1e-3)


def test_clips_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match="at least 2 frames"):
        mdmo(np.zeros((1, 170, 140), np.uint8))
    with pytest.raises(InputError, match="170 px high at a width of 140"):
        mdmo(np.zeros((FRAMES, 140, 140), np.uint8))
    with pytest.raises(InputError, match=r"a flow image \(28, 28, 3\)"):
        flow_image_directions(np.zeros((28, 28), np.uint8))
