"""Recognisers of somebody else by ``MODULE:CLASS``: the same contract, the same checks, the same figures everywhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Command, start
from flow_clips import made_up, stored

from fleeting.errors import InputError, SettingsError
from fleeting.evaluation.benchmark.benchmark import settings_for
from fleeting.evaluation.benchmark.code_of import code_outside
from fleeting.evaluation.benchmark.named_model import named_model

MEANS = """
import numpy as np


class Fitted:
    threshold = 0.0

    def __init__(self, centres):
        self.centres = centres

    def probabilities(self, samples):
        distance = ((pixels(samples)[:, None] - self.centres) ** 2).mean(-1)
        powers = np.exp(-20 * (distance - distance.min(1, keepdims=True)))
        return powers / powers.sum(1, keepdims=True)


def pixels(samples):
    return samples.flow[..., 1].reshape(len(samples), -1) / 255.0


class Means:
    name = "means"
    needs = "flow"

    def fit(self, train, validation, *, seed):
        values = pixels(train)
        return Fitted(np.stack([values[train.label == k].mean(0) for k in range(len(train.classes))]))

    def settings(self):
        return {"metric": "squared"}
"""

LEAKY = '''
from means.means import Fitted, Means, pixels


class SeesAll(Means):
    """Takes the centres of all clips, those that a fold holds out included."""

    name = "sees-all"

    def fit_many(self, data, folds, *, seed):
        return [self.fit(data, None, seed=seed) for _ in folds]


class Knows(Means):
    name = "knows"
    subjects_seen = ("made/s1",)
'''

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write modules into a folder that Python and its children look in; what was imported is forgotten afterwards."""
    folder = tmp_path / "theirs"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    before = set(sys.modules)

    def put(**files: str) -> None:
        for name, text in files.items():
            path = folder / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    yield put
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_model_of_somebody_else_is_measured_as_ours_are(fleeting: Command, tmp_path: Path, write: Write) -> None:
    write(means__means=MEANS)
    data = stored(made_up(subjects=4), tmp_path / "flow.npz")
    words = ("--data", f"made={data}", "--model", "means.means:Means", "--json")
    here = fleeting("benchmark", *words, "--out", tmp_path / "here")
    assert here.status == 0, here.err
    found = json.loads(here.out)
    assert found["model"] == "means.means:Means"
    assert found["uf1"]["pooled"] > 0.5
    assert found["folds"] == 4
    # In processes of their own, which import the module by its name.
    done = start("benchmark", *words, "--jobs", "2", "--out", tmp_path / "apart")
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert json.loads(out) | {"training_seconds": 0} == found | {"training_seconds": 0}


def test_a_module_beside_the_work_is_found(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside.py").write_text(MEANS, encoding="utf-8")
    data = stored(made_up(subjects=3), tmp_path / "flow.npz")
    monkeypatch.chdir(tmp_path)
    done = start(
        "benchmark", "--data", f"made={data}", "-m", "beside:Means", "-m", "linear-svm", "-o", "runs", "-j", "2"
    )
    _, err = done.communicate()
    assert done.returncode == 0, err
    assert (tmp_path / "runs" / "beside.Means" / "metrics.json").exists()
    assert (tmp_path / "runs" / "linear-svm" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SeesAll", "independence of fold"),
        ("Knows", "made/s1"),
    ],
)
def test_the_same_leaks_are_found(name: str, message: str, fleeting: Command, tmp_path: Path, write: Write) -> None:
    write(means__means=MEANS, means__leaky=LEAKY)
    data = stored(made_up(subjects=4), tmp_path / "flow.npz")
    said = fleeting("benchmark", "--data", f"made={data}", "--model", f"means.leaky:{name}", "--out", tmp_path / "run")
    assert said.status == 1
    assert message in said.err
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_results_count_for_the_code_that_made_them(fleeting: Command, tmp_path: Path, write: Write) -> None:
    write(means__means=MEANS, means__leaky=LEAKY, means____init__="")
    named_model("means.leaky:Knows")
    assert len(code_outside("means.leaky")) == 2, "the module, and the one that it imports"
    before = code_outside("means.leaky")
    write(means__means=MEANS.replace("-20", "-21"))
    assert code_outside("means.leaky") != before
    data = stored(made_up(subjects=3), tmp_path / "flow.npz")
    words = ("benchmark", "--data", f"made={data}", "-m", "means.means:Means", "-o", tmp_path / "run")
    assert "was done before" not in fleeting(*words).err
    assert "was done before" in fleeting(*words).err
    write(means__means=MEANS.replace("-20", "-22"))
    assert "was done before" not in fleeting(*words).err


BROKEN = (
    MEANS
    + """

class NoNeeds(Means):
    needs = "pictures"


class Bare:
    name = "bare"

    def fit(self, train, validation, *, seed): ...


class WantsTest(Means):
    def fit(self, train, test, labels, *, seed): ...


class NoSeed(Means):
    def fit(self, train, validation): ...


class NotAMethod(Means):
    fit_many = 3


class Demanding(Means):
    def __init__(self, rate):
        self.rate = rate


class NotPlain(Means):
    def settings(self):
        return {"rate": np.float64(1)}


class NoSettings(Means):
    def settings(self):
        return None


number = 3
"""
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at_all:Model", "a module 'nowhere.at_all'; got ModuleNotFoundError: .*PYTHONPATH"),
        ("broken:Meens", "a class 'Meens' in .*broken.py; got none of that name. Did you mean 'Means'"),
        ("broken:number", "a class 'number' in .*; got a int"),
        ("needing:Model", "got ModuleNotFoundError: No module named 'not_there'. .*install what it needs"),
        ("raising:Model", "a module 'raising'; got ZeroDivisionError"),
        ("broken:", "a model as MODULE:CLASS; got 'broken:'"),
        (".broken:Means", "a model as MODULE:CLASS"),
        ("broken:Bare", "name, needs, fit, settings; got 'broken:Bare' without needs, settings"),
        ("broken:NoNeeds", "'flow' or 'sequence' as needs of 'broken:NoNeeds'; got 'pictures'"),
        ("broken:WantsTest", r"fit\(train, validation, \*, seed\) of 'broken:WantsTest'; got \(train, test, labels"),
        ("broken:NoSeed", r"fit\(train, validation, \*, seed\) .*unexpected keyword argument 'seed'"),
        ("broken:NotAMethod", r"fit_many\(data, folds, \*, seed\) of 'broken:NotAMethod'; got a int"),
        ("broken:Demanding", "called without arguments; got TypeError: .*'rate'"),
        ("broken:NoSettings", r"a dictionary from settings\(\) of 'broken:NoSettings'; got NoneType"),
    ],
)
def test_what_is_no_recogniser_is_said_before_anything_runs(name: str, message: str, write: Write) -> None:
    write(broken=BROKEN, needing="import not_there", raising="1 / 0")
    with pytest.raises(SettingsError, match=message):
        settings_for([name], data=["a=x"])


def test_settings_are_plain(write: Write) -> None:
    write(broken=BROKEN)
    with pytest.raises(InputError, match=r"float64 .* in content\['rate'\]"):
        named_model("broken:NotPlain")
