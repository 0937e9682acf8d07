from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow_clips import coded, data_of, made_up, stored
from typer.testing import CliRunner

from fleeting.datasets import composite
from fleeting.datasets.coded_clips import coded_samples, with_table
from fleeting.datasets.load import Wanted, load_samples
from fleeting.datasets.manifest import ManifestRow
from fleeting.datasets.readers import prepared
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError, FleetingWarning, LeakageError, SettingsError
from fleeting.evaluation.benchmark.action_units import (
    UNITS,
    UnitBenchmarkSettings,
    benchmark,
    named_unit_model,
    run_units,
    settings_for,
)
from fleeting.evaluation.benchmark.independence import altered
from fleeting.evaluation.benchmark.protocols import LEAKY, make_folds
from fleeting.evaluation.unit_scores import CD6ME
from fleeting.recognisers.unit_models import UNIT_MODELS, AllPositive, UnitModel
from fleeting.recognisers.unit_thresholds import LEAST, best_threshold
from fleeting.records.action_units import as_text

TEXTS = {0: "1", 1: "L4B+7", 2: "12+25"}


def texts_of(samples: Samples) -> np.ndarray:
    return np.array([TEXTS[int(label)] for label in samples.label])


def table(path: Path, samples: Samples, texts: np.ndarray | list[str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("dataset", "subject", "clip", "action_units", "emotion"))
        for subject, clip, text in zip(samples.subject, samples.clip, texts, strict=True):
            name, _, person = str(subject).partition("/")
            writer.writerow((name, person, str(clip).partition("/")[2], text, "-"))
    return path


def plan(model: str = "all-positive", protocol: str = "loso") -> UnitBenchmarkSettings:
    return UnitBenchmarkSettings(model, protocol=protocol, draws=20)


def test_a_floor_and_a_model_that_learns(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")
    data = data_of(coded(each=18))
    found = {
        name: run_units(data, named_unit_model(name), plan(name), out=tmp_path / name)
        for name in ("all-positive", "logistic-regression")
    }
    floor, learned = found.values()
    four = floor["units"]["AU04"]
    assert (four["count"], four["auc"]) == (36, 0.5)
    assert four["f1"] == pytest.approx(2 * 36 / (36 + 108))
    assert floor["units"]["AU20"]["f1"] is None
    assert floor["units"]["AU12"]["hedged"] == floor["units"]["AU01"]["hedged"] > 0
    assert floor["units"]["AU12"]["count"] + floor["units"]["AU12"]["hedged"] == 36
    assert learned["mean_f1"] > floor["mean_f1"] + 0.3
    assert learned["mean_auc"] > 0.9
    assert learned["cd6me"]["units"] == [n for n in CD6ME if n in ("AU01", "AU04", "AU07", "AU12")]
    assert (learned["clips"], learned["subjects"], learned["folds"]) == (108, 6, 6)


@pytest.mark.parametrize("name", sorted(UNIT_MODELS))
def test_every_model_answers_for_every_unit(name: str) -> None:
    pytest.importorskip("torch", reason="torch comes with the extra research")
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")
    model = quick(named_unit_model(name))
    assert model.name == name
    json.dumps(model.settings())
    samples = coded(subjects=4)
    fitted = model.fit(samples, None, seed=0)
    again = model.fit(samples.select(np.arange(len(samples))[::-1]), None, seed=0)
    said = np.asarray(fitted.probabilities(samples))
    assert said.shape == (len(samples), len(UNITS))
    assert np.asarray(fitted.thresholds).shape == (len(UNITS),)
    assert ((said >= 0) & (said <= 1)).all()
    assert again.probabilities(samples) == pytest.approx(said, abs=1e-4), "the order of the rows changes nothing"


def quick(model: UnitModel) -> UnitModel:
    inner = getattr(model, "model", model)
    if hasattr(inner, "training"):
        inner = replace(inner, training=replace(inner.training, epochs=2))
    return replace(model, model=inner) if hasattr(model, "model") else inner


def test_our_own_model_never_names_a_unit_that_its_network_does_not_know() -> None:
    pytest.importorskip("torch", reason="torch comes with the extra research")
    samples = coded(units=("AU43", "AU12", "AU04"))
    fitted = named_unit_model("fleeting").fit(samples, None, seed=0)
    said = np.asarray(fitted.probabilities(samples))
    assert not said[:, 0].any()
    for column in (1, 2):
        shows = samples.coded_units()[:, column] == 1
        assert said[shows, column].mean() > said[~shows, column].mean() + 0.3


@pytest.mark.parametrize("name", ["logistic-regression", "logistic-regression-thresholds", "fleeting"])
def test_nothing_of_the_held_out_clips_reaches_a_model(name: str) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")
    samples = coded()
    fold = make_folds(data_of(samples), "loso")[0]
    changed = altered(samples, fold)
    assert (changed.coded_units()[fold.test] != samples.coded_units()[fold.test]).any()
    one, other = (named_unit_model(name).fit(s.select(fold.train), None, seed=0) for s in (samples, changed))
    assert one.thresholds == pytest.approx(other.thresholds)
    assert one.probabilities(samples) == pytest.approx(other.probabilities(samples))


class Peeks:
    """A model that says what the clips say of themselves."""

    name = "peeks"
    needs = "flow"
    thresholds = np.full(len(UNITS), 0.5)

    def settings(self) -> dict[str, str]:
        return {}

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Peeks:
        return self

    def probabilities(self, samples: Samples) -> np.ndarray:
        return np.clip(samples.coded_units(), 0, 1).astype(float)


def test_units_are_taken_off_the_clips_that_are_predicted(tmp_path: Path) -> None:
    found = run_units(data_of(coded()), Peeks(), plan("peeks"), out=tmp_path / "run")
    assert found["mean_f1"] == 0


def test_what_was_not_sure_is_not_learned() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra research")
    samples = coded()
    units = samples.coded_units().copy()
    unsure = units[:, UNITS.index("AU12")] < 0
    model = named_unit_model("logistic-regression")
    kept = model.fit(samples.select(~unsure), None, seed=0)
    assert unsure.any()
    hedged = model.fit(samples, None, seed=0)
    turned = replace(samples, action_units=np.where(units < 0, 0, units).astype(np.int8))
    denied = model.fit(turned, None, seed=0)
    column = UNITS.index("AU12")
    gaps = [np.abs(m.probabilities(samples) - kept.probabilities(samples))[:, column].mean() for m in (hedged, denied)]
    assert gaps[0] < gaps[1]


def test_the_threshold_of_the_best_f1() -> None:
    said = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    shows = np.array([0, 0, 1, 0, 1, 1, 1, 1], np.int8)
    pairs = {t: 2 * (shows[said >= t] == 1).sum() / ((said >= t).sum() + shows.sum()) for t in np.arange(0.05, 1, 0.1)}
    chosen = best_threshold(shows, said)
    f1 = 2 * (shows[said >= chosen] == 1).sum() / ((said >= chosen).sum() + shows.sum())
    assert f1 == pytest.approx(max(pairs.values()))
    few = np.zeros(20, np.int8)
    few[: LEAST - 1] = 1
    assert best_threshold(few, np.linspace(1, 0, 20)) == 0.5
    unsure = np.append(shows, np.full(30, -1, np.int8))
    assert best_threshold(unsure, np.append(said, np.full(30, 0.9))) == chosen


@pytest.mark.parametrize(("protocol", "folds"), [("loso", 8), ("cde", 8), ("hde", 2), ("kfold", 5)])
def test_the_protocols_are_those_of_recognition(tmp_path: Path, protocol: str, folds: int) -> None:
    data = data_of(coded(subjects=4, name="casme2"), coded(subjects=4, name="samm", seed=1))
    found = run_units(data, AllPositive(), plan(protocol=protocol), out=tmp_path / "run")
    assert found["folds"] == folds
    assert found["clips"] == 48
    assert list(found["per_data_set"]) == ["casme2", "samm"]
    again = run_units(data, AllPositive(), plan(protocol=protocol), out=tmp_path / "run")
    assert again["training_seconds"] == found["training_seconds"], "a finished job is not done again"


def test_the_command_and_what_it_writes(tmp_path: Path) -> None:
    from fleeting.cli.app import app

    pd = pytest.importorskip("pandas")
    samples = made_up(subjects=3)
    path = stored(samples, tmp_path / "flow.npz", action_units=texts_of(samples))
    words = ["benchmark", "--task", "action-units", "--data", f"composite={path}", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*words, "-m", "all-positive"])
    assert done.exit_code == 0, done.output
    assert "CD6ME" in done.output
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (found["task"], found["units"]["AU07"]["count"]) == ("action-units", 6)
    rows = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert len(rows) == 18
    assert rows["truth_AU12"].sum() == 6
    assert rows["said_AU12"].all()
    assert 'task = "action-units"' in (tmp_path / "run" / "settings.toml").read_text()
    # The folder of one task is not that of another.
    other = CliRunner().invoke(app, ["benchmark", *words[3:], "-m", "linear-svm"])
    assert other.exit_code != 0


def test_a_hold_out_and_a_table_beside_the_file(tmp_path: Path) -> None:
    train, test = made_up(subjects=3, name="casme2"), made_up(subjects=2, name="samm", seed=1)
    texts = [*texts_of(train), *texts_of(test)]
    joined = replace(
        train,
        **{n: np.concatenate([getattr(s, n) for s in (train, test)]) for n in ("clip", "subject", "dataset", "label")},
        source_video=np.concatenate([train.clip, test.clip]),
        flow=np.concatenate([train.flow_images(), test.flow_images()]),
    )
    paths = [stored(train, tmp_path / "a.npz"), stored(test, tmp_path / "b.npz")]
    units = table(tmp_path / "units.csv", joined, texts)
    (asked,) = settings_for(["all-positive"], train=[f"a={paths[0]}"], test=[f"b={paths[1]}"], table=units)
    found = benchmark(asked, out=tmp_path / "run")
    assert (found["protocol"], found["folds"], found["clips"]) == ("holdout", 1, 12)
    assert found["units"]["AU04"]["count"] == 4


def test_prepared_clips_carry_their_units(tmp_path: Path) -> None:
    from fleeting.records.action_units import parse

    samples = made_up(subjects=3, each=3)
    cells = [parse(t).units for t in (*texts_of(samples)[:8], "")]
    rows = tuple(
        ManifestRow("own", str(s).partition("/")[2], f"c{i}", f"v{i}", "p", 100.0, 0, 3, 9, cell, "others")
        for i, (s, cell) in enumerate(zip(samples.subject, cells, strict=True))
    )
    path = tmp_path / "clips.npz"
    flow = [{"flow": image} for image in samples.flow_images()]
    write_prepared(path, rows, flow)
    with pytest.warns(FleetingWarning, match="1 of 9 clips have no action units"):
        found = load_samples(f"prepared={path}", wanted=Wanted(units=UNITS))
    assert len(found) == 8, "whatever the emotion"
    assert found.coded_units().sum(0)[UNITS.index("AU07")] == 3
    with pytest.raises(DataError, match="flow images for a table of action units"):
        load_samples(f"prepared={path}", wanted=Wanted(units=UNITS, table=tmp_path / "t.csv"))


def write_prepared(path: Path, rows: tuple[ManifestRow, ...], flow: list[dict[str, np.ndarray]]) -> None:
    columns = {
        name: np.array([getattr(r, name) for r in rows])
        for name in ("dataset", "subject", "clip", "source_video", "path", "fps", "emotion", "type", "first_number")
    }
    frames = {n: np.array([getattr(r, n) for r in rows], np.int64) for n in ("onset", "apex", "offset")}
    units = np.array([as_text(r.action_units) for r in rows])
    images = np.stack([f["flow"] for f in flow])
    np.savez(path, **columns, **frames, action_units=units, flow=images, settings=np.array("{}"))
    assert len(prepared.load(path).manifest) == len(rows)


Change = Callable[[list[list[str]]], None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda rows: rows[1].__setitem__(3, "4+144"),
            r"such as 4\+L12B in row 2 .* no action unit: '144'",
        ),
        (lambda rows: rows[1].__setitem__(3, "7"), r"the units of 'made/c000' .* \(AU01\); got AU07 in row 2"),
        (lambda rows: rows[1].__setitem__(1, "s2"), "'made/s0' as the subject of 'made/c000'; got 'made/s2'"),
        (lambda rows: rows.append(list(rows[1])), "every clip once; got 'made/c000' in rows 2 and "),
        (lambda rows: rows[0].__setitem__(3, "units"), "the columns action_units"),
        (lambda rows: rows.__setitem__(slice(1, None), [["x", "s0", "c", "4"]]), "rows of .* for these flow images"),
    ],
)
def test_a_table_that_disagrees(tmp_path: Path, change: Change, says: str) -> None:
    samples = made_up(subjects=2)
    path = stored(samples, tmp_path / "a.npz", action_units=texts_of(samples))
    place = table(tmp_path / "units.csv", samples, texts_of(samples))
    assert with_table(composite.read(path), place).action_units == composite.read(path).action_units
    rows = list(csv.reader(place.read_text().splitlines()))
    change(rows)
    with place.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(DataError, match=says):
        with_table(composite.read(path), place)


