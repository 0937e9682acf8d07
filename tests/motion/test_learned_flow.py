"""The shipped flow network: any size, any thread, and nearer to the truth than the methods it stands beside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from fleeting import weights
from fleeting.evaluation.flow_error import measure, method_of, no_motion
from fleeting.motion.flow import dense_flow
from fleeting.motion.learned_flow import NAME, learned_flow
from fleeting.synthesis.flow.grid import grid_pairs
from fleeting.synthesis.flow.portrait import FlowPortrait, flow_portrait


@pytest.fixture(scope="module")
def portrait() -> FlowPortrait:
    demo = pytest.importorskip("fleeting.synthesis.demo")
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    grey = np.asarray(cv2.cvtColor(demo.portrait(), cv2.COLOR_RGB2GRAY), np.uint8)
    return flow_portrait(grey, demo.PORTRAIT_POINTS, "astronaut", fields=4, seed=(0,))


def texture(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=shape), (0, 0), 2)
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(16, 16), (17, 45), (170, 140), (64, 200)])
def test_sizes_need_not_fit_the_network(shape: tuple[int, int]) -> None:
    first = texture(shape)
    flow = dense_flow(first, np.roll(first, 1, 1), method="learned")
    assert flow.shape == (*shape, 2)
    assert flow.dtype == np.float32
    assert flow.flags.c_contiguous
    if min(shape) < 32:  # too little to see a movement of the whole
        return
    middle = flow[shape[0] // 4 : -(shape[0] // 4), shape[1] // 4 : -(shape[1] // 4)]
    np.testing.assert_allclose(np.median(middle, (0, 1)), (1, 0), atol=0.1)


def test_what_is_added_at_the_border_does_not_shift_the_flow() -> None:
    """A crop of 48 x 48 out of the middle of a picture of 96 x 96 says the same there as the whole picture."""
    first = texture((96, 96))
    second = cv2.warpAffine(first, np.array([[1, 0, 0.4], [0, 1, -0.7]]), (96, 96), flags=cv2.INTER_CUBIC)
    whole = learned_flow(first, second)[40:56, 40:56]
    part = learned_flow(first[24:73, 24:73].copy(), second[24:73, 24:73].copy())[16:32, 16:32]
    np.testing.assert_allclose(part, whole, atol=0.1)


def test_threads_do_not_mix() -> None:
    pairs = [(texture((48, 64), k), np.roll(texture((48, 64), k), k % 3, 0)) for k in range(8)]
    alone = [learned_flow(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: learned_flow(*pair), pairs))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("condition", "peak"), [("clean", 0.3), ("noise", 0.3), ("noise", 1.0), ("light", 1.0)])
def test_it_errs_less_than_dis_and_than_saying_nothing(portrait: FlowPortrait, condition: str, peak: float) -> None:
    nothing = np.zeros((0, 28, 28, 2), np.float32)
    grid = {(condition, peak): list(grid_pairs([portrait], nothing, peak=peak, condition=condition, count=6, side=128))}
    errors = {
        name: measure(method, grid)["end_point_error_px"][condition][f"{peak:g}"]
        for name, method in (("learned", method_of("learned")), ("dis", method_of("dis")), ("none", no_motion))
    }
    assert errors["learned"] < 0.9 * errors["dis"]
    assert errors["learned"] < 0.7 * errors["none"]


def test_large_movements_are_followed(portrait: FlowPortrait) -> None:
    nothing = np.zeros((0, 28, 28, 2), np.float32)
    grid = {("clean", 6.0): list(grid_pairs([portrait], nothing, peak=6.0, condition="clean", count=4, side=128))}
    error, still = (measure(m, grid)["end_point_error_px"]["clean"]["6"] for m in (method_of("learned"), no_motion))
    assert error < 0.2 * still


def test_the_card_says_what_it_is() -> None:
    card = weights.card(NAME)
    assert card["parameters"] <= 1_500_000
    assert (weights.folder() / f"{NAME}.onnx").stat().st_size <= 5_000_000
    assert set(card["scores"]) > {"clean", "noise", "h264", "light"}
