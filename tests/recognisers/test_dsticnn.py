"""DSTICNN is the network of table 1, its streams teach each other, and a stopped training goes on as if it had not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sequence_clips import moving_clips  # noqa: E402
from stopped_trainings import stopped_after  # noqa: E402

from fleeting.errors import DataError, SettingsError  # noqa: E402
from fleeting.motion.clip_input import clip_input  # noqa: E402
from fleeting.recognisers.dsticnn.network import Dsticnn, DsticnnProbabilities, Stream, features_of  # noqa: E402
from fleeting.recognisers.dsticnn.recogniser import (  # noqa: E402
    VARIANTS,
    DsticnnRecogniser,
    DsticnnSettings,
    DsticnnTask,
    dsticnn,
    jensen_shannon,
)
from fleeting.recognisers.sequences import fit as sequence_fit  # noqa: E402
from fleeting.recognisers.sequences.clip_rows import (  # noqa: E402
    ClipRows,
    changed,
    class_weights,
    clip_rows,
    standardise,  # noqa: E402
)
from fleeting.recognisers.sequences.fit import FitSettings, SequenceTrainer  # noqa: E402
from fleeting.training.loop import choose_device  # noqa: E402

pytestmark = pytest.mark.torch

TABLE = [
    ("conv1", (16, 16, 56, 56)),
    ("pool1", (16, 16, 28, 28)),
    ("conv2", (32, 16, 28, 28)),
    ("pool2", (32, 8, 14, 14)),
    ("conv3", (64, 8, 14, 14)),
    ("pool3", (64, 4, 7, 7)),
    ("conv4", (128, 1, 7, 7)),
    ("pool4", (128, 1, 6, 6)),
]
"""Channels, time, height, width after each layer of table 1, for either stream."""

FIT = FitSettings(epochs=3, batch=4, learning_rate=0.02, device="cpu")
QUICK = DsticnnSettings(length=8, side=32, dropout=0.0, fit=FIT)


@pytest.mark.parametrize(("frames", "parameters"), [(32, 364_848), (64, 365_424)])
def test_every_layer_is_that_of_table_1(frames: int, parameters: int) -> None:
    stream = Stream(frames=frames)
    seen: dict[str, tuple[int, ...]] = {}
    for name, _ in TABLE:
        getattr(stream, name).register_forward_hook(lambda m, i, o, name=name: seen.update({name: tuple(o.shape[1:])}))
    stream(torch.zeros(1, 1, frames, 112, 112))
    assert list(seen.items()) == TABLE
    assert sum(p.numel() for p in stream.parameters()) == parameters


def test_the_kernels_of_table_1() -> None:
    kernels = {32: (4, 3, 3), 64: (8, 3, 3)}
    strides = {32: (2, 2, 2), 64: (4, 2, 2)}
    for frames in (32, 64):
        stream = Stream(frames=frames)
        assert stream.conv1.kernel_size == kernels[frames]
        assert stream.conv1.stride == strides[frames]
        assert [stream.conv2.kernel_size, stream.conv3.kernel_size, stream.conv4.kernel_size] == [
            (3, 3, 3),
            (3, 3, 3),
            (4, 3, 3),
        ]
        assert (stream.pool4.kernel_size, stream.pool4.stride) == ((1, 2, 2), (2, 1, 1))


@pytest.mark.parametrize("side", [32, 56, 64, 112])
@pytest.mark.parametrize("kind", ["grey", "change", "flow"])
def test_both_streams_agree_in_shape_at_every_side_and_input(side: int, kind: str) -> None:
    channels = {"grey": 1, "change": 1, "flow": 2}[kind]
    network = Dsticnn(3, length=16, side=side, kind=kind).eval()  # type: ignore[arg-type]
    answer = network(torch.randint(0, 256, (2, channels, 16, side, side), dtype=torch.uint8))
    assert [f.shape for f in answer.features] == [(2, features_of(side))] * 2
    assert [a.shape for a in answer.logits] == [(2, 3)] * 2
    fused = answer.fused().exp()
    expected = (answer.logits[0].softmax(1) + answer.logits[1].softmax(1)) / 2
    torch.testing.assert_close(fused, expected)
    if side == 112:
        assert features_of(side) == 4608


def test_the_shipped_form_is_the_fused_answer_and_a_temperature_softens_it() -> None:
    network = Dsticnn(3, length=8, side=32).eval()
    clips = torch.randint(0, 256, (2, 1, 8, 32, 32), dtype=torch.uint8)
    fused, one, other = DsticnnProbabilities(network)(clips)
    torch.testing.assert_close(fused, (one + other) / 2, atol=1e-5, rtol=1e-4)
    softer = DsticnnProbabilities(network, temperature=3.0)(clips)[0]
    assert (softer.max(1).values < fused.max(1).values).all()
    torch.testing.assert_close(softer.sum(1), torch.ones(2))


def test_light_and_size_of_the_movement_do_not_decide() -> None:
    clips = torch.randint(60, 120, (1, 1, 8, 32, 32)).float()
    torch.testing.assert_close(standardise(clips, "grey"), standardise(clips * 2 + 10, "grey"))
    assert standardise(clips, "change")[:, :, 0].abs().max() == 0
    torch.testing.assert_close(standardise(clips, "change"), standardise(clips + 50, "change"))
    flow = torch.randint(100, 156, (1, 2, 8, 32, 32)).float()
    torch.testing.assert_close(standardise(flow, "flow"), standardise((flow - 128) / 4 + 128, "flow"))
    assert not standardise(torch.full((1, 1, 8, 32, 32), 7.0), "grey").isnan().any()


def test_jensen_shannon_by_hand() -> None:
    one = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    other = torch.tensor([[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]])
    middle = (one + other) / 2
    expected = torch.zeros(2)
    for p in (one, other):
        expected += torch.where(p > 0, p * (p / middle).log(), torch.zeros_like(p)).sum(1) / 2
    assert float(expected[1]) == pytest.approx(math.log(2))
    assert float(jensen_shannon((one + 1e-12).log(), (other + 1e-12).log())) == pytest.approx(float(expected.mean()))
    assert float(jensen_shannon(one, one)) == pytest.approx(0.0, abs=1e-7)


@torch.no_grad()
def test_the_interaction_pulls_both_streams_together_and_each_term_can_be_left_out() -> None:
    clips = torch.randint(0, 256, (4, 1, 8, 32, 32), dtype=torch.uint8)
    label, weight, draw = torch.tensor([0, 1, 2, 0]), torch.ones(3), torch.Generator()
    for name, keys in (("dsticnn", {"js", "mse"}), ("dsticnn-js", {"js"}), ("dsticnn-mse", {"mse"}),
                       ("dsticnn-none", set())):  # fmt: skip
        task = DsticnnTask(dsticnn(name, plan=QUICK).plan, classes=3, seed=0)
        terms = task.loss(clips, label, weight, draw)
        assert set(terms) == {"cross-entropy 32 frames", "cross-entropy 64 frames"} | keys
    task = DsticnnTask(replace(QUICK, js=2.0, mse=3.0), classes=3, seed=0)
    answer = task.network(clips)
    terms = task.loss(clips, label, weight, draw)
    assert float(terms["js"]) == pytest.approx(2 * 2.0 * float(jensen_shannon(*answer.logits)), rel=1e-5)
    mse = torch.nn.functional.mse_loss(*answer.features)
    assert float(terms["mse"]) == pytest.approx(2 * 3.0 * float(mse), rel=1e-5)


def test_it_learns_what_moves_where_one_picture_tells_nothing() -> None:
    data = moving_clips(36)
    train, test = data.select(np.arange(24)), moving_clips(18, seed=9)
    plan = replace(QUICK, kind="change", fit=replace(FIT, epochs=14, shift=0.0, optimiser="adamw", learning_rate=2e-3))
    fitted = DsticnnRecogniser(plan=plan).fit(train, None, seed=0)
    answers = fitted.by_answer(test)
    assert list(answers) == ["fused", "32 frames", "64 frames"]
    np.testing.assert_array_equal(answers["fused"], fitted.probabilities(test))
    assert (answers["fused"].argmax(1) == test.label).mean() > 0.8
    np.testing.assert_allclose(answers["fused"].sum(1), 1, atol=1e-5)
    blind = replace(test, label=np.zeros_like(test.label))
    np.testing.assert_array_equal(fitted.probabilities(blind), answers["fused"])


def test_the_same_seed_gives_the_same_weights_and_others_do_not() -> None:
    data = moving_clips(9)
    first, again, other = (dsticnn(plan=QUICK).fit(data, None, seed=s).probabilities(data) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_stopped_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    data = moving_clips(18)
    plan = replace(QUICK, dropout=0.5, fit=replace(FIT, epochs=4))
    rows = clip_rows(data, kind="grey", length=8, side=32)
    watched = ClipRows(rows.clips[:6], rows.label[:6])

    def trainer() -> SequenceTrainer:
        return SequenceTrainer(DsticnnTask(plan, classes=3, seed=5), plan.fit, classes=3, seed=5)

    whole = trainer()
    whole.fit(rows, watched, out=tmp_path / "whole", recipe=plan)
    killed = trainer()
    with stopped_after(2):
        killed.fit(rows, watched, out=tmp_path / "killed", recipe=plan)
    resumed = trainer()
    resumed.fit(rows, watched, out=tmp_path / "killed", recipe=plan)
    assert resumed.epoch == 4
    for name, value in whole.task.network.state_dict().items():
        assert torch.equal(value, resumed.task.network.state_dict()[name]), name
    history = [(tmp_path / n / "history.jsonl").read_text().splitlines() for n in ("whole", "killed")]
    assert [len(h) for h in history] == [4, 4]
    assert list((tmp_path / "whole" / "tensorboard").glob("events.*"))
    with pytest.raises(SettingsError, match="the recipe that this training was started with"):
        trainer().fit(rows, watched, out=tmp_path / "killed", recipe=replace(plan, js=0.5))


def test_the_best_epoch_by_validation_subjects_is_kept_and_patience_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clip_rows(moving_clips(9), kind="grey", length=8, side=32)
    settings = replace(FIT, epochs=9, patience=2)
    trainer = SequenceTrainer(DsticnnTask(QUICK, classes=3, seed=0), settings, classes=3, seed=0)
    states, losses = [], iter([3.0, 1.0, 2.0, 2.5, 0.1])
    watch = SequenceTrainer._watch

    def watched(self: SequenceTrainer, validation: ClipRows) -> dict[str, float]:
        states.append({k: v.clone() for k, v in self.task.network.state_dict().items()})
        monkeypatch.setattr(
            sequence_fit.functional, "nll_loss", lambda *_: torch.tensor(next(losses))
        )  # what the validation says
        return watch(self, validation)

    monkeypatch.setattr(SequenceTrainer, "_watch", watched)
    trainer.fit(rows, rows)
    assert (trainer.epoch, trainer.best_epoch) == (4, 2)
    for name, value in trainer.task.network.state_dict().items():
        assert torch.equal(value, states[1][name])


def test_classes_count_the_same_and_absent_ones_nothing() -> None:
    weights = class_weights(torch.tensor([0, 0, 0, 1, 3, 3]), 4)
    assert weights.tolist() == pytest.approx([2 / 3, 2.0, 0.0, 1.0])


def test_mirroring_turns_u_and_nothing_else() -> None:
    clips = torch.randint(1, 256, (1, 3, 2, 32, 32), dtype=torch.uint8)
    rows = ClipRows(clips, torch.zeros(1, dtype=torch.int64), flow_axis=1)
    for seed in range(20):
        draw = torch.Generator().manual_seed(seed)
        turned = changed(rows, torch.tensor([0]), flip=True, shift=0.0, draw=draw)
        if not torch.equal(turned, clips):
            break
    flipped = clips.flip(-1).int()
    assert torch.equal(turned[:, 0].int(), flipped[:, 0])
    assert torch.equal(turned[:, 1].int(), 256 - flipped[:, 1])
    assert torch.equal(turned[:, 2].int(), flipped[:, 2])
    assert torch.equal(changed(rows, torch.tensor([0]), flip=False, shift=0.0, draw=draw), clips)
    moved = changed(rows, torch.tensor([0]), flip=False, shift=0.2, draw=draw)
    assert moved.shape == clips.shape
    assert not torch.equal(moved, clips)


def test_what_cannot_be_trained_is_refused() -> None:
    data = moving_clips(6)
    with pytest.raises(DataError, match="clips"):
        dsticnn(plan=QUICK).fit(replace(data, sequence=None, flow=np.zeros((6, 28, 28, 3), np.uint8)), None, seed=0)
    with pytest.raises(SettingsError, match="at least 1 epoch"):
        FitSettings(epochs=0)
    with pytest.raises(SettingsError, match="a shift of 0"):
        FitSettings(shift=0.5)
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="a CUDA device"):
            choose_device("cuda")
    assert set(VARIANTS) >= {"dsticnn", "dsticnn-none", "dsticnn-js", "dsticnn-mse"}
    assert "device" not in dsticnn().settings()["fit"]


def test_flow_input_shows_where_it_went_and_its_size_does_not_count() -> None:
    pictures = cv2_blobs()
    grey = clip_input(pictures, kind="grey", length=6, side=32)
    assert grey.shape == (1, 6, 32, 32)
    flow = clip_input(pictures, kind="flow", length=6, side=32)
    assert (flow[:, 0] == 128).all()
    assert flow[0, 5].max() > 200  # to the right
    assert abs(float(flow[1, 5].astype(int).mean()) - 128) < 20
    with pytest.raises(SettingsError, match="a kind of input"):
        clip_input(pictures, kind="gray", length=6, side=32)


def cv2_blobs() -> np.ndarray:
    """A textured patch that goes to the right by 0.6 pixels a frame on a textured ground."""
    import cv2

    rng = np.random.default_rng(3)
    ground = cv2.GaussianBlur(rng.uniform(0, 255, (136, 112)).astype(np.float32), (0, 0), 2)
    weight = cv2.GaussianBlur(np.pad(np.ones((40, 40), np.float32), ((48, 48), (36, 36))), (0, 0), 6)
    x, y = np.meshgrid(np.arange(112, dtype=np.float32), np.arange(136, dtype=np.float32))
    frames = [cv2.remap(ground, x - 0.6 * t * weight, y, cv2.INTER_LINEAR) for t in range(6)]
    scaled = [np.clip((f - ground.min()) / (ground.max() - ground.min()) * 255, 0, 255) for f in frames]
    return np.stack(scaled).astype(np.uint8)


def test_a_benchmark_scores_every_answer_and_goes_on(tmp_path: Path) -> None:
    import pandas as pd

    from fleeting.evaluation.benchmark.data import benchmark_data
    from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark

    data = benchmark_data([("made", moving_clips(18))])
    plan = BenchmarkSettings("dsticnn", protocol="kfold", folds=2, draws=10)
    model = dsticnn(plan=replace(QUICK, fit=replace(FIT, epochs=1)))
    found = run_benchmark(data, model, plan, out=tmp_path / "run")
    assert list(found["answers"]) == ["fused", "32 frames", "64 frames"]
    assert found["answers"]["fused"]["uf1"] == pytest.approx(found["uf1"]["pooled"])
    rows = pd.read_parquet(tmp_path / "run" / "answers.parquet")
    assert rows.groupby("answer").size().to_dict() == {"fused": 18, "32 frames": 18, "64 frames": 18}
    columns = [c for c in rows.columns if c.startswith("p_")]
    by_name = {name: part.set_index("clip")[columns] for name, part in rows.groupby("answer")}
    mean = (by_name["32 frames"] + by_name["64 frames"]) / 2
    np.testing.assert_allclose(by_name["fused"], mean, atol=1e-5)
    kept: list[bool] = []
    again = run_benchmark(data, model, plan, out=tmp_path / "run", on_done=lambda o, n: kept.append(o.kept))
    assert kept == [True, True]
    assert again["answers"] == found["answers"]
