"""MiNet is guided by a frozen MaNet: each loss by hand, the ablations, and the recipe from clips to the file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

for needed in ("torch", "onnx", "safetensors", "openpyxl"):
    pytest.importorskip(needed, reason="needs the research extra")

import torch  # noqa: E402
from sequence_clips import moving_clips, stored_clips  # noqa: E402

from fleeting import weights  # noqa: E402
from fleeting.errors import DataError, SettingsError, WeightsError  # noqa: E402
from fleeting.faces.align import align, canonical_points, crop_transform  # noqa: E402
from fleeting.labels import THREE, THREE_CLASSES  # noqa: E402
from fleeting.naming.expression_net import expression_crop  # noqa: E402
from fleeting.recognisers.macro_to_micro import guide as macro_guide  # noqa: E402
from fleeting.recognisers.macro_to_micro.guide import MacroSettings, read_guide, train_manet  # noqa: E402
from fleeting.recognisers.macro_to_micro.network import (  # noqa: E402
    FRAMES,
    STRIDES,
    Discriminator,
    MiNetProbabilities,
    RelationClassifier,
    SpatialStream,
    TwoStream,
    apex_of,
    reverse_gradient,
    sampled,
)
from fleeting.recognisers.macro_to_micro.recogniser import (  # noqa: E402
    VARIANTS,
    MiNetSettings,
    MiNetTask,
    macro_to_micro,
    supervised_contrastive,
)
from fleeting.recognisers.macro_to_micro.still_faces import framed, still_faces  # noqa: E402
from fleeting.recognisers.sequences.clip_rows import ClipRows, clip_rows  # noqa: E402
from fleeting.recognisers.sequences.drawn_flow import DrawnFlowSettings  # noqa: E402
from fleeting.recognisers.sequences.fit import FitSettings  # noqa: E402
from fleeting.recognisers.sequences.synthetic_flow import SyntheticSettings  # noqa: E402
from fleeting.training.run import train  # noqa: E402

pytestmark = pytest.mark.torch

ONE = FitSettings(epochs=1, batch=6, optimiser="adamw", learning_rate=1e-3, device="cpu")
MACRO = MacroSettings(width=4, length=64, side=32, kept=8, still=ONE, moving=ONE)
PLAN = MiNetSettings(width=4, length=64, side=32, fit=ONE)


def faces(count: int = 12) -> tuple[ClipRows, ClipRows]:
    rng = np.random.default_rng(0)
    pictures = torch.from_numpy(rng.integers(0, 256, (count, 1, 1, 48, 48), dtype=np.uint8))
    rows = ClipRows(pictures, torch.arange(count) % 3)
    return rows, ClipRows(pictures[:6], rows.label[:6])


@pytest.fixture(scope="module")
def guide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guide") / "guide.safetensors"
    network, guide = train_manet(
        faces(), macro_guide.macro_rows(moving_clips(24, seed=4), MACRO, seed=0), MACRO, seed=0
    )
    macro_guide.write_guide(guide, network, path, MACRO)
    return path


def test_macro_expressions_of_flow_guide_without_still_faces(tmp_path: Path) -> None:
    drawn = DrawnFlowSettings(count=12, errors=6, movement=SyntheticSettings(faces=2))
    how = replace(MACRO, kind="flow", drawn=drawn)
    rows = macro_guide.drawn_rows(how, seed=0)
    assert [len(r) for r in rows] == [12, 3]
    shown = macro_guide.apexes(rows[0])
    assert shown.clips.shape == (12, 2, 1, 32, 32)
    torch.testing.assert_close(shown.clips[:, :, 0].float(), apex_of(rows[0].clips.float()))
    network, guide = train_manet(None, rows, how, seed=0)
    assert torch.equal(guide.map_label, guide.temporal_label)
    path = tmp_path / "guide.safetensors"
    macro_guide.write_guide(guide, network, path, how)
    # The same clips, seen by both streams.
    with torch.no_grad():
        expected = network.maps(apex_of(rows[0].clips[:8].float()))
    torch.testing.assert_close(guide.maps.float(), expected, atol=0.01, rtol=0.01)
    task = MiNetTask(replace(PLAN, kind="flow", start="macro", guide=str(path)), classes=3, seed=0)
    terms = task.loss(rows[0].clips[:4], rows[0].label[:4], torch.ones(3), torch.Generator().manual_seed(0))
    assert set(terms) == {"cross-entropy", "adversarial", "relation", "contrastive"}
    assert torch.equal(task.minet.state_dict()["spatial.0.weight"], network.state_dict()["spatial.0.weight"])


def test_the_spatial_stream_is_shaped_as_resnet_18() -> None:
    stream = SpatialStream(width=64)
    assert stream(torch.zeros(1, 1, 112, 112)).shape == (1, 512, 4, 4)
    # torchvision's resnet18 without its last layer has 11,176,512 parameters; two of three input channels fall away.
    assert sum(p.numel() for p in stream.parameters()) == 11_176_512 - 2 * 64 * 49


def test_both_streams_and_the_size_of_the_file() -> None:
    network = TwoStream(3, length=64).eval()
    seen = network(torch.randint(0, 256, (2, 1, 64, 112, 112), dtype=torch.uint8))
    assert seen.maps.shape == (2, 192, 4, 4)
    assert (seen.spatial.shape, seen.temporal.shape, seen.logits.shape) == ((2, 192), (2, 128), (2, 3))
    torch.testing.assert_close(seen.spatial, seen.maps.mean((2, 3)))
    assert 2 * sum(p.numel() for p in network.parameters()) < 5e6  # bytes, in half precision


def test_the_apex_is_the_frame_that_differs_most() -> None:
    clips = torch.zeros(2, 1, 5, 4, 4)
    clips[0, 0, 3] = 9.0
    clips[0, 0, 4] = 5.0
    clips[1] = 7.0
    clips[1, 0, 1, 0, 0] = 8.0
    apex = apex_of(clips)
    assert apex.shape == (2, 1, 4, 4)
    assert (apex[0] == 9).all()
    assert apex[1, 0, 0, 0] == 8


def test_sampling_at_a_stride() -> None:
    clips = torch.arange(64.0).reshape(1, 1, 64, 1, 1).expand(1, 1, 64, 2, 2)
    for stride in STRIDES:
        start = macro_guide.middle(64, stride)
        times = sampled(clips, stride, start)[0, 0, :, 0, 0]
        assert len(times) == FRAMES
        assert (times.diff() == stride).all()
        assert abs(float(times[0] + times[-1]) - 63) <= 1  # around the middle
    short = sampled(clips[:, :, :20], 4, 0)[0, 0, :, 0, 0]  # stretched: all of it is seen
    assert len(short) == FRAMES
    assert float(short[-1]) == pytest.approx(19, abs=0.1)


def test_the_reversed_gradient() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (reverse_gradient(x) * torch.tensor([3.0, 4.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-3.0, -4.0]
    assert torch.equal(reverse_gradient(x), x)
    assert Discriminator(8)(torch.zeros(2, 8, 1, 1)).shape == (2, 1)
    assert RelationClassifier()(torch.zeros(2, 256)).shape == (2, 3)


def test_supervised_contrastive_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    label = torch.tensor([0, 0, 1, 2])
    t = 0.5
    # Row 0 has one positive, row 1; cosines 1, 0, cos 45 with the others. Row 1 the same. Rows 2 and 3 have none.
    share = math.exp(1 / t) / (math.exp(1 / t) + math.exp(0) + math.exp(math.cos(math.pi / 4) / t))
    assert float(supervised_contrastive(features, label, temperature=t)) == pytest.approx(-math.log(share), rel=1e-5)
    assert float(supervised_contrastive(features, torch.arange(4), temperature=t)) == 0.0
    together = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    pairs = torch.tensor([0, 0, 1, 1])
    apart = together[[0, 2, 1, 3]]
    assert supervised_contrastive(together, pairs, temperature=t) < supervised_contrastive(apart, pairs, temperature=t)


def test_manet_is_frozen_and_its_guide_comes_back(guide_file: Path, tmp_path: Path) -> None:
    guide, state = read_guide(guide_file)
    assert guide.maps.shape == (8, 32, 1, 1)
    assert guide.temporal.shape == (3, 8, 128)
    assert set(guide.map_label.tolist()) <= {0, 1, 2}
    network = TwoStream(3, length=64, width=4)
    network.load_state_dict(state)
    network.eval()
    rows, _ = faces()
    maps = network.maps(macro_guide.enlarged(rows.clips[:8, :, 0], 32))
    torch.testing.assert_close(maps.half(), guide.maps)
    assert not torch.equal(guide.temporal[0], guide.temporal[2])
    with pytest.raises(WeightsError, match="a guide of MaNet"):
        read_guide(tmp_path / "none.safetensors")
    trained, _ = train_manet(faces(), macro_guide.macro_rows(moving_clips(24, seed=4), MACRO, seed=0), MACRO, seed=0)
    assert not any(p.requires_grad for p in trained.parameters())
    # What the temporal training must leave alone, batch norms included.
    for name, value in trained.spatial.state_dict().items():
        assert torch.equal(value, state[f"spatial.{name}"]), name


@pytest.mark.parametrize("name", VARIANTS)
def test_each_loss_can_be_left_out(name: str, guide_file: Path) -> None:
    plan = macro_to_micro(name, plan=replace(PLAN, guide=str(guide_file))).plan
    task = MiNetTask(plan, classes=3, seed=0)
    clips = torch.randint(0, 256, (4, 1, 64, 32, 32), dtype=torch.uint8)
    terms = task.loss(clips, torch.tensor([0, 1, 2, 0]), torch.ones(3), torch.Generator().manual_seed(0))
    guiding = {"adversarial", "relation", "contrastive"}
    expected = {"minet": set(), "macro-to-micro": guiding}.get(name, {name.removeprefix("minet-")})
    assert set(terms) == {"cross-entropy"} | expected
    assert all(bool(t.isfinite()) for t in terms.values())
    sum(t for k, t in terms.items() if k != "cross-entropy" or name == "minet").backward()  # type: ignore[union-attr]
    reached = {n.split(".")[0] for n, p in task.minet.named_parameters() if p.grad is not None}
    assert reached >= {"adversarial": {"spatial"}, "relation": {"temporal"}}.get(name.removeprefix("minet-"), set())
    if name == "minet-relation":
        assert "spatial" not in reached


def test_the_discriminator_learns_and_minet_is_pushed_the_other_way(guide_file: Path) -> None:
    task = MiNetTask(
        macro_to_micro("minet-adversarial", plan=replace(PLAN, guide=str(guide_file))).plan, classes=3, seed=0
    )
    micro = torch.randn(6, 32, 1, 1, requires_grad=True)
    macro = torch.randn(6, 32, 1, 1)
    loss = task._adversarial(micro, macro)
    loss.backward()
    assert micro.grad is not None
    with torch.no_grad():  # along its gradient MiNet makes the discriminator's loss larger
        assert task._adversarial(micro - 0.5 * micro.grad / micro.grad.norm(), macro) > loss


def test_relations_are_told_from_the_strides(guide_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = MiNetTask(
        macro_to_micro("minet-relation", plan=replace(PLAN, guide=str(guide_file))).plan, classes=3, seed=0
    )
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    real = torch.nn.functional.cross_entropy
    monkeypatch.setattr(
        "fleeting.recognisers.macro_to_micro.recogniser.functional.cross_entropy",
        lambda logits, truth: (seen.append((logits, truth)), real(logits, truth))[1],
    )
    clips = torch.randint(0, 256, (5, 1, 64, 32, 32), dtype=torch.uint8)
    assert task._guide is not None
    draws = torch.Generator().manual_seed(3)
    task._relation(clips, task._guide.temporal[:, :5], draws)
    again = torch.Generator().manual_seed(3)
    mine = int(torch.randint(3, (1,), generator=again))
    others = torch.randint(3, (5,), generator=again)
    expected = [0 if mine < o else 1 if mine == o else 2 for o in others.tolist()]
    assert seen[0][1].tolist() == expected


def test_a_guide_is_needed_where_macro_expressions_guide(guide_file: Path) -> None:
    with pytest.raises(SettingsError, match="at least 61 frames"):
        replace(PLAN, length=60)
    with pytest.raises(SettingsError, match="the file of MaNet's guide"):
        MiNetTask(PLAN, classes=3, seed=0)
    started = MiNetTask(
        replace(macro_to_micro("minet", plan=PLAN).plan, start="macro", guide=str(guide_file)), classes=3, seed=0
    )
    _, state = read_guide(guide_file)
    assert torch.equal(started.minet.state_dict()["temporal.0.weight"], state["temporal.0.weight"])
    first = macro_to_micro(plan=replace(PLAN, guide=str(guide_file))).settings()
    assert len(first["guide"]) == 64  # by its content, not by its place
    assert "minet" not in first["name"]


def test_it_learns_what_moves() -> None:
    data = moving_clips(36, frames=16)
    train_rows, test = data.select(np.arange(24)), moving_clips(18, seed=9, frames=16)
    plan = replace(
        PLAN, relation=0.0, length=16, width=8, dropout=0.0, fit=replace(ONE, epochs=14, shift=0.0, learning_rate=3e-3)
    )
    fitted = macro_to_micro("minet", plan=plan).fit(train_rows, None, seed=0)
    found = fitted.probabilities(test)
    assert (found.argmax(1) == test.label).mean() > 0.7
    task = fitted.task
    assert isinstance(task, MiNetTask)
    rows = clip_rows(test, kind="grey", length=16, side=32)
    shipped = MiNetProbabilities(task.minet).eval()(rows.clips).detach().numpy()
    np.testing.assert_allclose(shipped, found, atol=1e-5)


def test_still_faces_have_the_classes_of_micro_expressions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for place, word in enumerate(("angry", "happy", "surprise", "neutral") * 16):
        folder = tmp_path / "train" / word
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{place}.png"), rng.integers(0, 256, (48, 48), dtype=np.uint8))
    training, validation = still_faces(tmp_path, THREE, most=12, seed=0)
    assert training.clips.shape == (12, 1, 1, 48, 48)
    assert set(training.label.tolist()) <= {0, 1, 2}
    assert 0 < len(validation) <= 3
    with pytest.raises(DataError):
        still_faces(tmp_path / "none", THREE, most=0, seed=0)


def test_still_faces_are_framed_as_the_crops_of_clips() -> None:
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (400, 400), dtype=np.uint8), (0, 0), 6)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    points = canonical_points(140) + [120.0, 110.0]
    as_fer2013 = expression_crop(picture, points)
    crop = align(picture, crop_transform(points))
    wanted = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
    (found,) = framed(as_fer2013[None])
    assert found.shape == (48, 48)
    likeness = [np.corrcoef(p.ravel(), wanted.ravel())[0, 1] for p in (found.astype(float), as_fer2013.astype(float))]
    assert likeness[0] > 0.97 > 0.6 > likeness[1]
    # A shift by one pixel is worse: the middle is where it should be.
    shifted = [np.corrcoef(np.roll(found, s, a)[4:-4, 4:-4].ravel(), wanted[4:-4, 4:-4].ravel())[0, 1]
               for s in (-1, 1) for a in (0, 1)]  # fmt: skip
    assert max(shifted) < np.corrcoef(found[4:-4, 4:-4].ravel(), wanted[4:-4, 4:-4].ravel())[0, 1]


RECIPE = """
task = "macro_to_micro"
faces = "faces"
[source]
sets = ["prepared=micro.npz"]
macro = ["prepared=macro.npz"]
validation_percent = 25
test_percent = 25
[macro]
width = 4
length = 64
side = 32
kept = 8
still = {epochs = 1, batch = 8, optimiser = "adamw", device = "cpu"}
moving = {epochs = 1, batch = 8, optimiser = "adamw", device = "cpu"}
[network]
width = 4
length = 64
side = 32
[network.fit]
epochs = 1
batch = 6
optimiser = "adamw"
device = "cpu"
"""


def test_the_recipe_trains_both_and_ships_minet(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    for place in range(60):
        folder = tmp_path / "faces" / "train" / ("angry", "happy", "surprise")[place % 3]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{place}.png"), rng.integers(0, 256, (48, 48), dtype=np.uint8))
    stored_clips(tmp_path / "micro.npz", moving_clips(36))
    stored_clips(tmp_path / "macro.npz", moving_clips(18, seed=5), kind="macro", dataset="posed")
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    train(tmp_path / "recipe.toml", data=tmp_path, out=tmp_path / "out")
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} >= {
        "macro_guide.safetensors", "macro_to_micro.onnx", "macro_to_micro.json", "checkpoint.pt", "still", "moving",
        "tensorboard",
    }  # fmt: skip
    card = weights.card("macro_to_micro", folder=out)
    assert card["labels"] == list(THREE_CLASSES)
    assert "guided" in card["architecture"]
    assert "held" not in card["scores"]
    session = weights.session("macro_to_micro", folder=out)
    for count in (1, 2):
        (found,) = session.run(None, {"clips": np.zeros((count, 1, 64, 32, 32), np.uint8)})
        assert found.shape == (count, 3)
    text = RECIPE.replace('macro = ["prepared=macro.npz"]\n', "")
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="macro-expressions; got none"):
        train(tmp_path / "recipe.toml", data=tmp_path, out=tmp_path / "other")
