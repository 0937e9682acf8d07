"""From a recipe to a network that names the events of a video, with a card that says what it learned from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import Command

for needed in ("torch", "onnx", "sklearn"):
    pytest.importorskip(needed, reason="needs the research extra")

from sequence_clips import moving_clips, stored_clips  # noqa: E402

from fleeting import weights  # noqa: E402
from fleeting.datasets.load import load_samples  # noqa: E402
from fleeting.errors import DataError, SettingsError  # noqa: E402
from fleeting.naming.event_frames import EventView  # noqa: E402
from fleeting.naming.systems import SequenceSystem  # noqa: E402
from fleeting.recognisers.sequences.recipe import ClipSource, read_sequences, scores, split_people  # noqa: E402
from fleeting.training.run import train  # noqa: E402

pytestmark = pytest.mark.torch

RECIPE = """
task = "dsticnn"
[source]
sets = ["prepared=clips.npz"]
validation_percent = 25
test_percent = 25
[network]
kind = "change"
length = 8
side = 32
dropout = 0.0
[network.fit]
epochs = 5
batch = 6
optimiser = "adamw"
learning_rate = 0.003
shift = 0.0
device = "cpu"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dsticnn")
    stored_clips(folder / "clips.npz", moving_clips(36))
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    train(folder / "recipe.toml", data=folder, out=folder / "out")
    return folder


def test_the_file_is_small_takes_any_number_of_clips_and_answers_as_the_card_says(trained: Path) -> None:
    out = trained / "out"
    card = weights.card("dsticnn", folder=out)
    assert (out / "dsticnn.onnx").stat().st_size < 5e6
    assert card["inputs"]["clips"]["shape"] == ["n", 1, 8, 32, 32]
    assert card["inputs"]["clips"]["width"] == load_samples(f"prepared={trained / 'clips.npz'}").sequence.shape[3]
    network = weights.session("dsticnn", folder=out)
    for count in (1, 3):
        found = network.run(None, {"clips": np.zeros((count, 1, 8, 32, 32), np.uint8)})
        assert [f.shape for f in found] == [(count, 3)] * 3
        np.testing.assert_allclose(found[0].sum(1), 1, atol=1e-4)


def test_people_of_the_test_are_in_no_other_part_and_the_card_names_the_others(trained: Path) -> None:
    samples = load_samples(f"prepared={trained / 'clips.npz'}")
    source = ClipSource(sets=["x"], validation_percent=25, test_percent=25)
    parts = split_people(samples, source)
    people = {name: set(part.subject) for name, part in parts.items()}
    assert {name: len(p) for name, p in people.items()} == {"train": 6, "validation": 3, "test": 3}
    assert not people["train"] & people["validation"]
    assert not people["test"] & (people["train"] | people["validation"])
    card = weights.card("dsticnn", folder=trained / "out")
    assert set(card["subjects"]) == people["train"] | people["validation"]
    assert "9 clips" in card["scores"]["protocol"]
    network = weights.session("dsticnn", folder=trained / "out")
    system = SequenceSystem("dsticnn", trained / "out")
    crops = parts["test"].sequence
    assert crops is not None
    views = [EventView(np.zeros((28, 28, 3), np.uint8), c, 3, 100.0) for c in crops]
    answer = system.probabilities(views)
    assert scores(answer, parts["test"])["uf1"] == pytest.approx(card["scores"]["uf1"], abs=0.01)
    assert answer.shape == (9, 3)
    assert network.get_inputs()[0].name == "clips"
    assert system.probabilities([]).shape == (0, 3)


def test_scores_are_those_of_sklearn() -> None:
    from sklearn.metrics import f1_score, recall_score

    samples = moving_clips(30)
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(3), 30).astype(np.float32)
    found = scores(rows, samples, draws=50)
    said = rows.argmax(1)
    assert found["uf1"] == pytest.approx(f1_score(samples.label, said, average="macro"), abs=1e-4)
    assert found["uar"] == pytest.approx(recall_score(samples.label, said, average="macro"), abs=1e-4)
    assert found["uf1_interval"][0] <= found["uf1"] <= found["uf1_interval"][1]


def test_a_trained_system_names_the_events_of_a_video(
    trained: Path, fleeting: Command, clip: Path, tmp_path: Path
) -> None:
    words = ("--weights", trained / "out", "--format", "report", "--out", tmp_path)
    done = fleeting("analyse", clip, "--system", "dsticnn", *words)
    assert done.status == 0, done.err
    timeline = json.loads((tmp_path / "ada" / "timeline.json").read_text(encoding="utf-8"))
    events = [e for e in timeline["events"] if e["kind"] != "blink"]
    assert events
    assert all(set(e["probabilities"]) == {"negative", "positive", "surprise"} for e in events)
    assert timeline["models"]["recogniser"]["name"] == "dsticnn"
    done = fleeting("analyse", clip, "--system", "all", *words)
    assert done.status == 0, done.err
    timeline = json.loads((tmp_path / "ada" / "timeline.json").read_text(encoding="utf-8"))
    both = next(e for e in timeline["events"] if e["kind"] != "blink")["systems"]
    assert {"flow", "dsticnn"} <= {said["system"] for said in both}
    page = (tmp_path / "ada" / "report.html").read_text(encoding="utf-8")
    assert '<th scope="row">dsticnn</th>' in page


def test_what_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    samples = moving_clips(6)
    with pytest.raises(DataError, match="at least 3 people"):
        split_people(samples, ClipSource())
    one_class = replace(moving_clips(12), label=np.zeros(12, np.int64))
    with pytest.raises(DataError, match="clips of every class among the people"):
        split_people(one_class, ClipSource())
    with pytest.raises(SettingsError, match="80 % at most"):
        ClipSource(validation_percent=50, test_percent=50)
    first = stored_clips(tmp_path / "a.npz", samples)
    other = stored_clips(tmp_path / "b.npz", moving_clips(6, frames=4), dataset="other")
    assert len(read_sequences([f"prepared={first}"], classes=3)) == 6
    with pytest.raises(DataError, match="sequences of one size"):
        read_sequences([f"prepared={first}", f"prepared={other}"], classes=3)
