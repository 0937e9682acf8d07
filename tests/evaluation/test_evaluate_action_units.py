from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from flow_clips import made_up, stored
from typer.testing import CliRunner

from fleeting import weights
from fleeting.datasets import composite
from fleeting.errors import DataError, FleetingWarning, WeightsError
from fleeting.evaluation.action_units import evaluate_action_units

UNITS = ("AU01", "AU04", "AU12", "AU20")
TEXTS = ("1", "4(B/C)+L1?", "R12 or R1", "A/L12+25+soft focus", "ref(4)+4B", "")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network that says that a unit moved where one pixel of the flow image is bright, and a card."""
    onnx = pytest.importorskip("onnx", reason="onnx comes with the extra research")
    from onnx import TensorProto, helper, numpy_helper

    pick = np.zeros((28 * 28 * 3, len(UNITS) * 3), np.float32)
    for i in range(len(UNITS)):
        pick[i, 3 * i] = 1 / 255
    nodes = [
        helper.make_node("Cast", ["flow"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("MatMul", ["g", "pick"], ["h"]),
        helper.make_node("Reshape", ["h", "shape"], ["answers"]),
    ]
    constants = [
        numpy_helper.from_array(pick, "pick"),
        numpy_helper.from_array(np.array([-1, len(UNITS), 3], np.int64), "shape"),
    ]
    graph = helper.make_graph(
        nodes,
        "made_up",
        [helper.make_tensor_value_info("flow", TensorProto.UINT8, ["n", 28, 28, 3])],
        [helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["n", len(UNITS), 3])],
        constants,
    )
    folder = tmp_path / "weights"
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "action_units.onnx")
    card = {
        "labels": UNITS,
        "reported_from": dict.fromkeys(UNITS, 0.5) | {"AU12": 0.9},
        "subjects": ["casme2/sub01"],
        "sha256": weights.checksum(folder / "action_units.onnx"),
    }
    (folder / "action_units.json").write_text(json.dumps(card))
    return folder


def clips(path: Path, texts: tuple[str, ...] = TEXTS, said: tuple[str, ...] = ()) -> Path:
    """Flow images whose first pixels say what the network of the fixture will answer."""
    samples = made_up(subjects=len(texts), each=1)
    flow = samples.flow_images()
    flow.reshape(len(flow), -1)[:, : len(UNITS)] = 0
    for image, names in zip(flow.reshape(len(flow), -1), said, strict=False):
        image[: len(UNITS)] = [255 if name in names.split("+") else 100 for name in UNITS]
    return stored(samples, path, action_units=np.array(texts))


def test_every_unit_is_scored(tmp_path: Path, network: Path) -> None:
    said = ("AU01", "AU04+AU01", "AU12", "AU04", "AU04", "")
    path = clips(tmp_path / "a.npz", said=said)
    with pytest.warns(FleetingWarning, match=r"1 of 6 clips have no action units and are left out \(made/c005\)"):
        found = evaluate_action_units(path, out=tmp_path / "out", folder=network, draws=20)
    units = found["units"]
    assert list(units) == list(UNITS)
    assert {n: (u["count"], u["hedged"]) for n, u in units.items()} == {
        "AU01": (1, 2), "AU04": (2, 0), "AU12": (1, 1), "AU20": (0, 0),
    }  # fmt: skip
    # AU04 is there in clips 1 and 4, and said of 3 too; what was said of hedged clips does not count.
    assert (units["AU01"]["f1"], units["AU01"]["auc"], units["AU04"]["f1"]) == (1.0, 1.0, 0.8)
    assert (units["AU12"]["f1"], units["AU20"]["f1"]) == (0.0, None)
    assert found["mean_f1"] == pytest.approx((1 + 0.8 + 0) / 3)
    assert (found["clips"], found["left_out"], found["thresholds"]["AU12"]) == (5, 1, 0.9)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == found
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert rows[0] == "clip,subject,coded,named,p_AU01,p_AU04,p_AU12,p_AU20"
    assert rows[2].startswith("made/c001,made/s1,AU04+LAU01?,AU01+AU04,1.0,1.0,0.39")


def test_people_whom_the_network_knows_are_named_whatever_their_spelling(tmp_path: Path, network: Path) -> None:
    samples = made_up(subjects=2, each=1)
    path = tmp_path / "a.npz"
    np.savez(
        path, flow=samples.flow, label=samples.label, subject=["Sub1 ", "sub02"], clip=["a", "b"],
        dataset=["CASME2", "CASME2"], action_units=["1", "4"],
    )  # fmt: skip
    with pytest.warns(FleetingWarning, match="was trained on 1 of these 2 subjects"):
        found = evaluate_action_units(path, folder=network, draws=0)
    assert found["subjects_trained_on"] == 1
    assert found["trained_on_these_subjects"]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("1", "4+144"), r"action units such as 4\+L12B for the clip 'made/c001' .* got no action unit: '144'"),
        (("smile", "4"), "got no action unit: 'smile' in 'smile'"),
        (("0;0;1;0", "4"), "got no action unit: '0'"),
        (("", "/"), "action units of at least one clip"),
    ],
)
def test_units_that_cannot_be_used(tmp_path: Path, network: Path, texts: tuple[str, ...], says: str) -> None:
    with pytest.raises(DataError, match=says):
        evaluate_action_units(clips(tmp_path / "a.npz", texts), folder=network)


def test_files_that_cannot_be_used(tmp_path: Path, network: Path) -> None:
    with pytest.raises(DataError, match="an array action_units"):
        evaluate_action_units(stored(made_up(subjects=2), tmp_path / "a.npz"), folder=network)
    with pytest.raises(DataError, match="one entry per clip in every array"):
        evaluate_action_units(
            stored(made_up(subjects=2), tmp_path / "b.npz", action_units=np.array(["1"])), folder=network
        )
    (network / "action_units.onnx").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"action_units\.onnx with SHA-256"):
        evaluate_action_units(clips(tmp_path / "c.npz", TEXTS[:5]), folder=network)


def test_the_command(tmp_path: Path, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fleeting.cli.app import app

    card, session = weights.card, weights.session
    monkeypatch.setattr(weights, "card", lambda name, **_: card(name, folder=network))
    monkeypatch.setattr(weights, "session", lambda name, **_: session(name, folder=network))
    path = clips(tmp_path / "a.npz", TEXTS[:5])
    done = CliRunner().invoke(app, ["evaluate", "action-units", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "AU04" in done.output
    assert "mean_f1" in done.output


def test_the_array_is_read_and_selected(tmp_path: Path) -> None:
    images = composite.read(clips(tmp_path / "a.npz"))
    assert images.action_units is not None
    part = images.select(np.array([4, 0]))
    assert part.action_units == (images.action_units[4], images.action_units[0])
    assert images.select(images.clip == "made/c000").action_units == (images.action_units[0],)
