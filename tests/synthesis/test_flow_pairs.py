from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from fleeting.errors import SettingsError
from fleeting.synthesis.face.frame import pixel_grid
from fleeting.synthesis.flow.grid import CONDITIONS, grid_pairs
from fleeting.synthesis.flow.pairs import Damage, compressed, draw_pair, draw_pool, film_pair, total_flow
from fleeting.synthesis.flow.portrait import SIDE, STEP, FlowPortrait, flow_portrait
from fleeting.synthesis.flow.scene import PairSettings, draw_field, place

NO_MOVEMENTS = np.zeros((0, 28, 28, 2), np.float32)


@pytest.fixture(scope="module")
def portrait() -> FlowPortrait:
    demo = pytest.importorskip("fleeting.synthesis.demo")
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    grey = np.asarray(cv2.cvtColor(demo.portrait(), cv2.COLOR_RGB2GRAY), np.uint8)
    return flow_portrait(grey, demo.PORTRAIT_POINTS, "astronaut", fields=3, seed=(0,))


def seen_through(second: np.ndarray, flow: np.ndarray) -> np.ndarray:
    at = (pixel_grid(second.shape) + flow).astype(np.float32)
    return cv2.remap(second.astype(np.float32), at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("peak", [0.3, 1.0, 4.0])
def test_the_flow_explains_the_first_picture_by_the_second(portrait: FlowPortrait, peak: float) -> None:
    for pair in grid_pairs([portrait], NO_MOVEMENTS, peak=peak, condition="clean", count=4, side=96):
        inner = (slice(12, -12), slice(12, -12))
        before = np.abs(pair.first.astype(float) - pair.second)[inner].mean()
        after = np.abs(pair.first - seen_through(pair.second, pair.flow))[inner].mean()
        backwards = np.abs(pair.first - seen_through(pair.second, -pair.flow))[inner].mean()
        assert after < 1.2  # rounding leaves about 0.35, cubic interpolation of fine texture the rest
        assert backwards > before > 0.5 * after


def test_the_peak_is_what_was_asked_for(portrait: FlowPortrait) -> None:
    lengths = []
    for pair in grid_pairs([portrait], NO_MOVEMENTS, peak=0.3, condition="clean", count=6, side=96):
        lengths.append(np.hypot(*np.moveaxis(pair.flow, -1, 0)).max())
    np.testing.assert_allclose(lengths, 0.3, rtol=1e-4)


def test_conditions_share_pictures_and_movements(portrait: FlowPortrait) -> None:
    by_name = {
        name: next(grid_pairs([portrait], NO_MOVEMENTS, peak=1.0, condition=name, count=1, side=64))
        for name in CONDITIONS
    }
    for name, pair in by_name.items():
        np.testing.assert_array_equal(pair.flow, by_name["clean"].flow)
        assert (name == "clean") == np.array_equal(pair.second, by_name["clean"].second)
    np.testing.assert_array_equal(by_name["light"].first, by_name["clean"].first)
    noise = by_name["noise"].first.astype(float) - by_name["clean"].first
    assert noise.std() == pytest.approx(1.5, abs=0.2)


def test_an_unknown_condition_is_refused(portrait: FlowPortrait) -> None:
    with pytest.raises(SettingsError, match="clean, noise, h264, light"):
        next(grid_pairs([portrait], NO_MOVEMENTS, peak=1.0, condition="rain", count=1))


def test_lids_that_move_are_in_the_flow(portrait: FlowPortrait) -> None:
    settings = PairSettings(side=128, blink=1.0, iod=(70.0, 70.0))
    rng = np.random.default_rng(1)
    scene = place(portrait, settings, rng)
    still = np.zeros((128, 128, 2), np.float32)
    flow = total_flow(scene, still)
    pair = film_pair(scene, still, Damage(), rng)
    moved = np.hypot(flow[..., 0], flow[..., 1]) > 0.3
    assert 20 < moved.sum() < 0.1 * moved.size
    changed = np.abs(pair.first.astype(int) - pair.second) > 8
    near = cv2.dilate(moved.astype(np.uint8), np.ones((15, 15))) > 0
    assert changed[near].sum() > 0.9 * changed.sum() > 10


def test_a_pair_depends_on_its_seed_alone(portrait: FlowPortrait) -> None:
    settings = PairSettings(side=48)
    movements = np.random.default_rng(0).normal(size=(3, 28, 28, 2)).astype(np.float32)
    whole = draw_pool([portrait], movements, settings, count=5, seed=3)
    alone = draw_pair([portrait], movements, settings, np.random.default_rng([3, 4]))
    np.testing.assert_array_equal(whole.pictures[4], (alone.first, alone.second))
    np.testing.assert_allclose(whole.flow[4], np.moveaxis(alone.flow, -1, 0), atol=5e-3)
    assert len({p.tobytes() for p in whole.pictures}) == 5


def test_no_field_folds(portrait: FlowPortrait) -> None:
    rng = np.random.default_rng(0)
    movements = rng.normal(size=(3, 28, 28, 2)).astype(np.float32)
    scene = place(portrait, PairSettings(side=64), rng)
    for _ in range(12):
        field = draw_field(scene, movements, 9.0, rng)
        assert np.isfinite(field).all()
        assert max(np.abs(np.diff(field, axis=k)).max() for k in (0, 1)) < 0.601


def test_strong_compression_costs_more_than_weak(portrait: FlowPortrait) -> None:
    pictures = [np.roll(portrait.grey, k, 1) for k in range(4)]
    errors = []
    for crf in (10.0, 35.0):
        seen = compressed(pictures, crf=crf)
        assert [s.shape for s in seen] == [(SIDE, SIDE)] * 4
        errors.append(np.abs(seen[-1].astype(float) - pictures[-1]).mean())
    assert errors[0] < 1.5 < 2 * errors[0] < errors[1]


def test_fields_have_the_length_one_and_lie_on_the_face(portrait: FlowPortrait) -> None:
    lengths = np.linalg.norm(portrait.fields.astype(np.float32), axis=-1)
    np.testing.assert_allclose(lengths.max((1, 2)), 1, atol=1e-3)
    low, high = portrait.points.min(0) / STEP - 12, portrait.points.max(0) / STEP + 12
    rows, columns = np.nonzero(lengths.max(0) > 0.02)
    assert columns.min() > low[0]
    assert columns.max() < high[0]
    assert rows.max() < high[1]


def test_without_real_movements_none_are_drawn(portrait: FlowPortrait) -> None:
    settings = replace(PairSettings(side=48), compressed=0.0)
    for seed in range(8):
        assert np.isfinite(draw_pair([portrait], NO_MOVEMENTS, settings, np.random.default_rng(seed)).flow).all()
