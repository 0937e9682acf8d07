from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Command
from flow_clips import Centroids, Learning, Nearest, data_of, features, made_up, stored

from fleeting import metrics
from fleeting.datasets.samples import Samples
from fleeting.errors import DataError, FleetingWarning, JobsError, SettingsError
from fleeting.evaluation.benchmark import fold_jobs
from fleeting.evaluation.benchmark import run as module
from fleeting.evaluation.benchmark.benchmark import settings_for
from fleeting.evaluation.benchmark.code_of import modules_behind
from fleeting.evaluation.benchmark.data import BenchmarkData, benchmark_data
from fleeting.evaluation.benchmark.files import read_run
from fleeting.evaluation.benchmark.protocols import LEAKY
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.evaluation.benchmark.scores import benchmark_scores
from fleeting.evaluation.bootstrap import subject_interval
from fleeting.recognisers.registry import RECOGNISERS, recogniser
from fleeting.scale.executor import Outcome
from fleeting.scale.process_pool import ProcessPool

PLAN = BenchmarkSettings("nearest", draws=50)


@pytest.fixture
def data() -> BenchmarkData:
    return data_of(made_up(subjects=4, noise=2.5), made_up(subjects=3, name="other", seed=1, noise=2.5))


def test_predictions_are_one_row_per_clip_and_seed_joined_by_id(data: BenchmarkData, tmp_path: Path) -> None:
    model = Nearest()
    found = run_benchmark(data, model, replace(PLAN, seeds=2), out=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions()
    assert list(table.columns[:6]) == ["seed", "fold", "data_set", "subject", "clip", "truth"]
    assert len(table) == 2 * len(data)
    assert not table.duplicated(["seed", "clip"]).any()
    truth = dict(zip(data.samples.clip, data.samples.label, strict=True))
    classes = data.samples.classes
    assert [classes.index(t) for t in table["truth"]] == [truth[c] for c in table["clip"]]
    assert (table["fold"] == table["subject"]).all()
    probabilities = table[[f"p_{c}" for c in classes]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    assert [classes[i] for i in probabilities.argmax(1)] == list(table["predicted"])
    np.testing.assert_array_equal(probabilities.max(1) >= np.float32(0.4), table["answered"])
    assert found["clips"] == len(data)
    assert found["folds"] == 7


def test_training_is_given_training_rows_alone(data: BenchmarkData, tmp_path: Path) -> None:
    model = Nearest()
    run_benchmark(data, model, replace(PLAN, validation=0.4, seeds=2), out=tmp_path / "run")
    assert len(model.given) == 14
    assert {seed for _, _, seed in model.given} == {0, 1}
    for train, validation, _ in model.given:
        assert validation is not None
        assert not set(train.subject) & set(validation.subject)
        named = str(train.dataset[0])
        held = set(data.samples.subject[data.source == named]) - set(train.subject) - set(validation.subject)
        assert len(held) == 1, "the one subject of its set that is tested"


@dataclass
class Peeking(Nearest):
    """Asks the clips that it shall predict for their labels."""

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Any:
        return Peeked(super().fit(train, validation, seed=seed).centres)


@dataclass
class Peeked(Centroids):
    def probabilities(self, samples: Samples) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[samples.label]


def test_labels_are_hidden_from_who_predicts(data: BenchmarkData, tmp_path: Path) -> None:
    found = run_benchmark(data, Peeking(), PLAN, out=tmp_path / "run")
    assert found["uar"]["pooled"] == pytest.approx(1 / 3)


@dataclass
class Drawing(Nearest):
    """Learns from a sample of its rows, drawn by their place, as a network that shuffles its batches does."""

    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Centroids:
        drawn = np.random.default_rng(seed).permutation(len(train))[: 2 * len(train) // 3]
        return super().fit(train.select(drawn), validation, seed=seed)


def test_the_order_of_rows_changes_no_score(tmp_path: Path) -> None:
    parts = [made_up(subjects=4, noise=2.5), made_up(subjects=3, name="other", seed=1, noise=2.5)]
    rng = np.random.default_rng(3)
    mixed = [p.select(rng.permutation(len(p))) for p in reversed(parts)]
    for protocol in ("loso", "kfold", "hde"):
        plan = replace(PLAN, protocol=protocol, seeds=2, folds=3, validation=0.3)
        scores = [
            run_benchmark(data_of(*some), Drawing(), plan, out=tmp_path / f"{protocol}{i}")
            for i, some in enumerate((parts, mixed))
        ]
        for found in scores:
            del found["training_seconds"]
        assert scores[0] == scores[1]


def test_scores_are_pooled_per_set_and_per_seed_as_scikit_learn_has_them(data: BenchmarkData, tmp_path: Path) -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="needs the research extra")
    found = run_benchmark(data, Nearest(), replace(PLAN, protocol="kfold", folds=3, seeds=3), out=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions()
    of = {
        "uf1": lambda t: oracle.f1_score(t["truth"], t["predicted"], average="macro"),
        "uar": lambda t: oracle.balanced_accuracy_score(t["truth"], t["predicted"]),
        "accuracy": lambda t: oracle.accuracy_score(t["truth"], t["predicted"]),
    }
    for name, score in of.items():
        for part, rows in (
            (found[name], table),
            (found[name]["per_data_set"]["other"], table[table.data_set == "other"]),
        ):
            each = {str(seed): score(t) for seed, t in rows.groupby("seed")}
            assert part["per_seed"] == pytest.approx(each)
            assert part["pooled"] == pytest.approx(np.mean(list(each.values())))
            assert part["spread"] == pytest.approx(np.std(list(each.values()), ddof=1))
            assert part["interval"][0] <= part["pooled"] <= part["interval"][1]
            for seed, (low, high) in part["per_seed_interval"].items():
                assert low <= part["per_seed"][seed] <= high
    pooled = oracle.confusion_matrix(table["truth"], table["predicted"], labels=list(data.samples.classes))
    assert found["confusion"]["pooled_over_seeds"] == pooled.tolist()
    assert len({json.dumps(v) for v in found["confusion"]["per_seed"].values()}) > 1, "kfold deals anew with each seed"


def test_intervals_draw_the_same_subjects_for_every_seed() -> None:
    # Two people, one always right, one always wrong, in three seeds alike: only 0, 1/2 and 1 can be drawn.
    rows = [
        (s, "d", f"d/{who}", f"{who}{i}", "a", "a" if who == "x" else "b")
        for s in range(3)
        for who in "xy"
        for i in range(9)
    ]
    table = pd.DataFrame(rows, columns=["seed", "data_set", "subject", "clip", "truth", "predicted"])
    table["answered"] = True
    table[["p_a", "p_b"]] = np.where((table["predicted"] == "a").to_numpy()[:, None], [0.9, 0.1], [0.2, 0.8])
    found = benchmark_scores(table, ("a", "b"), draws=300)
    assert found["accuracy"]["interval"] == [0.0, 1.0]
    assert found["accuracy"]["pooled"] == 0.5
    assert found["recall"] == {"a": 0.5, "b": None}
    assert benchmark_scores(table, ("a", "b"), draws=0)["uf1"]["interval"] is None


def test_intervals_equal_those_of_drawing_rows(data: BenchmarkData, tmp_path: Path) -> None:
    found = run_benchmark(data, Nearest(), replace(PLAN, draws=4000), out=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions()
    place = {c: i for i, c in enumerate(data.samples.classes)}
    truth, predicted = (table[c].map(place).to_numpy() for c in ("truth", "predicted"))
    for name in metrics.SCORES:
        drawn = subject_interval(getattr(metrics, name), truth, predicted, table["subject"].to_numpy(), draws=2000)
        assert found[name]["interval"] == pytest.approx(drawn, abs=0.02)


def test_scores_of_counts_equal_those_of_predictions() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 5):
        truth, predicted = rng.integers(0, classes, (2, 40))
        truth[truth == 1] = 0  # a class without rows
        counts = metrics.confusion(truth, predicted, classes=classes)
        both = metrics.scores_of_counts(np.stack([counts, 2 * counts]))
        for name in metrics.SCORES:
            np.testing.assert_allclose(both[name], getattr(metrics, name)(truth, predicted, classes=classes))


def test_what_a_run_writes(data: BenchmarkData, tmp_path: Path) -> None:
    found = run_benchmark(data, Nearest(), PLAN, out=tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.metrics == json.loads(json.dumps(found))
    written = tomllib.loads((tmp_path / "run" / "settings.toml").read_text())
    assert written["model_settings"] == {"name": "nearest"}
    assert written["protocol"] == "loso"
    environment = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert environment["packages"]["numpy"] == np.__version__
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "settings.toml", "environment.json", "metrics.json", "predictions.parquet", "jobs",
    }  # fmt: skip


def test_a_stopped_run_goes_on(data: BenchmarkData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_benchmark(data, Nearest(), PLAN, out=tmp_path / "whole")
    done: list[Outcome] = []

    def stop(outcome: Outcome, count: int) -> None:
        done.append(outcome)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(data, Nearest(), PLAN, out=tmp_path / "run", on_done=stop)
    with pytest.raises(DataError, match="not finished"):
        read_run(tmp_path / "run")
    model = Nearest()
    done = []
    found = run_benchmark(data, model, PLAN, out=tmp_path / "run", on_done=lambda o, count: done.append(o))
    assert len(model.given) == 4, "three of seven folds were there"
    assert [o.kept for o in done] == [True] * 3 + [False] * 4
    assert found | {"training_seconds": 0} == whole | {"training_seconds": 0}
    again = Nearest()
    run_benchmark(data, again, PLAN, out=tmp_path / "run")
    assert not again.given
    # Other code may predict otherwise: its results are not mixed in.
    monkeypatch.setattr(module, "source_fingerprint", lambda rooms: "other code")
    run_benchmark(data, again, PLAN, out=tmp_path / "run")
    assert len(again.given) == 7


def test_the_code_behind_a_model_is_what_it_imports() -> None:
    behind = modules_behind(["fleeting.recognisers.linear_svm", "tests.flow_clips"])
    needed = {"recognisers.linear_svm", "training.calibration", "motion.flow_image", "datasets.samples"}
    assert needed <= set(behind)
    assert not {name for name in behind if name.startswith(("training.export", "cli.", "recognisers.folds.many"))}
    inside = modules_behind(["fleeting.recognisers.registry"])
    assert "recognisers.contract" in inside
    assert "synthesis.face.action_units" in modules_behind(["fleeting.synthesis.inject"])


def test_a_folder_of_another_benchmark_is_left_alone(data: BenchmarkData, tmp_path: Path) -> None:
    run_benchmark(data, Nearest(), PLAN, out=tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    with pytest.raises(SettingsError, match=r"other settings there \(protocol: loso there, kfold now\)"):
        run_benchmark(data, Nearest(), replace(PLAN, protocol="kfold"), out=tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


def test_in_processes_it_is_the_same(data: BenchmarkData, tmp_path: Path) -> None:
    here = run_benchmark(data, Nearest(), PLAN, out=tmp_path / "here")
    apart = run_benchmark(data, Nearest(), PLAN, out=tmp_path / "apart", engine=ProcessPool(workers=2))
    assert here | {"training_seconds": 0} == apart | {"training_seconds": 0}


def test_the_leaky_protocol_shows_both_figures_and_marks_itself(data: BenchmarkData, tmp_path: Path) -> None:
    plan = replace(PLAN, protocol=LEAKY)
    with pytest.warns(FleetingWarning, match="LEAKY: for each subject the epoch was chosen by its own test clips"):
        found = run_benchmark(data, Learning(), plan, out=tmp_path / "run")
    assert found["leaky"] is True
    assert "LEAKY" in found["warning"]
    assert found[LEAKY]["leaky"] is True
    assert found[LEAKY]["epochs"] == 6
    assert found[LEAKY]["accuracy"]["pooled"] > found["accuracy"]["pooled"] + 0.05
    run = read_run(tmp_path / "run")
    honest, chosen = run.predictions(), run.predictions(leaky=True)
    assert set(chosen["selection"]) == {"LEAKY best test epoch"}
    assert (tmp_path / "run" / "leaky-predictions.parquet").exists()
    # By hand: the first epoch of the highest accuracy of each subject; and the last epoch.
    for subject in set(data.samples.subject):
        test = data.samples.select(data.samples.subject == subject)
        train = data.samples.select(data.samples.subject != subject)
        each = [m.probabilities(test).argmax(1) for m in Learning().fit_epochs(train, None, seed=0)]
        best = int(np.argmax([(e == test.label).mean() for e in each]))
        rows = chosen[chosen["subject"] == subject]
        assert set(rows["epoch"]) == {best + 1}
        names = np.array(data.samples.classes)
        assert list(rows["predicted"]) == list(names[each[best]])
        assert list(honest[honest["subject"] == subject]["predicted"]) == list(names[each[-1]])


def test_the_leaky_protocol_needs_epochs(data: BenchmarkData, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a model that is trained in epochs for leaky-best-epoch; got 'nearest'"):
        run_benchmark(data, Nearest(), replace(PLAN, protocol=LEAKY), out=tmp_path / "run")


@dataclass
class Batched(Learning):
    """All folds in one call."""

    def fit_many(self, data: Samples, folds: Any, *, seed: int) -> list[Centroids]:
        return [Nearest().fit(data.select(f.train), None, seed=seed) for f in folds]

    def fit_many_epochs(self, data: Samples, folds: Any, *, seed: int) -> Iterator[list[Centroids]]:
        yield from map(list, zip(*(self.fit_epochs(data.select(f.train), None, seed=seed) for f in folds), strict=True))


def test_many_folds_at_once_give_the_same(data: BenchmarkData, tmp_path: Path) -> None:
    skip = {"training_seconds": 0, "independence": 0}
    for protocol, one, other in (("loso", Nearest(), Batched()), (LEAKY, Learning(), Batched())):
        plan = replace(PLAN, protocol=protocol)
        with pytest.warns(FleetingWarning) if protocol == LEAKY else _nothing():
            singly = run_benchmark(data, one, plan, out=tmp_path / f"{protocol}-singly")
        with pytest.warns(FleetingWarning) if protocol == LEAKY else _nothing():
            batched = run_benchmark(data, other, plan, out=tmp_path / f"{protocol}-batched")
        assert singly | skip == batched | skip
        assert [c["largest_change"] for c in batched["independence"]] == [0.0]


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


@dataclass
class Broken(Nearest):
    def fit(self, train: Samples, validation: Samples | None, *, seed: int) -> Any:
        return Centroids(np.full((3, 28 * 28), np.nan))


def test_a_training_that_failed_is_named(data: BenchmarkData, tmp_path: Path) -> None:
    with pytest.raises(JobsError, match=r"7 that failed: seed 0, fold made/s0 .*probabilities of shape"):
        run_benchmark(data, Broken(), PLAN, out=tmp_path / "run")


def test_a_class_that_a_fold_lacks(tmp_path: Path) -> None:
    base = made_up(subjects=3)
    only = base.select((base.label != 2) | (base.subject == "made/s1"))
    with pytest.raises(DataError, match="every class in fold 'made/s1'; got none of surprise"):
        run_benchmark(data_of(only), Nearest(), PLAN, out=tmp_path / "run")


def test_a_model_that_reads_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="clips with 'sequence' for the model 'nearest'"):
        run_benchmark(data_of(made_up()), Nearest(needs="sequence"), PLAN, out=tmp_path / "run")


def test_holdout_tests_on_other_data(tmp_path: Path) -> None:
    parts = [("old", made_up(subjects=4)), ("new", made_up(subjects=3, name="other", seed=1))]
    data = benchmark_data(parts, held_out=["new"])
    plan = replace(PLAN, protocol="holdout", data=("old=a",), test=("new=b",))
    model = Nearest()
    found = run_benchmark(data, model, plan, out=tmp_path / "run")
    assert set(model.given[0][0].dataset) == {"made"}
    assert found["data_sets"] == {"other": 18}
    with pytest.raises(SettingsError, match="test data for a hold-out"):
        run_benchmark(data, model, replace(plan, test=()), out=tmp_path / "none")


def test_settings_are_checked_before_anything_runs() -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")
    plans = settings_for(["linear-svm", "shipped"], train=["a=x"], test=["b=y"], numbers={"seeds": 3})
    assert [p.model for p in plans] == ["linear-svm", "shipped"]
    assert plans[0].protocol == "holdout"
    assert (plans[0].data, plans[0].test, plans[0].seeds) == (("a=x",), ("b=y",), 3)
    with pytest.raises(SettingsError, match="Did you mean 'linear-svm'"):
        settings_for(["linear_svm"], data=["a=x"])
    with pytest.raises(SettingsError, match="each once"):
        settings_for(["shipped", "shipped"], data=["a=x"])
    with pytest.raises(SettingsError, match="Did you mean 'kfold'"):
        settings_for(["shipped"], data=["a=x"], protocol="k-fold")
    for sides in ({"train": ["a=x"]}, {"test": ["a=x"]}, {"data": ["a=x"], "train": ["a=x"], "test": ["b=x"]}, {}):
        with pytest.raises(SettingsError, match="either --data, or both --train and --test"):
            settings_for(["shipped"], **sides)


@pytest.mark.parametrize("name", RECOGNISERS)
def test_every_known_model_can_be_made(name: str) -> None:
    for needed in ("torch", "sklearn"):
        pytest.importorskip(needed, reason="needs the research extra")
    model = recogniser(name)
    assert model.name == name
    assert model.needs in ("flow", "sequence")
    json.dumps(model.settings(), allow_nan=False)


@pytest.mark.parametrize("name", ["linear-svm", "fleeting"])
def test_the_linear_models_learn(name: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")
    data = data_of(made_up(subjects=7, noise=0.8))
    plan = BenchmarkSettings(name, protocol="kfold", folds=2, draws=20)
    found = run_benchmark(data, recogniser(name), plan, out=tmp_path / "run")
    assert found["uf1"]["pooled"] > 0.8


@pytest.mark.parametrize("classes", [2, 5])
def test_other_numbers_of_classes(classes: int, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")
    base = made_up(subjects=3, each=10)
    names = ("happiness", "disgust", "repression", "surprise", "others")[:classes]
    samples = replace(base, classes=names, label=np.arange(len(base)) % classes)
    found = run_benchmark(data_of(samples), recogniser("linear-svm"), PLAN, out=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions()
    np.testing.assert_allclose(table[[f"p_{c}" for c in names]].sum(axis=1), 1, atol=1e-5)
    assert np.shape(found["confusion"]["pooled_over_seeds"]) == (classes, classes)
    if classes == 5:
        with pytest.raises(JobsError, match="the classes negative, positive, surprise; got happiness"):
            run_benchmark(data_of(samples), recogniser("fleeting"), PLAN, out=tmp_path / "half")


def test_the_shipped_recogniser_answers_as_the_network_does(tmp_path: Path) -> None:
    from fleeting import weights

    parts = [("old", made_up(subjects=2)), ("new", made_up(subjects=3, name="other", seed=1))]
    data = benchmark_data(parts, held_out=["new"])
    plan = replace(PLAN, model="shipped", protocol="holdout", test=("new=b",))
    run_benchmark(data, recogniser("shipped"), plan, out=tmp_path / "run")
    table = read_run(tmp_path / "run").predictions()
    rows = data.samples.select(data.held_out)
    (expected,) = weights.session("fleeting").run(None, {"flow": rows.flow})
    assert list(table["clip"]) == list(rows.clip)
    np.testing.assert_allclose(table[["p_negative", "p_positive", "p_surprise"]], expected, atol=1e-6)
    sure = expected.max(1) >= weights.card("fleeting")["unsure"]["threshold"]
    np.testing.assert_array_equal(table["answered"], sure)


def test_the_command(fleeting: Command, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")
    path = stored(made_up(subjects=4), tmp_path / "flow.npz")
    said = fleeting(
        "benchmark", "--data", f"made={path}", "--model", "linear-svm", "--seeds", "2", "--out", tmp_path / "run"
    )
    assert said.status == 0, said.err
    assert "24 clips of 4 subjects, 4 folds, 2 seeds" in said.out
    assert "seed 1, fold made/s3" in said.err
    metrics_file = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert f"{metrics_file['uf1']['pooled']:.3f} +- 0.000" in said.out
    again = fleeting(
        "benchmark", "--data", f"made={path}", "-m", "linear-svm", "--seeds", "2", "-o", tmp_path / "run", "--json"
    )
    assert json.loads(again.out) == metrics_file


def test_the_command_goes_on_with_the_other_models(
    fleeting: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")

    def fails(*_: object, **__: object) -> None:
        raise DataError("clips", "none", "Add some.")

    monkeypatch.setattr("fleeting.recognisers.fleeting.recogniser.Fleeting.fit", fails)
    path = stored(made_up(subjects=2, each=9), tmp_path / "flow.npz")
    words = (
        "--data",
        f"made={path}",
        "--model",
        "fleeting",
        "--model",
        "linear-svm",
        "--out",
        tmp_path / "run",
    )
    said = fleeting("benchmark", *words)
    assert said.status == 1
    assert "error: fleeting: Expected all 2 jobs to succeed" in said.err
    assert (tmp_path / "run" / "linear-svm" / "metrics.json").exists()


def test_the_command_with_wrong_input(fleeting: Command, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the research extra")
    for words, message in (
        (("--data", f"a={tmp_path / 'none.npz'}"), "none.npz, which does not exist"),
        (("--data", str(tmp_path)), "data as NAME=PATH"),
        (("--data", "a=x", "--protocol", "lossy"), "a known protocol"),
        (("--data", "a=x", "--engine", "rey"), "Did you mean 'ray'"),
    ):
        said = fleeting("benchmark", *words, "--model", "linear-svm", "--out", tmp_path / "run")
        assert said.status == 1
        assert message in said.err
    assert not (tmp_path / "run").exists()


def test_the_job_function_can_be_sent_to_other_processes() -> None:
    assert fold_jobs.run_job.__module__ == "fleeting.evaluation.benchmark.fold_jobs"
    assert features(made_up()).shape == (36, 784)
