from __future__ import annotations

import cv2
import numpy as np
import pytest

from fleeting.errors import InputError
from fleeting.faces.align import crop_size
from fleeting.motion import flow_image as images
from fleeting.motion.head_motion import Similarity
from fleeting.motion.strain import optical_strain


def linear_field(matrix: list[list[float]], shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (np.stack([columns, rows], -1) @ np.array(matrix).T).astype(np.float32)


def test_strain_of_a_linear_field_is_the_analytic_value() -> None:
    u_x, u_y, v_x, v_y = 0.03, -0.01, 0.05, -0.02
    strain = optical_strain(linear_field([[u_x, u_y], [v_x, v_y]]))
    np.testing.assert_allclose(strain, np.sqrt(u_x**2 + v_y**2 + (u_y + v_x) ** 2 / 2), rtol=1e-4)
    assert strain.dtype == np.float32


def test_shifts_and_small_rotations_do_not_strain() -> None:
    assert optical_strain(np.full((20, 20, 2), 3.0, np.float32)).max() == 0
    t = np.radians(1)
    turned = linear_field([[np.cos(t) - 1, -np.sin(t)], [np.sin(t), np.cos(t) - 1]])
    np.testing.assert_allclose(optical_strain(turned), np.sqrt(2) * (1 - np.cos(t)), rtol=0.02)


def test_strain_needs_a_flow() -> None:
    with pytest.raises(InputError, match=r"a flow \(h, w, 2\)"):
        optical_strain(np.zeros((20, 20), np.float32))


def smile(width: int = 140) -> np.ndarray:
    """Both mouth corners pulled up and outwards; u and v are known, so the channels can be told apart."""
    height, _ = crop_size(width)
    field = np.zeros((height, width, 2), np.float32)
    rows, columns = np.mgrid[:height, :width] * 140 / width
    for x, outwards in ((42.0, -1.0), (97.0, 1.0)):
        bump = np.exp(-((columns - x) ** 2 + (rows - 124) ** 2) / (2 * 12**2))
        field += np.stack([outwards * bump, -1.5 * bump], -1).astype(np.float32)
    return field


def test_channels_are_strain_v_u_each_from_0_to_255() -> None:
    image = images.flow_image(smile())
    assert image.shape == (28, 28, 3)
    assert image.dtype == np.uint8
    assert (image.min((0, 1)) == 0).all()
    assert (image.max((0, 1)) == 255).all()
    row = round((124 + 0.5) / 170 * 28 - 0.5)
    right, left = round(42 / 5), round(97 / 5)  # the person's right corner is on the left of the picture
    strain, v, u = np.moveaxis(image, -1, 0)
    assert v[row, right] < 20, "upwards is negative v, so dark"
    assert v[row, left] < 20
    assert u[row, right] < 20, "to the left is negative u, so dark"
    assert u[row, left] > 235
    assert strain[2, 14] < 20, "nothing moves at the forehead"
    assert abs(int(u[2, 14]) - 128) < 8
    assert v[2, 14] > 245


def test_flow_image_is_the_area_average_then_stretched() -> None:
    flow = np.random.default_rng(0).normal(size=(56, 56, 2)).astype(np.float32)
    v = flow[..., 1].reshape(28, 2, 28, 2).mean((1, 3))
    expected = (v - v.min()) / (v.max() - v.min()) * 255
    np.testing.assert_allclose(images.flow_image(flow)[..., 1], expected, atol=0.51)


def test_flow_image_hardly_depends_on_the_crop_resolution() -> None:
    small, large = (images.flow_image(smile(w)).astype(float) for w in (140, 280))
    assert np.abs(small - large)[2:-2, 2:-2].max() < 12


def test_no_motion_gives_zeros_not_noise() -> None:
    assert not images.flow_image(np.zeros((170, 140, 2), np.float32)).any()


def test_mirrored_equals_the_flow_image_of_the_mirrored_face() -> None:
    field = smile()
    field[40:80, 10:60] += (0.4, -0.7)  # one-sided, or the test would be blind to a missing flip
    other = np.ascontiguousarray(field[:, ::-1])
    other[..., 0] *= -1
    expected = images.flow_image(other).astype(int)
    assert np.abs(images.mirrored(images.flow_image(field)[None])[0].astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(images.mirrored(images.mirrored(expected.astype(np.uint8))), expected)


@pytest.mark.parametrize("shape", [(20, 20, 2), (170, 140), (170, 140, 3)])
def test_flow_image_refuses_what_is_no_flow(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a finite flow"):
        images.flow_image(np.zeros(shape, np.float32))


def test_flow_image_refuses_values_that_are_not_finite() -> None:
    flow = smile()
    flow[3, 3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        images.flow_image(flow)


def test_expression_flow_keeps_the_smile_and_drops_the_head() -> None:
    rng = np.random.default_rng(1)
    onset = cv2.GaussianBlur(rng.normal(size=(170, 140)), (0, 0), 1.5)
    onset = cv2.normalize(onset, None, 20, 235, cv2.NORM_MINMAX).astype(np.float32)
    head = Similarity(shift_x=0.9, shift_y=-0.6, zoom=0.006, turn=0.004, centre_x=69.5, centre_y=84.5)
    field = smile() + head.displacement((170, 140))
    rows, columns = np.mgrid[:170, :140].astype(np.float32)
    # Warped backwards: the field is smooth and small, so the difference is far below the flow's own error.
    apex = cv2.remap(
        onset, columns - field[..., 0], rows - field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    crops = [np.clip(np.rint(c), 0, 255).astype(np.uint8) for c in (onset, apex)]
    flow, found = images.expression_flow(*crops)
    assert found.coefficients[2] == pytest.approx(head.zoom, abs=0.003)
    still = np.linalg.norm(flow[5:90, 5:-5], axis=-1)
    assert np.median(still) < 0.12
    # DIS smooths a movement this narrow, so it comes out too small, but never turned or lost.
    corner, expected = (f[119:130, 37:48].mean((0, 1)) for f in (flow, smile()))
    assert 0.6 < corner @ expected / (expected @ expected) < 1.1
    right = np.corrcoef(images.flow_image(flow)[..., 1].ravel(), images.flow_image(smile())[..., 1].ravel())[0, 1]
    assert right > 0.9


def test_expression_flow_needs_canonical_crops() -> None:
    square = np.zeros((140, 140), np.uint8)
    with pytest.raises(InputError, match="170 px high at a width of 140"):
        images.expression_flow(square, square)
