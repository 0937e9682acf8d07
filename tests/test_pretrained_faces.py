"""The beginning with a face recogniser's first layers: how they are read, turned, and what the network then says."""

from __future__ import annotations

import hashlib
import importlib.machinery
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra 'research'")

import torch
import torch.nn.functional as functional
from torch import Tensor

from fleeting.errors import SettingsError
from fleeting.models.expression_net import ExpressionNetwork
from fleeting.training import pretrained_faces
from fleeting.training.expression_check import check
from fleeting.training.expression_pictures import Labelled
from fleeting.training.expression_recipe import ExpressionRecipe, NetworkSettings
from fleeting.training.expression_teachers import beginning
from fleeting.training.pretrained_faces import (
    BLOCKS,
    FILE,
    WIDTHS,
    Layer,
    begin_with,
    enlarged_twice,
    read_layers,
    shapes,
    weights_file,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def layers() -> list[Layer]:
    """Random layers as small as the recogniser's; its maps keep about the same size through them."""
    rng, found = np.random.default_rng(0), []
    for outputs, inputs, side in shapes():
        weight = rng.normal(0, 0.01, (outputs, inputs, side, side))
        bias, shift = rng.normal(0, 0.01, outputs), rng.normal(0, 0.3, outputs)
        scale = rng.uniform(0.5, 1.0, outputs) / (0.01 * np.sqrt(inputs * side**2))
        found.append(Layer(*(np.asarray(v, np.float32) for v in (weight, bias, scale, shift))))
    return found


def stored(layers: list[Layer]) -> bytes:
    """What dlib would write of them, with other things before, between and behind."""

    def tensor(*values: Any) -> bytes:
        flat = np.concatenate([np.ravel(v) for v in values]).astype("<f4")
        size = flat.size.to_bytes((flat.size.bit_length() + 7) // 8, "little")
        return b"\x01\x02" + bytes([len(size)]) + size + b"\x01\x01" * 3 + flat.tobytes()

    parts = [b"\x01\x01\x0binput_rgb_image"]
    for layer in layers:
        parts += [b"\x05con_4", tensor(layer.weight, layer.bias), b"\x07affine_", tensor(layer.scale, layer.shift)]
    return b"".join([*parts, b"\x05con_4", tensor(np.zeros(256 * 128 * 9 + 256))])


def test_the_layers_are_read_in_their_order(layers: list[Layer]) -> None:
    content = stored(layers)
    for read, written in zip(read_layers(content), layers, strict=True):
        for name in ("weight", "bias", "scale", "shift"):
            np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    with pytest.raises(SettingsError, match="a tensor of 147584 values"):
        read_layers(content[: len(content) // 2])


def test_the_first_convolution_sees_the_enlarged_picture() -> None:
    torch.manual_seed(0)
    picture, weight = torch.rand(2, 1, 48, 48), torch.randn(4, 1, 7, 7)
    double = functional.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
    expected = functional.conv2d(double, weight, stride=2, padding=3)
    found = functional.conv2d(picture, torch.from_numpy(enlarged_twice(weight.numpy())), padding=2)
    torch.testing.assert_close(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-4, rtol=1e-4)


def recognised(layers: list[Layer], maps: Tensor) -> Tensor:
    """What the recogniser's blocks make of the maps behind its stem, all in its own terms."""

    def run(layer: Layer, x: Tensor, stride: int) -> Tensor:
        weight, bias, scale, shift = (torch.from_numpy(v) for v in (layer.weight, layer.bias, layer.scale, layer.shift))
        return functional.conv2d(x, weight, bias, stride, 1) * scale[:, None, None] + shift[:, None, None]

    for first, second in zip(layers[1::2], layers[2::2], strict=True):
        down = first.weight.shape[0] > first.weight.shape[1]
        y = run(second, torch.relu(run(first, maps, 2 if down else 1)), 1)
        if down:
            maps = functional.avg_pool2d(maps, 2)
            maps = torch.cat([maps, torch.zeros_like(maps)], 1)
        maps = torch.relu(maps + y)
    return maps


def test_the_network_begins_as_the_recogniser(layers: list[Layer]) -> None:
    torch.manual_seed(0)
    net = ExpressionNetwork(widths=WIDTHS, blocks=BLOCKS, stem="pooled")
    pictures = torch.randn(24, 1, 6, 6).repeat_interleave(8, 2).repeat_interleave(8, 3)
    begin_with(net, layers, pictures)
    # Weights are as large as gives their channels a variance of 1: a usual step changes them by a small part.
    for block in net.trunk:
        torch.testing.assert_close(
            block.first[1].running_var, torch.ones(block.first[1].num_features), atol=0.1, rtol=0
        )
    other = pictures[:4].flip(3)
    with torch.no_grad():
        maps = net.stem(other)
        expected = recognised(layers, maps)
        assert 0.1 < float(expected.std()) < 100
        torch.testing.assert_close(net.trunk(maps), expected, atol=2e-3 * float(expected.std()), rtol=0)
        # In training, where the pictures at hand normalise, it begins as the same, too.
        net.train()
        for module in net.modules():
            if hasattr(module, "drop"):
                module.drop = 0.0
        again = net.trunk(net.stem(pictures))
        net.eval()
        torch.testing.assert_close(again, net.trunk(net.stem(pictures)), atol=0.1 * float(expected.std()), rtol=0)


def test_other_networks_cannot_begin_with_it(layers: list[Layer]) -> None:
    for wrong in ({"stem": "unshuffled"}, {"blocks": (1, 2, 2)}, {"widths": (16, 64, 128)}):
        net = ExpressionNetwork(**({"widths": WIDTHS, "blocks": BLOCKS, "stem": "pooled"} | wrong))
        with pytest.raises(SettingsError, match=r"widths \[32, 64, 128\], blocks \[3, 4, 3\] and stem = 'pooled'"):
            begin_with(net, layers, torch.zeros(2, 1, 48, 48))
    with pytest.raises(ValueError, match="Expected a stem that is one of unshuffled, pooled, got 'padded'"):
        ExpressionNetwork(stem="padded")  # type: ignore[arg-type]


def installed(folder: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name in `folder`, and no other."""
    monkeypatch.setattr(sys, "path", [str(folder)])
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    importlib.invalidate_caches()
    if content is not None:
        models = folder / "face_recognition_models" / "models"
        models.mkdir(parents=True)
        # Imported, it would fail, as the package does beside a late setuptools.
        (models.parent / "__init__.py").write_text("raise ImportError('pkg_resources')")
        (models / FILE).write_bytes(content)


def test_a_recipe_begins_with_the_installed_weights(
    layers: list[Layer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = stored(layers)
    installed(tmp_path, content, monkeypatch)
    monkeypatch.setattr(pretrained_faces, "SHA256", hashlib.sha256(content).hexdigest())
    assert weights_file().parent == tmp_path / "face_recognition_models" / "models"
    recipe = ExpressionRecipe(pretrained="dlib", model=NetworkSettings(0.1, [32, 64, 128], [3, 4, 3], 0.1, "pooled"))
    check(recipe)
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (16, 1, 48, 48)).astype(np.uint8))
    data = Labelled(pictures, torch.zeros(16, 7), torch.zeros(16, 7), torch.zeros(16, dtype=torch.int64))
    first, second = (beginning(recipe, data, beside=tmp_path) for _ in range(2))
    assert isinstance(first, ExpressionNetwork)
    assert second is not None
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    # Up to the scale of each channel, the weights are those of the file.
    mine, its = first.trunk[4].first[0].weight.detach().flatten(1), torch.from_numpy(layers[9].weight).flatten(1)
    torch.testing.assert_close(functional.cosine_similarity(mine, its), torch.ones(len(its)), atol=1e-5, rtol=0)


def test_missing_or_other_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, None, monkeypatch)
    with pytest.raises(SettingsError, match="pip install face_recognition_models"):
        weights_file()
    installed(tmp_path, b"another", monkeypatch)
    with pytest.raises(SettingsError, match=r"SHA-256 55533b28a958…; got ae448ac86c4e…"):
        weights_file()


def test_a_training_begins_with_one_thing() -> None:
    with pytest.raises(SettingsError, match="pretrained or begins_as; got both, dlib and first"):
        check(ExpressionRecipe(pretrained="dlib", begins_as="first"))
