from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow_clips import data_of, made_up, stored

from fleeting.errors import DataError, LeakageError, SettingsError
from fleeting.evaluation.benchmark.data import BenchmarkData, benchmark_data, read_data
from fleeting.evaluation.benchmark.protocols import PROTOCOLS, holdout_fold, make_folds
from fleeting.evaluation.benchmark.splits import Fold


@pytest.fixture
def two() -> BenchmarkData:
    return data_of(made_up(subjects=4, name="a"), made_up(subjects=3, name="b", seed=1))


def subjects(data: BenchmarkData, fold: Fold, side: str) -> set[str]:
    return set(data.samples.subject[getattr(fold, side)])


def test_loso_trains_on_the_others_of_the_same_set(two: BenchmarkData) -> None:
    folds = {f.id: f for f in make_folds(two, "loso")}
    assert set(folds) == set(two.samples.subject)
    assert subjects(two, folds["a/s1"], "test") == {"a/s1"}
    assert subjects(two, folds["a/s1"], "train") == {"a/s0", "a/s2", "a/s3"}
    assert subjects(two, folds["b/s0"], "train") == {"b/s1", "b/s2"}


def test_cde_trains_on_the_others_of_all_sets(two: BenchmarkData) -> None:
    folds = {f.id: f for f in make_folds(two, "cde")}
    assert subjects(two, folds["a/s1"], "train") == set(two.samples.subject) - {"a/s1"}
    leaky = make_folds(two, "leaky-best-epoch")
    assert [f.id for f in leaky] == list(folds)


def test_one_name_with_two_sets_in_it_is_one_set_to_loso() -> None:
    both = data_of(made_up(subjects=3, name="a"), made_up(subjects=2, name="b", seed=1)).samples
    one = benchmark_data([("composite", both)])
    for mine, other in zip(make_folds(one, "loso"), make_folds(one, "cde"), strict=True):
        assert mine.id == other.id
        np.testing.assert_array_equal(mine.train, other.train)
    assert [f.id for f in make_folds(one, "hde")] == ["a", "b"]


def test_hde_holds_out_a_set(two: BenchmarkData) -> None:
    a, b = make_folds(two, "hde")
    assert (a.id, b.id) == ("a", "b")
    assert set(two.samples.dataset[a.test]) == {"a"} == set(two.samples.dataset[b.train])


@pytest.mark.parametrize("seed", [0, 1])
def test_kfold_deals_every_subject_once(two: BenchmarkData, seed: int) -> None:
    folds = make_folds(two, "kfold", folds=3, seed=seed)
    assert [f.id for f in folds] == ["1 of 3", "2 of 3", "3 of 3"]
    held = [s for f in folds for s in subjects(two, f, "test")]
    assert sorted(held) == sorted(set(two.samples.subject))
    assert sorted(np.concatenate([f.test for f in folds])) == list(range(len(two)))


def test_kfold_is_another_with_another_seed(two: BenchmarkData) -> None:
    deals = {tuple(sorted(subjects(two, make_folds(two, "kfold", folds=3, seed=s)[0], "test"))) for s in range(6)}
    assert len(deals) > 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_validation_holds_out_whole_subjects(two: BenchmarkData, protocol: str) -> None:
    whole = make_folds(two, protocol, folds=3, seed=2)
    for fold, without in zip(make_folds(two, protocol, folds=3, validation=0.3, seed=2), whole, strict=True):
        sides = [subjects(two, fold, side) for side in ("train", "validation", "test")]
        assert all(sides)
        assert not sides[0] & sides[1]
        assert not (sides[0] | sides[1]) & sides[2]
        assert set(without.train) == {*fold.train, *fold.validation}
        assert set(without.test) == set(fold.test)
        assert not hasattr(fold.training_rows, "test")


def test_validation_is_another_with_another_seed(two: BenchmarkData) -> None:
    deals = {tuple(make_folds(two, "cde", validation=0.3, seed=s)[0].validation) for s in range(5)}
    assert len(deals) > 1


def test_holdout_keeps_people_apart(two: BenchmarkData) -> None:
    two = replace(two, held_out=two.source == "b")
    (fold,) = holdout_fold(two)
    assert fold.id == "holdout"
    assert set(two.source[fold.test]) == {"b"}
    assert set(two.source[fold.train]) == {"a"}
    mixed = replace(two.samples, subject=np.where(two.samples.subject == "b/s1", "a/s1", two.samples.subject))
    with pytest.raises(LeakageError, match=r"no subject in both training and test data; got 1 in both \(a/s1\)"):
        holdout_fold(replace(two, samples=mixed))