def test_a_person_in_two_spellings_is_one_and_a_copy_is_found(tmp_path: Path) -> None:
    samples = made_up(subjects=3)
    names = np.where(np.arange(len(samples)) % 2, np.char.upper(samples.subject), samples.subject)
    path = stored(replace(samples, subject=names), tmp_path / "a.npz", action_units=texts_of(samples))
    (asked,) = settings_for(["all-positive"], data=[f"composite={path}"])
    with pytest.warns(FleetingWarning, match="One subject in several spellings"):
        found = benchmark(asked, out=tmp_path / "run")
    assert (found["subjects"], found["folds"]) == (3, 3)
    images = samples.flow_images().copy()
    images[-1] = images[0]
    copied = coded_samples(
        composite.read(stored(replace(samples, flow=images), tmp_path / "b.npz", action_units=texts_of(samples))),
        UNITS,
        what="b.npz",
    )
    with pytest.raises(LeakageError, match="no near-duplicate of a training clip in test"):
        run_units(data_of(copied), AllPositive(), plan(), out=tmp_path / "copy")


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    from fleeting.cli.app import app

    with pytest.raises(SettingsError, match="an honest protocol for action units"):
        settings_for(["all-positive"], data=["a=b"], protocol=LEAKY)
    with pytest.raises(SettingsError, match="a known model; got 'logistic-regresion'. Did you mean 'logistic-regr"):
        settings_for(["logistic-regresion"], data=["a=b"])
    (asked,) = settings_for(["all-positive"], data=[f"composite={stored(made_up(subjects=2), tmp_path / 'a.npz')}"])
    with pytest.raises(DataError, match="an array action_units in"):
        benchmark(asked, out=tmp_path / "run")
    words = ["benchmark", "--data", "a=b", "-m", "linear-svm", "--out", str(tmp_path / "out")]
    for more, says in (
        (["--task", "action-unit"], "Did you mean 'action-units'"),
        (["--units", "a.csv"], "--units with --task action-units"),
    ):
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code != 0
        assert says in str(done.exception) + done.output


def test_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_units.py").write_text(
        "import numpy as np\n\n\nclass Half:\n    name = 'half'\n    needs = 'flow'\n\n"
        "    def settings(self):\n        return {}\n\n"
        "    def fit(self, train, validation, *, seed):\n"
        "        self.thresholds = np.full(len(train.units), 0.6)\n        return self\n\n"
        "    def probabilities(self, samples):\n        return np.full((len(samples), len(samples.units)), 0.5)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = run_units(data_of(coded()), named_unit_model("mine_units:Half"), plan(), out=tmp_path / "run")
    assert (found["mean_f1"], found["mean_auc"]) == (0, 0.5)
