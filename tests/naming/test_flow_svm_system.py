"""The shipped machine of revised flow: it answers as scikit-learn's does, and the analysis can ask it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from flow_clips import made_up, stored

from fleeting import weights
from fleeting.motion.flow_image import flow_image, mirrored
from fleeting.motion.image_directions import image_directions
from fleeting.naming import systems
from fleeting.naming.event_frames import bare
from fleeting.naming.flow_svm import NAME, FlowSvmSystem
from fleeting.settings import RecognitionSettings


def expression(region: tuple[slice, slice], u: float, v: float) -> np.ndarray:
    """Flow image (28, 28, 3) of one part of the crop that moves."""
    flow = np.random.default_rng(0).normal(0, 0.02, (170, 140, 2)).astype(np.float32)
    flow[region] += (u, v)
    return flow_image(flow)


BROWS = (slice(5, 35), slice(15, 125))


def test_directions_say_whither_the_brows_go() -> None:
    up, down = (image_directions(expression(BROWS, 0.0, v)).reshape(36, 2) for v in (-1.0, 1.0))
    moving = np.linalg.norm(up, axis=1) > 0.5
    assert 4 <= moving.sum() <= 20
    assert (up[moving, 1] < -0.4).all()
    assert (down[moving, 1] > 0.4).all()


def test_the_shipped_machine_knows_raised_brows_and_drawn_mouths() -> None:
    system = FlowSvmSystem()
    views = [bare(expression(BROWS, 0.0, -1.0)), bare(expression((slice(105, 145), slice(20, 50)), -0.7, -0.7))]
    found = system.probabilities(views)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert system.labels[int(found[0].argmax())] == "surprise"
    assert system.probabilities([]).shape == (0, 3)


def test_it_is_one_of_the_systems() -> None:
    opened = systems.open_systems(RecognitionSettings(system="flow-svm"))
    (answer,) = systems.answers(opened, bare(expression(BROWS, 0.0, -1.0)))
    assert answer.system == "flow-svm"
    assert answer.emotion in (*opened["flow-svm"].labels, "unsure")
    assert not opened["flow-svm"].needs_frames


def test_the_card_says_whom_it_saw_and_how_well_it_does() -> None:
    card = weights.card(NAME)
    assert len(card["subjects"]) == 40
    assert 0.5 < card["scores"]["uf1"] < 0.9
    assert card["unsure"]["threshold"] == FlowSvmSystem().threshold


def test_a_trained_machine_is_written_without_pickle_and_answers_the_same(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")
    pytest.importorskip("onnx", reason="onnx comes with the extra research")
    from fleeting.datasets import composite
    from fleeting.datasets.samples import from_flow_images
    from fleeting.recognisers.flow_svm.recogniser import flow_svm_of_images
    from fleeting.recognisers.flow_svm.train import same_answers, train

    stored(made_up(subjects=4, each=3), tmp_path / "flow.npz")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('task = "flow_svm"\nflow = "flow.npz"\n', encoding="utf-8")
    train(recipe, data=tmp_path, out=tmp_path / "out")
    samples = from_flow_images(composite.read(tmp_path / "flow.npz"))
    fitted = flow_svm_of_images().fit(samples, None, seed=0)
    system = FlowSvmSystem(tmp_path / "out")
    assert samples.flow is not None
    found = system.probabilities([bare(image) for image in samples.flow])
    np.testing.assert_allclose(found, fitted.probabilities(samples), atol=1e-4)
    card = json.loads((tmp_path / "out" / "flow_svm.json").read_text(encoding="utf-8"))
    assert card["subjects"] == sorted({str(s) for s in samples.subject})
    other = flow_svm_of_images().fit(samples, None, seed=0)
    other.tail["scale"].mean_ += 0.5
    with pytest.raises(RuntimeError, match="differs from scikit-learn's"):
        same_answers(other, flow_svm_of_images().features(samples), tmp_path / "out" / "flow_svm.onnx")


def test_a_mirrored_face_turns_the_directions() -> None:
    image = expression((slice(105, 145), slice(20, 50)), -0.7, -0.7)
    plain, turned = (image_directions(i).reshape(36, 2) for i in (image, mirrored(image)))
    assert plain[:, 0].sum() < 0 < turned[:, 0].sum()
    assert abs(plain[:, 1].sum() - turned[:, 1].sum()) < 0.5