def test_impossible_protocols_are_refused(two: BenchmarkData) -> None:
    alone = data_of(made_up(subjects=1))
    for protocol in ("loso", "cde", "kfold"):
        with pytest.raises(DataError, match=r"at least 2 subjects in .*; got only 'made/s0'"):
            make_folds(alone, protocol)
    with pytest.raises(DataError, match="at least 2 subjects in data set 'b'"):
        make_folds(data_of(made_up(subjects=2, name="a"), made_up(subjects=1, name="b", seed=1)), "loso")
    with pytest.raises(DataError, match="at least 2 data sets"):
        make_folds(alone, "hde")
    with pytest.raises(SettingsError, match="Did you mean 'loso'"):
        make_folds(two, "losso")
    for folds in (1, 8):
        with pytest.raises(SettingsError, match="2 to 7 folds"):
            make_folds(two, "kfold", folds=folds)
    with pytest.raises(SettingsError, match="share of validation subjects"):
        make_folds(two, "cde", validation=1.0)


def test_the_order_of_rows_changes_no_fold_and_no_digest() -> None:
    a, b = made_up(subjects=3, name="a"), made_up(subjects=2, name="b", seed=1)
    shuffled = a.select(np.random.default_rng(0).permutation(len(a)))
    one, other = data_of(a, b), data_of(b, shuffled)
    np.testing.assert_array_equal(one.samples.clip, other.samples.clip)
    assert one.digest == other.digest
    changed = replace(a, label=(a.label + 1) % 3)
    assert data_of(changed, b).digest != one.digest
    assert a.flow is not None
    pixel = a.flow.copy()
    pixel[5, 3, 3, 0] ^= 1
    assert data_of(replace(a, flow=pixel), b).digest != one.digest


def test_data_that_does_not_fit_together_is_refused() -> None:
    a = made_up(subjects=2, name="a")
    with pytest.raises(DataError, match="at least one data set"):
        benchmark_data([])
    nothing = made_up(subjects=2, name="b").select(np.zeros(0, int))
    with pytest.raises(DataError, match="'b' without any"):
        benchmark_data([("a", a), ("b", nothing)])
    with pytest.raises(DataError, match="the same classes in all data sets"):
        benchmark_data([("a", a), ("b", replace(made_up(name="b"), classes=("x", "y", "z")))])
    with pytest.raises(DataError, match="the same kind of 'flow'"):
        benchmark_data([("a", a), ("b", replace(made_up(name="b"), flow=None))])
    with pytest.raises(DataError, match="every clip once"):
        benchmark_data([("a", a), ("again", a)])


def test_flow_images_are_read_under_any_name(tmp_path: Path) -> None:
    one = stored(made_up(subjects=3, name="casme2"), tmp_path / "one.npz")
    other = stored(made_up(subjects=2, name="samm", seed=1), tmp_path / "other.npz")
    data = read_data([f"composite={one}"], test=[f"composite = {other}"])
    assert set(data.source) == {"composite", "composite 2"}
    assert set(data.source[data.held_out]) == {"composite 2"}
    assert set(data.samples.dataset[data.held_out]) == {"samm"}
    (fold,) = holdout_fold(data)
    assert len(fold.test) == 12
    assert set(read_data([f"mine={one}"]).source) == {"mine"}


def test_data_that_cannot_be_read(tmp_path: Path) -> None:
    one = stored(made_up(subjects=3, name="casme2"), tmp_path / "one.npz")
    for text in ("casme2", "=path", "casme2="):
        with pytest.raises(SettingsError, match="data as NAME=PATH"):
            read_data([text])
    with pytest.raises(LeakageError, match="no clip in both the training data and the test data; got 18 in both"):
        read_data([f"a={one}"], test=[f"b={one}"])
    with pytest.raises(DataError, match="missing, which does not exist"):
        read_data([f"a={tmp_path / 'missing'}"])
    (tmp_path / "broken.npz").write_text("no archive")
    with pytest.raises(DataError, match=r"a readable \.npz file"):
        read_data([f"a={tmp_path / 'broken.npz'}"])
    with pytest.raises(DataError, match="3 classes of the composite set"):
        read_data([f"a={one}"], classes=5)
    with pytest.raises(SettingsError, match="Did you mean 'casme2'"):
        read_data([f"casmeii={tmp_path}"])
