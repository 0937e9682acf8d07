"""Folds trained together equal folds trained alone, and what is held out has no influence.

In double precision: Adam divides by the size of the gradient, so that in single precision the last digits of a sum that
nearly vanishes move a weight as much as anything else does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the research extra")

from torch import nn  # noqa: E402

from fleeting.errors import InputError  # noqa: E402
from fleeting.recognisers.fleeting.network import flow_net  # noqa: E402
from fleeting.recognisers.folds.fold_adam import FoldAdam  # noqa: E402
from fleeting.recognisers.folds.folded import Folded  # noqa: E402
from fleeting.recognisers.folds.many_folds import EpochSettings, LabelledRows, same_start, train_all, train_folds  # noqa: E402
from fleeting.recognisers.off_apexnet import off_apexnet  # noqa: E402
from fleeting.recognisers.ststnet import ststnet  # noqa: E402

ROWS = 24
NETWORKS: dict[str, tuple[Callable[..., nn.Module], int]] = {
    "ststnet": (ststnet, 28),
    "off-apexnet": (lambda **options: off_apexnet(hidden=16, **options), 28),
    "flow-net": (lambda dropout=0.3: flow_net(filters=(4, 6), dropout=(dropout, dropout)), 14),
}
SETTINGS = EpochSettings(
    epochs=3, batch_size=10, learning_rate=3e-3, weight_decay=0.01, schedule="one-cycle", shuffle=True, balanced=True,
    label_smoothing=0.1, extra_batch=4, extra_weight=0.5, device="cpu",
)  # fmt: skip


def rows(side: int, seed: int = 0, n: int = ROWS) -> LabelledRows:
    generator = torch.Generator().manual_seed(seed)
    # Flat areas as well: equal maxima must not count twice.
    inputs = (torch.rand(n, 3, side, side, generator=generator) * 4).round() * 20
    inputs[:, :, : side // 3] = 40.0
    return LabelledRows(inputs.double() / (1 if side == 28 else 40), torch.arange(n) % 3)


def networks_of(make: Callable[[], nn.Module], count: int, *, seed: int) -> list[nn.Module]:
    return [network.double() for network in same_start(make, count, seed=seed)]


def folds() -> list[np.ndarray]:
    everyone = np.arange(ROWS)
    return [everyone[everyone % 4 != k] for k in range(4)]


def noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return x + torch.randn(x.shape, generator=generator) * 0.1


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v.detach().clone() for k, v in network.state_dict().items() if v.is_floating_point()}


def assert_alike(one: nn.Module, other: nn.Module, *, start: nn.Module, share: float = 1e-6) -> None:
    """Weights agree to a small share of what the training has changed."""
    a, b, first = weights_of(one), weights_of(other), weights_of(start)
    for name, value in a.items():
        change = float((value - first[name]).abs().max())
        assert change > 0, f"{name} was not trained"
        # The bias before a batch norm or such may hardly move: then the last digits of the value count.
        torch.testing.assert_close(
            value, b[name], rtol=0, atol=share * change + 1e-12, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_folds_trained_together_equal_folds_trained_alone(name: str) -> None:
    make, side = NETWORKS[name]
    data, extra, start = rows(side), rows(side, seed=5), networks_of(make, 1, seed=1)[0]
    options = {"seed": 7, "augment": noise, "extra": extra}
    together = train_all(networks_of(make, 4, seed=1), data, folds(), SETTINGS, **options)
    in_pairs = train_all(networks_of(make, 4, seed=1), data, folds(), replace(SETTINGS, folds_at_once=2), **options)
    for i, fold in enumerate(folds()):
        (alone,) = train_all(networks_of(make, 1, seed=1), data, [fold], SETTINGS, **options)
        assert_alike(together[i], alone, start=start)
        assert_alike(together[i], in_pairs[i], start=start)
    a, b = (weights_of(together[i]) for i in (0, 1))
    assert any((a[k] - b[k]).abs().max() > 1e-4 for k in a), "folds of other rows must differ"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_plain_loop_of_torch_gives_the_same(name: str) -> None:
    make, side = NETWORKS[name]
    data = rows(side)
    plan = EpochSettings(epochs=3, batch_size=8, learning_rate=1e-3, device="cpu")
    # Held-out rows fill whole batches, so that the loop cuts the same batches from the fold's own rows; a fold takes no
    # step, and counts none, in a batch without rows of its own.
    own = [np.arange(8, ROWS), np.r_[np.arange(8), np.arange(16, ROWS)]]
    ours = train_all(networks_of(lambda: make(dropout=0.0), 2, seed=3), data, own, plan, seed=0)
    for i, fold in enumerate(own):
        (plain,) = networks_of(lambda: make(dropout=0.0), 1, seed=3)
        start, optimiser = copy.deepcopy(plain), torch.optim.Adam(plain.parameters(), lr=1e-3)
        plain.train()
        for _ in range(3):
            for x, y in zip(data.inputs[fold].split(8), data.labels[fold].split(8), strict=True):
                optimiser.zero_grad()
                nn.functional.cross_entropy(plain(x), y).backward()
                optimiser.step()
        assert_alike(ours[i], plain, start=start, share=1e-4)
        torch.testing.assert_close(ours[i].eval()(data.inputs), plain.eval()(data.inputs), rtol=1e-5, atol=1e-5)


def test_gradients_where_a_scale_of_the_batch_norm_is_negative() -> None:
    networks = networks_of(lambda: ststnet(dropout=0.0), 2, seed=0)
    with torch.no_grad():
        networks[1][0][1][2].weight[2] = -0.7
    data, own = rows(28), torch.zeros(2, ROWS, dtype=torch.bool)
    own[0, :20], own[1, 5:] = True, True
    folded = Folded(networks).train()
    out = folded(data.inputs, own)
    sum(nn.functional.cross_entropy(out[own[i], i], data.labels[own[i]]) for i in range(2)).backward()
    gradients = copy.deepcopy(networks)
    with torch.no_grad():
        for weight in folded.parameters():
            weight.copy_(weight.grad)
    folded.unfold(gradients)
    for i, network in enumerate(networks):
        nn.functional.cross_entropy(network.train()(data.inputs[own[i]]), data.labels[own[i]]).backward()
        for weight, found in zip(network.parameters(), gradients[i].parameters(), strict=True):
            torch.testing.assert_close(found, weight.grad, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_held_out_rows_have_no_influence(name: str) -> None:
    make, side = NETWORKS[name]
    data, changed = rows(side), rows(side)
    held_out = np.setdiff1d(np.arange(ROWS), folds()[0])
    changed.inputs[held_out] = rows(side, seed=9).inputs[held_out] * 3
    changed.labels[held_out] = (changed.labels[held_out] + 1) % 3
    trained = [
        train_all(networks_of(make, 4, seed=1), x, folds(), SETTINGS, seed=7, augment=noise, extra=rows(side, seed=5))
        for x in (data, changed)
    ]
    a, b = (weights_of(networks[0]) for networks in trained)
    for key, value in a.items():
        torch.testing.assert_close(value, b[key], rtol=0, atol=0)
    a, b = (weights_of(networks[1]) for networks in trained)  # these rows are its own
    assert any((value - b[key]).abs().max() > 1e-3 for key, value in a.items())


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_of_folds_equals_torch(decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 5, generator=generator)
    ours, theirs = values.clone().requires_grad_(), values.clone().requires_grad_()
    fold, oracle = FoldAdam([ours], weight_decay=decay), torch.optim.AdamW([theirs], lr=0.01, weight_decay=decay)
    for _ in range(5):
        gradient = torch.randn(3, 5, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fold.step(0.01, torch.ones(3, dtype=torch.bool))
        oracle.step()
    torch.testing.assert_close(ours, theirs)
    before = ours.detach().clone()
    fold.step(0.01, torch.tensor([True, False, True]))
    assert torch.equal(ours[1], before[1])
    assert not torch.equal(ours[0], before[0])


@pytest.mark.parametrize(("make", "weights"), [(ststnet, 1_683), (off_apexnet, 2_664_475), (flow_net, 3_747)])
def test_numbers_of_weights(make: Callable[[], nn.Module], weights: int) -> None:
    assert sum(p.numel() for p in make().parameters()) == weights


def test_every_epoch_shows_all_networks() -> None:
    plan = EpochSettings(epochs=2, batch_size=8, learning_rate=1e-2, device="cpu")
    seen = [
        weights_of(networks[1])
        for networks in train_folds(networks_of(ststnet, 4, seed=0), rows(28), folds(), plan, seed=0)
    ]
    assert len(seen) == 2
    assert any((seen[0][k] - seen[1][k]).abs().max() > 1e-4 for k in seen[0])


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(InputError, match="rows in every fold"):
        train_all(networks_of(ststnet, 1, seed=0), rows(28), [np.array([], np.int64)], SETTINGS, seed=0)
    with pytest.raises(InputError, match="GELU"):
        Folded([nn.Sequential(nn.GELU())])
