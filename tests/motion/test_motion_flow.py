from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest

from fleeting.errors import InputError, SettingsError
from fleeting.motion import flow, head_motion
from fleeting.motion.regions import stable_weights
from fleeting.settings import FLOW_METHODS


def texture(seed: int = 0, shape: tuple[int, int] = (170, 140)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), 6)
    fine = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), 1.5)
    return cv2.normalize(coarse / coarse.std() + fine / fine.std(), None, 20, 235, cv2.NORM_MINMAX).astype(np.float32)


def moved(image: np.ndarray, matrix: list[list[float]]) -> np.ndarray:
    """Move the content by the affine map (from old to new place)."""
    size, affine = image.shape[1::-1], np.array(matrix, np.float64)
    return cv2.warpAffine(image, affine, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def as_uint8(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def test_the_settings_and_the_table_name_the_same_methods() -> None:
    assert tuple(flow.METHODS) == FLOW_METHODS


@pytest.mark.parametrize("method", FLOW_METHODS)
@pytest.mark.parametrize(("u", "v"), [(1.0, 0.0), (-0.5, 0.75)])
def test_a_translation_is_measured_with_its_sign(method: str, u: float, v: float) -> None:
    first = texture()
    second = moved(first, [[1, 0, u], [0, 1, v]])
    measured = flow.dense_flow(as_uint8(first), as_uint8(second), method=method)
    assert measured.shape == (170, 140, 2)
    assert measured.dtype == np.float32
    np.testing.assert_allclose(np.median(measured[15:-15, 15:-15], (0, 1)), (u, v), atol=0.06)


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_a_zoom_about_the_centre_points_outwards(method: str) -> None:
    first = texture()
    zoom, x, y = 0.02, 69.5, 84.5
    second = moved(first, [[1 + zoom, 0, -zoom * x], [0, 1 + zoom, -zoom * y]])
    measured = flow.dense_flow(as_uint8(first), as_uint8(second), method=method)
    rows, columns = np.mgrid[:170, :140]
    expected = np.stack([zoom * (columns - x), zoom * (rows - y)], -1)
    error = np.linalg.norm(measured - expected, axis=-1)[10:-10, 10:-10]
    assert np.median(error) < 0.08


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_equal_images_do_not_move(method: str) -> None:
    image = as_uint8(texture())
    measured = np.abs(flow.dense_flow(image, image, method=method))
    # The expansion of Farnebäck is biased near the border, and no network is exactly without a bias.
    assert measured.max() < {"farneback": 0.15, "learned": 0.01}.get(method, 1e-3)
    assert np.median(measured) < 0.02


def test_floats_are_grey_levels() -> None:
    first, second = texture(), moved(texture(), [[1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(
        flow.dense_flow(first, second.astype(np.float64)), flow.dense_flow(as_uint8(first), as_uint8(second))
    )


def test_each_thread_has_its_own_flow_objects() -> None:
    first = as_uint8(texture())
    seconds = [as_uint8(moved(texture(), [[1, 0, k / 4], [0, 1, 0]])) for k in range(4)]
    alone = [flow.dense_flow(first, s) for s in seconds]
    together: dict[int, np.ndarray] = {}

    def work(k: int) -> None:
        for _ in range(5):
            together[k] = flow.dense_flow(first, seconds[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(4):
        np.testing.assert_array_equal(together[k], alone[k])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((40, 40), np.uint8), np.zeros((40, 41), np.uint8)),
        (np.zeros((40, 40, 3), np.uint8), np.zeros((40, 40, 3), np.uint8)),
        (np.zeros((8, 40), np.uint8), np.zeros((8, 40), np.uint8)),
    ],
)
def test_unlike_images_are_refused(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(InputError, match="two grey images of equal shape"):
        flow.dense_flow(first, second)


def test_values_and_names_that_mean_nothing_are_refused() -> None:
    image = np.zeros((40, 40), np.float32)
    with pytest.raises(InputError, match="not finite"):
        flow.dense_flow(image, np.full_like(image, np.nan))
    with pytest.raises(InputError, match="int32"):
        flow.dense_flow(image, image.astype(np.int32))
    with pytest.raises(SettingsError, match="dis, farneback, tvl1"):
        flow.dense_flow(image, image, method="raft")  # type: ignore[arg-type]


TRUE = head_motion.Similarity(
    shift_x=0.8, shift_y=-0.3, zoom=0.004, turn=-0.006, centre_x=69.5, centre_y=60.0, residual_px=0, support=1
)


def test_a_similarity_is_recovered_exactly_and_removed() -> None:
    field = TRUE.displacement((170, 140))
    found = head_motion.estimate_similarity(field, stable_weights())
    assert found.zoom == pytest.approx(TRUE.zoom, abs=1e-6)
    assert found.turn == pytest.approx(TRUE.turn, abs=1e-6)
    assert found.support == 1
    assert np.abs(head_motion.remove(field, found)).max() < 1e-3


def test_the_signs_are_those_of_the_picture() -> None:
    # A head that comes closer moves outwards; one that turns clockwise on the screen sends its right side down.
    closer = head_motion.Similarity(0, 0, 0.01, 0, 70, 85).displacement((170, 140))
    assert closer[85, 130, 0] > 0
    assert closer[160, 70, 1] > 0
    clockwise = head_motion.Similarity(0, 0, 0, 0.01, 70, 85).displacement((170, 140))
    assert clockwise[85, 130, 1] > 0
    assert clockwise[160, 70, 0] < 0


def test_a_third_of_the_mask_moving_otherwise_changes_little() -> None:
    rng = np.random.default_rng(0)
    mask = stable_weights()
    field = TRUE.displacement((170, 140)) + rng.normal(0, 0.02, (170, 140, 2)).astype(np.float32)
    clean = head_motion.estimate_similarity(field, mask)
    rows, _ = np.nonzero(mask)
    high = np.zeros_like(mask, bool)
    high[: int(np.quantile(rows, 0.33))] = mask[: int(np.quantile(rows, 0.33))] > 0
    field[high] += (0, -1.5)  # the upper third is pulled up, as by raised brows
    found = head_motion.estimate_similarity(field, mask)
    error = np.linalg.norm(found.displacement((170, 140)) - clean.displacement((170, 140)), axis=-1)
    assert error.max() < 0.15
    assert found.support < clean.support


def test_head_motion_needs_a_matching_mask() -> None:
    with pytest.raises(InputError, match="a flow"):
        head_motion.estimate_similarity(np.zeros((170, 140, 2), np.float32), np.ones((10, 10)))
    with pytest.raises(InputError, match="at least 12 pixels"):
        head_motion.estimate_similarity(np.zeros((20, 20, 2), np.float32), np.eye(20)[:, ::-1] * (np.arange(20) < 5))
