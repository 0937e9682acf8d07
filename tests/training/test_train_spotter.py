"""Examples for the judge of candidates, and a training of seconds on measurements that are made up."""

from __future__ import annotations

import csv
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from test_spotting import measured

pytest.importorskip("torch")

from fleeting import weights
from fleeting.errors import DataError, LeakageError
from fleeting.settings import SpottingSettings
from fleeting.spotting.measurements import Measurements
from fleeting.synthesis.truth import TruthRow, write_truth
from fleeting.training.run import train
from fleeting.training.spotter.examples import (
    BLINK,
    LEFT_OUT,
    MICRO,
    MIRROR_CELLS,
    NOTHING,
    Examples,
    MeasuredFilm,
    Pattern,
    examples_of,
    label_of,
    load_films,
    mixed,
    patterns_of,
    with_movements,
)
from fleeting.training.spotter.network import SpottingNetwork
from fleeting.training.spotter.train import answers

FPS = 30.0
SETTINGS = SpottingSettings()


def film(number: int, person: str, *, peak: float = 2.0) -> MeasuredFilm:
    onset, apex, offset = 3.0, 3.13, 3.33
    whole = measured(
        fps=FPS, seconds=6, seed=number, noise=0.05, blinks=(1.2,), bumps=((onset, apex, offset, ("chin",), peak),)
    )
    rows = (
        TruthRow("a.mp4", 90, 94, 99, "micro", "", onset, apex, offset, "AU17", "both", 2 * peak),
        TruthRow("a.mp4", 36, 39, 43, "blink", "", 1.2, 1.3, 1.45),
    )
    return MeasuredFilm(f"{number:04d}", "clean", FPS, person, whole, rows)


def write(folder: Path, films: list[MeasuredFilm]) -> None:
    folder.mkdir()
    with (folder / "films.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["number", "kind", "fps", "person"])
        for f in films:
            writer.writerow([f.number, f.kind, f.fps, f.person])
            arrays = {field.name: getattr(f.measured, field.name) for field in fields(Measurements)}
            np.savez(folder / f"{f.number}.npz", fps=f.fps, **arrays)
            write_truth(folder / f"{f.number}.csv", f.truth)


def test_labels_of_candidates() -> None:
    micro, blinks = [(3.0, 3.1, 3.4)], [(5.0, 5.3)]
    assert label_of(3.2, (3.0, 3.4), micro, blinks) == (MICRO, micro[0])
    assert label_of(3.02, (2.8, 3.4), micro, blinks) == (LEFT_OUT, None)
    assert label_of(2.9, (2.8, 3.1), micro, blinks) == (NOTHING, None)
    assert label_of(5.1, (5.0, 5.35), micro, blinks) == (BLINK, None)
    assert label_of(5.1, (4.0, 5.05), micro, blinks) == (NOTHING, None)


def test_films_come_back_as_they_were_written(tmp_path: Path) -> None:
    write(tmp_path / "films", [film(1, "ada"), film(0, "bob")])
    first, second = load_films(tmp_path / "films")
    assert (first.number, first.person, second.person) == ("0000", "bob", "ada")
    np.testing.assert_array_equal(second.measured.displacement, film(1, "ada").measured.displacement)
    assert second.micro() == [(3.0, 3.13, 3.33)]
    with pytest.raises(DataError, match="spotting_measurements"):
        load_films(tmp_path)


def test_patterns_are_what_a_movement_does_per_unit_of_its_peak() -> None:
    (pattern,) = patterns_of([film(0, "ada")], SETTINGS)
    size = np.linalg.norm(pattern.cells, axis=1)
    from fleeting.spotting.cells import cells_of

    assert size[cells_of("chin")] == pytest.approx(0.5, abs=0.1)
    assert size[cells_of("left_brow")].max() < 0.1
    np.testing.assert_allclose(pattern.mirrored().mirrored().cells, pattern.cells)
    assert sorted(MIRROR_CELLS) == list(range(len(MIRROR_CELLS)))


def test_movements_are_put_on_top_where_there_are_none() -> None:
    whole, pattern = film(0, "ada"), Pattern(np.ones((len(MIRROR_CELLS), 2)))
    for seed in range(20):
        shown, added = with_movements(whole, [pattern], np.random.default_rng(seed))
        for onset, _, offset in added:
            assert offset + 0.2 < 3.0 or onset - 0.2 > 3.33
        difference = np.abs(shown.measured.displacement - whole.measured.displacement).max(axis=(1, 2))
        assert (difference > 0.3).any() == bool(added)
        inside = np.zeros(len(whole.measured.time_s), bool)
        for onset, _, offset in added:
            inside |= (whole.measured.time_s > onset - 0.1) & (whole.measured.time_s < offset + 0.1)
        assert difference[~inside].max(initial=0) < 0.3


def test_mixed_films_hold_the_movements_of_both() -> None:
    one, other = film(0, "ada"), film(1, "bob", peak=3.0)
    other = replace(other, truth=tuple(replace(r, onset_s=r.onset_s + 1) for r in other.truth))
    kinds = set()
    for seed in range(8):
        both = mixed(one, other, np.random.default_rng(seed))
        assert len(both.truth) == 4
        kinds.add(round(both.micro()[1][0], 3))
        assert both.measured.eye_opening.min() <= one.measured.eye_opening.min()
    assert kinds == {4.0, round(float(one.measured.time_s[-1]) - 3.33, 3)}  # as it is, and backwards


def recipe(folder: Path, **more: object) -> Path:
    values = {"variants": 2, "epochs": 3, "batch": 16, "width": 8} | more
    lines = ['task = "spotter"', f'films = "{folder}/films"', f'validation = "{folder}/validation"']
    path = folder / "recipe.toml"
    path.write_text("\n".join([*lines, *(f"{k} = {v}" for k, v in values.items())]) + "\n", encoding="utf-8")
    return path


def test_training_ships_a_network(tmp_path: Path) -> None:
    write(tmp_path / "films", [film(i, f"person {i}") for i in range(4)])
    write(tmp_path / "validation", [film(i, f"other {i}") for i in range(10, 12)])
    assert train(recipe(tmp_path), data=tmp_path, out=tmp_path / "out") == "spotter"
    card = json.loads((tmp_path / "out" / "spotter.json").read_text(encoding="utf-8"))
    assert card["sha256"] == weights.checksum(tmp_path / "out" / "spotter.onnx")
    assert card["labels"] == ["nothing", "micro", "blink"]
    assert card["subjects"] == {"films": 4, "people": 4}


def test_a_person_in_both_sets_is_a_leak(tmp_path: Path) -> None:
    write(tmp_path / "films", [film(0, "ada")])
    write(tmp_path / "validation", [film(1, "ada")])
    with pytest.raises(LeakageError, match="ada in both"):
        train(recipe(tmp_path), data=tmp_path, out=tmp_path / "out")


def test_an_example_alone_is_answered_as_among_others() -> None:
    films = [film(i, f"person {i}") for i in range(2)]
    several = examples_of(films, (), variants=0, seed=0, settings=SETTINGS)
    alone = Examples(*(getattr(several, f.name)[:1] for f in fields(Examples)))
    network = SpottingNetwork(width=8)
    assert len(several.label) > 1
    np.testing.assert_allclose(answers(network, alone), answers(network, several)[:1], atol=1e-5)
