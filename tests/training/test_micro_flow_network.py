from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fleeting.synthesis.flow.pairs import Pool  # noqa: E402
from fleeting.training.micro_flow.export import same_flow, ship  # noqa: E402
from fleeting.training.micro_flow.network import (  # noqa: E402
    MicroFlowNetwork,
    Refinement,
    normalised,
    step,
    unexplained,
    warp,
)
from fleeting.training.micro_flow.train import MicroFlowRecipe, Trainer, batch_of, fit, rows_of, stage_losses  # noqa: E402


def texture(seed: int, side: int = 64) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(side, side)), (0, 0), 2.5)
    return (128 + 40 * noise / noise.std()).astype(np.float32)


def shifted(picture: np.ndarray, u: float, v: float) -> np.ndarray:
    matrix = np.array([[1, 0, u], [0, 1, v]], np.float64)
    large = cv2.resize(picture, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    matrix[:, 2] *= 8
    moved = cv2.warpAffine(large, matrix, large.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return cv2.resize(moved, picture.shape[::-1], interpolation=cv2.INTER_AREA)


def tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture)[None, None]


@pytest.fixture(scope="module")
def network() -> MicroFlowNetwork:
    torch.manual_seed(0)
    return MicroFlowNetwork().eval()


def test_it_is_small_enough(network: MicroFlowNetwork) -> None:
    assert sum(p.numel() for p in network.parameters()) <= 1_500_000


@pytest.mark.parametrize(("u", "v"), [(0.1, 0.0), (-0.05, 0.2), (0.4, -0.4)])
def test_before_any_training_small_shifts_are_measured_with_their_sign(
    network: MicroFlowNetwork, u: float, v: float
) -> None:
    first = cv2.resize(
        cv2.resize(texture(0), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC), (64, 64), interpolation=cv2.INTER_AREA
    )
    second = shifted(texture(0), u, v)
    with torch.no_grad():
        coarse, *stages = network.stages(tensor(first), tensor(second))
    assert [tuple(c.shape[-2:]) for c in coarse] == [(4, 4), (8, 8)]
    assert [tuple(s.shape[-2:]) for s in stages] == [(16, 16)] * 3 + [(64, 64)]
    found = stages[-1][0, :, 16:-16, 16:-16].mean((1, 2)).numpy()
    np.testing.assert_allclose(found, (u, v), atol=0.25 * np.hypot(u, v) + 0.005)


def test_before_any_training_large_shifts_are_found(network: MicroFlowNetwork) -> None:
    first, second = texture(4, 96), shifted(texture(4, 96), 5.0, -3.0)
    with torch.no_grad():
        found = network(tensor(first), tensor(second))[0, :, 24:-24, 24:-24].mean((1, 2)).numpy()
    np.testing.assert_allclose(found, (5.0, -3.0), atol=1.2)


def test_a_lamp_does_not_move_anything(network: MicroFlowNetwork) -> None:
    first = texture(1)
    with torch.no_grad():
        flow = network(tensor(first), tensor(0.8 * first + 15))
    assert flow.abs().max() < 0.02


def test_sides_may_differ(network: MicroFlowNetwork) -> None:
    with torch.no_grad():
        assert network(torch.rand(2, 1, 32, 96) * 255, torch.rand(2, 1, 32, 96) * 255).shape == (2, 2, 32, 96)


def test_warping_undoes_a_shift() -> None:
    first, second = texture(2), shifted(texture(2), 2.25, -1.5)
    flow = torch.tensor([2.25, -1.5]).reshape(1, 2, 1, 1).expand(1, 2, 64, 64)
    gap = (warp(tensor(second), flow) - tensor(first))[0, 0, 8:-8, 8:-8].abs().mean()
    assert gap < 1.0 < np.abs(first - second)[8:-8, 8:-8].mean() / 5


def equations_of(matrix: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """A, and the right side that a flow explains."""
    bare = torch.cat([matrix, torch.zeros_like(flow)], 1)
    return torch.cat([matrix, -unexplained(bare, flow)], 1)


def test_a_step_solves_its_equations() -> None:
    rng = np.random.default_rng(0)
    slopes = torch.from_numpy(rng.normal(size=(1, 2, 50, 4, 4)).astype(np.float32))
    x, y = slopes[:, 0], slopes[:, 1]
    matrix = torch.stack([(x * x).mean(1), (x * y).mean(1), (y * y).mean(1)], 1)
    flow = torch.tensor([0.7, -0.2]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4)
    equations = equations_of(matrix, flow)
    # By hand: the slopes times what they change by.
    change = (0.7 * x - 0.2 * y)[0, :, 0, 0]
    assert float(equations[0, 3, 0, 0]) == pytest.approx(float((x[0, :, 0, 0] * change).mean()), abs=1e-5)
    np.testing.assert_allclose(step(equations, torch.tensor(1e-6)), flow, atol=1e-4)
    assert unexplained(equations, flow).abs().max() < 1e-6


def test_a_refinement_leaves_alone_what_is_explained() -> None:
    torch.manual_seed(0)
    refine = Refinement(4, (3, 5), 8)
    with torch.no_grad():
        refine.mix[1].bias[-2:] = 0
        refine.mix[1].weight.zero_()
    matrix = torch.rand(1, 3, 6, 6) + torch.tensor([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1)
    flow = torch.full((1, 2, 6, 6), 0.5)
    equations, floor, hidden = equations_of(matrix, flow), torch.full((1, 1, 1, 1), 1e-3), torch.rand(1, 4, 6, 6)
    assert (refine(hidden, equations, floor, flow) - flow).abs().max() < 1e-5
    nearer = refine(hidden, equations, floor, torch.zeros_like(flow))
    assert (nearer - flow).abs().max() < 0.2


def test_normalising_takes_gain_and_offset_away() -> None:
    picture = tensor(texture(3))
    np.testing.assert_allclose(normalised(picture), normalised(0.7 * picture + 30), atol=2e-3)


def made_up_pool(count: int = 8) -> Pool:
    pictures, flow = [], []
    for i in range(count):
        u, v = np.random.default_rng(i).uniform(-1, 1, 2)
        pictures.append((texture(i, 32), shifted(texture(i, 32), u, v)))
        flow.append(np.broadcast_to(np.array([u, v])[:, None, None], (2, 32, 32)))
    return Pool(np.clip(np.rint(pictures), 0, 255).astype(np.uint8), np.array(flow, np.float16))


def test_turned_and_mirrored_pairs_keep_their_flow() -> None:
    """What is turned is still explained by its flow: the second picture, read along it, is the first."""
    pool = made_up_pool()
    seen = set()
    for seed in range(6):
        pictures, flow = batch_of(pool, np.arange(4), np.random.default_rng(seed))
        again = warp(pictures[:, 1:], flow)
        gap = (again - pictures[:, :1])[..., 6:-6, 6:-6].abs().mean((1, 2, 3))
        still = (pictures[:, 1:] - pictures[:, :1])[..., 6:-6, 6:-6].abs().mean((1, 2, 3))
        assert (gap < 0.35 * still + 1.0).all()
        seen.add(pictures.numpy().tobytes())
    assert len(seen) == 6


def test_large_movements_do_not_drown_small_ones() -> None:
    small = torch.full((1, 2, 16, 16), 0.02)
    large = 50 * small
    losses = []
    for flow in (small, large):
        quarter = 0.7 * flow[..., :4, :4]
        found = ((quarter[..., :1, :1], quarter[..., :2, :2]), quarter, quarter, quarter, flow * 0.7)
        losses.append(stage_losses(found, flow, strain_weight=1.0))
    assert 0.1 < float(losses[0]["flow"] / losses[1]["flow"]) < 1  # the error itself is a fiftieth
    assert losses[1]["small"] > 0


def test_large_movements_are_not_asked_of_the_small_branch() -> None:
    flow = torch.full((1, 2, 16, 16), 3.0)
    quarter = flow[..., :4, :4]
    coarse = (quarter[..., :1, :1], quarter[..., :2, :2])
    assert stage_losses((coarse, quarter, quarter * 0, quarter, flow), flow, strain_weight=1.0)["small"] == 0


def test_training_goes_on_where_it_was(tmp_path: Path) -> None:
    how = MicroFlowRecipe(steps=6, batch=4, pairs=8, warm_steps=2, save_every=3, check_every=100)
    whole = Trainer(how)
    fit(whole, made_up_pool(), {}, out=tmp_path)
    part = tmp_path / "part"
    part.mkdir()
    first = Trainer(how)
    for k in range(3):
        first.learn(*batch_of(made_up_pool(), rows_of(how, k, 8), np.random.default_rng([0, 3, k])))
    first.save(part / "checkpoint.pt")
    second = Trainer(how)
    second.load(part / "checkpoint.pt")
    fit(second, made_up_pool(), {}, out=part)
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_late_pairs_join_late_and_every_pair_comes_once_an_epoch() -> None:
    how = MicroFlowRecipe(pairs=12, late_pairs=8, late_from=6, batch=4)
    early = [rows_of(how, k, 20) for k in range(6)]
    assert sorted(np.concatenate(early[:3])) == sorted(np.concatenate(early[3:])) == list(range(12))
    assert not np.array_equal(np.concatenate(early[:3]), np.concatenate(early[3:]))
    assert sorted(np.concatenate([rows_of(how, k, 20) for k in range(6, 11)])) == list(range(20))


def test_the_shipped_file_computes_the_same_and_says_what_it_is(tmp_path: Path) -> None:
    import json

    torch.manual_seed(1)
    network = MicroFlowNetwork().eval()
    ship(network, {"seed": 0}, people=["a", "b"], scores={"clean": {"1": 0.5}}, out=tmp_path)
    card = json.loads((tmp_path / "micro_flow.json").read_text(encoding="utf-8"))
    assert len(card["subjects"]) == 2
    assert card["scores"]["clean"] == {"1": 0.5}
    assert (tmp_path / "micro_flow.onnx").stat().st_size < 5_000_000
    with torch.no_grad():
        network.fusion.out[1].bias.add_(0.1)
    with pytest.raises(RuntimeError, match="differs from torch's by 0.1"):
        same_flow(network, tmp_path / "micro_flow.onnx")
