"""One person in several spellings is one person, wherever labelled data come in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flow_clips import Nearest, made_up, stored
from hypothesis import given
from hypothesis import strategies as st

from fleeting.datasets import composite
from fleeting.datasets.manifest import Manifest, ManifestRow, checked, joined
from fleeting.datasets.manifest_files import read_manifest, write_manifest
from fleeting.datasets.people import person_key, spellings
from fleeting.datasets.registry import named_data
from fleeting.errors import DataError, FleetingWarning, LeakageError
from fleeting.evaluation.benchmark.data import BenchmarkData, benchmark_data, read_data
from fleeting.evaluation.benchmark.fold_checks import require_honest
from fleeting.evaluation.benchmark.leakage import require_disjoint, require_unseen
from fleeting.evaluation.benchmark.protocols import holdout_fold, make_folds


def row(subject: str, clip: str, *, dataset: str = "x", onset: int = 0) -> ManifestRow:
    return ManifestRow(dataset, subject, clip, f"{subject}/{clip}", "p", 100.0, onset, None, onset + 9)


@pytest.mark.parametrize(
    ("one", "other"),
    [("sub01", "Sub01 "), ("6", "006"), ("sub01", "sub1"), ("S 01", "s01"), ("spNO.1", "spno.01"), ("a\u00a0b", "AB")],
)
def test_the_same_person(one: str, other: str) -> None:
    assert person_key(one) == person_key(other)
    with pytest.raises(LeakageError, match="no subject in both"):
        require_disjoint([f"x/{one}"], [f"X/{other}"])
    with pytest.raises(LeakageError, match="has not seen the test subjects"):
        require_unseen([f"x/{one}"], [f"x/{other}"], name="m")


@pytest.mark.parametrize(
    ("one", "other"), [("6", "60"), ("sub10", "sub1"), ("0", "00a"), ("1.05", "1.50"), ("a-1", "a1")]
)
def test_other_people(one: str, other: str) -> None:
    assert person_key(one) != person_key(other)
    require_disjoint([one], [other])


def test_clips_are_not_people() -> None:
    require_disjoint(["casme2/EP01_2"], ["casme2/EP01_02"], what="clip")


@given(st.lists(st.sampled_from(["6", "006", " 6", "sub01", "Sub01 ", "SUB1", "7"]), max_size=9))
def test_a_spelling_is_chosen_whatever_the_order(names: list[str]) -> None:
    found = spellings(names)
    assert found == spellings(names[::-1])
    assert len({found.get(n, n) for n in names}) == len({person_key(n) for n in names})


def test_a_manifest_lists_who_was_spelled_in_several_ways(tmp_path: Path) -> None:
    rows = [row("006", "a"), row("006", "b"), row("6", "c"), row("Sub01 ", "d"), row("sub01", "e"), row("7", "f")]
    write_manifest(Manifest(tuple(rows)), tmp_path / "m.csv")
    found = read_manifest(tmp_path / "m.csv")
    assert found.subjects == ("x/006", "x/7", "x/sub01")
    assert [(c.where, c.column, c.was, c.now) for c in found.corrections] == [
        ("(all of x)", "subject", "6", "006"),
        ("(all of x)", "subject", "Sub01 ", "sub01"),
    ]
    assert {r.source_video for r in found.rows} >= {"006/c", "sub01/d"}


def test_manifests_that_are_joined_and_data_sets_that_are_spelled_in_two_ways() -> None:
    parts = [Manifest((row("6", "a", dataset="SAMM"),)), Manifest((row("006", "b", dataset="samm"),))]
    found = joined(parts)
    assert len(found.subjects) == 1
    assert {c.column for c in found.corrections} == {"dataset", "subject"}
    apart = joined([Manifest((row("6", "a", dataset="samm"),)), Manifest((row("006", "b", dataset="own"),))])
    assert len(apart.subjects) == 2
    assert not apart.corrections


def test_two_people_who_would_become_one_are_an_error() -> None:
    with pytest.raises(
        DataError, match=r"one spelling for each person of 'x'; got '6' and '006', who both have a clip 'a'"
    ):
        checked([row("6", "a"), row("006", "a", onset=40)], [], ["t.csv"])
    same = checked([row("6", "a"), row("006", "a"), row("006", "b")], [], ["t.csv"])
    assert len(same) == 2
    assert [c.now for c in same.corrections] == ["006", "left out"]


def test_pictures_that_name_nobody_stay_apart() -> None:
    pictures = [ManifestRow("fer", n, n, n, f"f#{n}", 0.0, emotion="happy", type="") for n in ("1", "01")]
    assert len(checked(pictures, [], ["f"]).subjects) == 2


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    lines = ["file,subject,onset,offset,emotion,fps"]
    lines += [f"clip{i}.mp4,{name},0,9,happiness,100" for i, name in enumerate(("Sub01", "sub01", " SUB 01", "sub02"))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    found = named_data(f"own={tmp_path}").read()
    assert len(found.subjects) == 2
    assert [c.column for c in found.corrections].count("subject") == 2


def spelled(path: Path) -> Path:
    """Flow images in which every third clip of a person has another spelling."""
    samples = made_up(subjects=4)
    names = [f"made/{' S0' if i % 3 else 's'}{str(s)[-1]}" for i, s in enumerate(samples.subject)]
    return stored(replace(samples, subject=np.array(names)), path)


def test_flow_images_say_whom_they_took_for_one(tmp_path: Path) -> None:
    path = spelled(tmp_path / "flow.npz")
    with pytest.warns(FleetingWarning, match=r"One subject in several spellings, 'made/ S00' for 'made/s0', "):
        found = composite.read(path)
    assert len(set(found.subject)) == 4


def test_no_fold_of_the_benchmark_parts_a_person(tmp_path: Path) -> None:
    with pytest.warns(FleetingWarning, match="One subject in several spellings"):
        data = read_data([f"composite={spelled(tmp_path / 'flow.npz')}"])
    folds = make_folds(data, "loso")
    assert [len(fold.test) for fold in folds] == [6, 6, 6, 6]
    require_honest(data, folds, Nearest())


def test_people_of_two_files_are_compared(tmp_path: Path) -> None:
    one, other = made_up(subjects=2), made_up(subjects=2, seed=1)
    other = replace(other, subject=np.char.upper(other.subject), clip=np.char.add(other.clip, "_b"))
    with pytest.warns(FleetingWarning, match="'made/s0' for 'MADE/S0'"):
        data = benchmark_data([("a", one), ("b", other)], held_out=["b"])
    assert len(set(data.samples.subject)) == 2
    with pytest.raises(LeakageError, match="no subject in both training and test data"):
        holdout_fold(data)


def test_what_is_put_together_by_hand_is_refused() -> None:
    samples = made_up(subjects=3)
    names = np.where(np.arange(len(samples)) % 2, np.char.upper(samples.subject), samples.subject)
    data = BenchmarkData(replace(samples, subject=names), samples.dataset, np.zeros(len(samples), bool))
    with pytest.raises(LeakageError, match="no subject in both training and test"):
        require_honest(data, make_folds(data, "loso"), Nearest())
