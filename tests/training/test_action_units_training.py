"""How the network of action units is made: movements, coded clips, fitting, and the ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from moved_flow import moved_flow

from fleeting.errors import DataError
from fleeting.motion.flow_image import mirrored
from fleeting.naming.action_units import LEFT, MIDLINE, MOVED, RIGHT, UNITS
from fleeting.recognisers.fleeting.fourier_ridge import FourierSettings
from fleeting.records.action_units import parse
from fleeting.training.action_units import export
from fleeting.training.action_units.clips import CodedClips, read_clips, truth_of
from fleeting.training.action_units.model import UnitModel, UnitSettings, fit, fit_moved, make_start
from fleeting.training.action_units.movements import NAMES, UNKNOWN, MovementSettings, draw
from fleeting.training.action_units.network import TrainingSettings, loss_of, unit_logits, unit_net
from fleeting.weights.runtime import open_network

BROWS, MOUTH, CHIN = (UNITS.index(name) for name in ("AU02", "AU12", "AU17"))
SMALL = UnitSettings(
    fourier=FourierSettings(features=100, sharpness=1.0),
    training=TrainingSettings(epochs=2, batch_size=64),
    inner_folds=2,
)


def made_clips(count: int, *, people: int = 6, seed: int = 0) -> CodedClips:
    """Images of synthetic smiles and raised brows: `positive` counts as AU12, `surprise` as AU02."""
    images, label = moved_flow(count, one_sided=0.0, seed=seed)
    truth = np.zeros((count, len(UNITS), 2), np.int64)
    truth[label == 1, MOUTH] = 1
    truth[label == 2, BROWS] = 1
    subject = np.array([f"made/{i % people}" for i in range(count)])
    return CodedClips(images, truth, subject)


@pytest.fixture(scope="module")
def model() -> UnitModel:
    torch.set_num_threads(1)
    clips = made_clips(150)
    start = make_start(clips.images, clips.truth, SMALL, seed=0)
    return fit(clips, start, SMALL, seed=0)


def test_every_unit_is_drawn_on_every_side() -> None:
    rng = np.random.default_rng(0)
    movements = [draw(MovementSettings(), rng) for _ in range(2000)]
    truth = np.stack([m.truth for m in movements])
    for k, name in enumerate(UNITS):
        known = truth[(truth[:, k] != UNKNOWN).all(1), k]
        sides = {tuple(row) for row in known.tolist()}
        assert sides == ({(0, 0), (1, 1)} if name in MIDLINE else {(0, 0), (1, 1), (1, 0), (0, 1)}), name
        assert (known == 1).any(1).mean() > 0.03, f"{name} is rare"
    for m in movements:
        moving = {name for name, size in zip(NAMES, m.weights, strict=True) if size.any()}
        told = {name for name, row in zip(UNITS, m.truth, strict=True) if (row != 0).any()}
        assert told <= moving


def test_truth_of_what_a_coder_wrote() -> None:
    truth = truth_of(parse("L12+4B+R17?+ref(6)+A1+(R2 or R14)+43").units)
    said = {name: tuple(row) for name, row in zip(UNITS, truth.tolist(), strict=True) if any(row)}
    doubt = (UNKNOWN, UNKNOWN)
    assert said == {"AU12": (1, 0), "AU04": (1, 1), "AU17": doubt, "AU01": (1, 1), "AU02": doubt, "AU14": doubt}


def test_what_is_not_known_teaches_nothing() -> None:
    network = unit_net((4, 4), (0.0, 0.0), seed=0).eval()
    logits = unit_logits(network, torch.randn(3, 3, 14, 14))
    truth = torch.zeros(3, len(UNITS), 2, dtype=torch.int64)
    truth[0, 0] = UNKNOWN
    moved = logits.clone()
    moved[0, 0] += 5
    assert torch.equal(loss_of(logits, truth, sides=0.5), loss_of(moved, truth, sides=0.5))
    truth[0, 0] = 0
    assert not torch.equal(loss_of(logits, truth, sides=0.5), loss_of(moved, truth, sides=0.5))


def test_it_learns_what_the_clips_show_and_nobody_else(model: UnitModel) -> None:
    others = made_clips(90, seed=7)
    said = model.answers(others.images)[..., MOVED]
    for unit in (BROWS, MOUTH):
        shows = others.truth[:, unit, 0] == 1
        assert said[shows, unit].mean() > said[~shows, unit].mean() + 0.3
    assert said[:, CHIN].max() < 0.15, "a unit that no clip shows is never reported"
    assert (model.fitted.thresholds >= SMALL.least).all()


def test_mirrored_clips(model: UnitModel) -> None:
    images = made_clips(30, seed=9).images
    plain, turned = model.answers(images), model.answers(mirrored(images))
    np.testing.assert_allclose(plain[..., MOVED], turned[..., MOVED], atol=1e-6)
    np.testing.assert_allclose(plain[..., LEFT], turned[..., RIGHT], atol=1e-6)


def test_the_file_says_what_the_model_says(model: UnitModel) -> None:
    images = made_clips(20, seed=8).images
    session = open_network(export.graph(model).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"flow": images})[0], model.answers(images), atol=1e-5)


def test_one_person_is_not_enough() -> None:
    clips = made_clips(20, people=1)
    features, prior = np.zeros((20, 2)), np.zeros((2, len(UNITS)), np.float32)
    with pytest.raises(DataError, match="at least two people"):
        fit_moved(features, clips.truth, clips.subject, prior, SMALL, seed=0)


def composite(path: Path, clips: list[str]) -> Path:
    images: npt.NDArray[np.uint8] = np.zeros((len(clips), 28, 28, 3), np.uint8)
    text = {"subject": ["a"] * len(clips), "clip": clips, "dataset": ["made"] * len(clips)}
    np.savez(path, flow=images, label=np.zeros(len(clips), np.int64), **text)  # type: ignore[arg-type]
    return path


def test_clips_are_joined_by_their_names(tmp_path: Path) -> None:
    flow, table = composite(tmp_path / "flow.npz", ["x", "y", "z"]), tmp_path / "units.csv"
    table.write_text("dataset,subject,clip,action_units\nmade,a,z,L12\nmade,a,x,4+7\nother,a,y,1\n")
    found = read_clips(flow, table)
    assert len(found.images) == 2
    assert found.truth[1, MOUTH].tolist() == [1, 0], "the third clip of the file is the first row of the table"
    table.write_text("dataset,subject,clip,action_units\nmade,a,z,L12\nmade,a,z,4\n")
    with pytest.raises(DataError, match="every clip once"):
        read_clips(flow, table)
    table.write_text("dataset,subject,clip,action_units\nother,a,z,L12\n")
    with pytest.raises(DataError, match="none"):
        read_clips(flow, table)
