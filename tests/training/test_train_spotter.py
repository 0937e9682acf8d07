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
from fleeting.faces.align import canonical_points, crop_size
from fleeting.settings import SpottingSettings
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.measurements import Measurements
from fleeting.synthesis.truth import TruthRow, write_truth
from fleeting.training.run import train
from fleeting.training.spotter.courses import draw_course
from fleeting.training.spotter.examples import (
    BLINK,
    LEFT_OUT,
    MICRO,
    NOTHING,
    Examples,
    examples_of,
    label_in_real,
    label_of,
    with_movements,
)
from fleeting.training.spotter.films import MeasuredFilm, load_films, load_real
from fleeting.training.spotter.fit import poisson_interval
from fleeting.training.spotter.network import SpottingNetwork
from fleeting.training.spotter.patterns import (
    FLOW_DATASETS,
    LOWER,
    MIRROR_CELLS,
    Pattern,
    drawn,
    flow_patterns,
    patterns_of,
)
from fleeting.training.spotter.surroundings import cut, mixed, talked_over, varied
from fleeting.training.spotter.trainer import answers

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
        inside, first = np.zeros(len(whole.measured.time_s), bool), min((a for a, _, _ in added), default=np.inf)
        for onset, _, offset in added:
            inside |= (whole.measured.time_s > onset - 0.1) & (whole.measured.time_s < offset + 0.1)
        assert difference[whole.measured.time_s < first - 0.1].max(initial=0) < 1e-6
        assert difference[~inside].max(initial=0) <= 0.5 * difference.max() * max(len(added), 1)  # some do not return


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


def real_film(number: str = "00", kind: str = "speech", seconds: float = 3.0) -> MeasuredFilm:
    """Somebody who talks all the time: the chin goes down four times a second."""
    whole = measured(fps=25.0, seconds=seconds, noise=0.05, seed=int(number))
    syllables = 5 * np.sin(2 * np.pi * 2 * whole.time_s) ** 2
    chin = np.array([name == "chin" for name in CELL_REGION])
    whole.displacement[:, chin, 1] += syllables[:, None].astype(np.float32)
    talks = ((0.0, seconds),) if kind == "speech" else ()
    return MeasuredFilm(number, kind, 25.0, f"real/{number}", whole, (), number, talks)


def write_real(path: Path, films: list[MeasuredFilm]) -> None:
    arrays = {
        f"{f.number}_{field.name}": getattr(f.measured, field.name)
        for f in films
        for field in fields(Measurements)
        if field.name != "face"
    }
    np.savez(path, kind=[f.kind for f in films], **arrays, **{f"{f.number}_fps": f.fps for f in films})


def test_real_films_come_back_as_they_were_stored(tmp_path: Path) -> None:
    write_real(tmp_path / "real.npz", [real_film(), real_film("01", "grimaces")])
    talker, grimaces = load_real(tmp_path / "real.npz")
    assert (talker.person, talker.real, talker.kind) == ("real/00", "00", "speech")
    assert (len(talker.talks), len(grimaces.talks)) == (1, 0)
    np.testing.assert_array_equal(talker.measured.displacement, real_film().measured.displacement)
    with pytest.raises(DataError, match="real"):
        load_real(tmp_path / "none.npz")


def test_of_a_mouth_that_talks_no_movement_is_put_on_top() -> None:
    mouth = Pattern(np.array(LOWER)[:, None] * np.ones((len(LOWER), 2)))
    brows = Pattern(np.array([name == "left_brow" for name in CELL_REGION])[:, None] * np.ones((len(LOWER), 2)))
    assert (mouth.lower, brows.lower) == (True, False)
    talker = real_film(seconds=8.0)
    added = {
        p.lower: sum(len(with_movements(talker, [p], np.random.default_rng(s))[1]) for s in range(20))
        for p in (mouth, brows)
    }
    assert added[True] == 0 < added[False]
    quiet = replace(talker, talks=())
    assert sum(len(with_movements(quiet, [mouth], np.random.default_rng(s))[1]) for s in range(20)) > 0


def test_what_real_people_show_is_nothing_or_left_out() -> None:
    talker, grimaces = real_film(), real_film("01", "grimaces")
    assert label_in_real(NOTHING, 1.0, (0.9, 1.2), ("chin",), talker) == NOTHING
    assert label_in_real(MICRO, 1.0, (0.9, 1.2), ("chin",), talker) == LEFT_OUT
    assert label_in_real(MICRO, 1.0, (0.9, 1.2), ("left_brow",), talker) == MICRO
    assert label_in_real(NOTHING, 1.0, (0.9, 1.2), ("left_brow",), grimaces) == LEFT_OUT
    assert label_in_real(NOTHING, 1.0, (0.5, 1.6), ("left_brow",), grimaces) == NOTHING
    assert label_in_real(NOTHING, 1.0, (0.9, 1.2), ("chin",), replace(grimaces, real="")) == NOTHING


def test_examples_know_which_real_film_is_in_them() -> None:
    films, real = (
        [film(i, f"person {i}") for i in range(2)],
        [real_film("00", seconds=4.0), real_film("01", seconds=4.0)],
    )
    patterns = patterns_of(films, SETTINGS)
    found = examples_of(films, patterns, variants=4, seed=0, settings=SETTINGS, real=real, real_variants=2)
    assert set(found.real) == {"", "00", "01"}
    without = found.select(found.real != "01")
    assert set(without.real) == {"", "00"}
    assert len(without.label) == len(without.window) == len(without.times) < len(found.label)
    assert (found.label[found.real != ""] == NOTHING).any()


def test_talk_is_put_on_a_film_for_a_while_and_the_film_stays_the_same_elsewhere() -> None:
    quiet, talker = film(0, "ada"), real_film(seconds=2.0)
    for seed in range(6):
        shown = talked_over(quiet, talker, np.random.default_rng(seed))
        ((first, last),) = shown.talks
        moved = np.abs(np.diff(shown.measured.displacement - quiet.measured.displacement, axis=0)).max(axis=(1, 2))
        time_s = quiet.measured.time_s[1:]
        assert moved[(time_s > first + 0.4) & (time_s < last - 0.4)].max() > 0.2
        assert moved[(time_s < first) | (time_s > last)].max(initial=0) < 1e-4
        assert shown.truth == quiet.truth
        assert shown.real == "00"


def test_a_real_film_at_another_speed_and_rate_keeps_all_its_fields_alike_long() -> None:
    for seed in range(8):
        shown = varied(real_film(seconds=4.0), np.random.default_rng(seed))
        n = len(shown.measured.time_s)
        assert all(len(getattr(shown.measured, f.name)) == n for f in fields(Measurements) if f.name != "face")
        assert np.diff(shown.measured.time_s) == pytest.approx(1 / shown.fps, rel=1e-6)
        assert np.isfinite(shown.measured.displacement).all()


def test_a_cut_clip_is_still_before_and_after_its_movement() -> None:
    for seed in range(6):
        clip = cut(film(0, "ada"), np.random.default_rng(seed), share=1.0)
        ((onset, _, offset),) = clip.micro()
        time_s, moved = clip.measured.time_s, np.diff(clip.measured.displacement, axis=0)
        still = (time_s[1:] < onset - 0.15) | (time_s[1:] > offset + 0.2)
        assert np.abs(moved[still]).std() < 0.1 < np.abs(moved[~still]).max()
        assert offset - onset == pytest.approx(0.33, abs=1e-6)


def test_a_course_that_does_not_come_back_wholly_ends_where_it_settles() -> None:
    rng, off_rest = np.random.default_rng(0), 0
    for _ in range(200):
        course = draw_course(rng, onset_s=1.0)
        onset, apex, offset = course.times
        assert 0.09 <= offset - onset <= 0.51
        assert course(np.array([0.5, apex])) == pytest.approx([0.0, 1.0], abs=1e-6)
        late = float(course(np.array([offset + 0.1]))[0])
        assert late <= 0.5
        off_rest += late > 0.04
    assert 20 < off_rest < 120


def test_patterns_of_flow_images_are_where_the_face_moved(tmp_path: Path) -> None:
    from fleeting.motion.flow_image import flow_image

    tall = crop_size(140)
    flow = np.zeros((*tall, 2), np.float32)
    mouth = canonical_points(140)[54]  # the person's left corner, on the right of the picture
    rows, columns = np.mgrid[: tall[0], : tall[1]]
    flow[..., 1] = -3 * np.exp(-((rows - mouth[1]) ** 2 + (columns - mouth[0]) ** 2) / 100)
    flow[..., 0] = 0.5 * flow[..., 1]
    subjects = np.array([f"s{i}" for i in range(30)])
    arrays = {"label": np.zeros(30, np.int64), "subject": subjects, "clip": subjects}
    for name, count in (("smic", 30), ("casme2", 0)):
        np.savez(
            tmp_path / f"{name}.npz", flow=np.stack([flow_image(flow)] * 30), dataset=np.array([name] * 30), **arrays
        )
        parts = [flow_patterns(tmp_path / f"{name}.npz", part) for part in ("train", "validation", "test")]
        assert sum(map(len, parts)) == count  # people are split, and those of CASME II stay out
    assert "casme2" not in FLOW_DATASETS
    pattern = flow_patterns(tmp_path / "smic.npz", "train")[0]
    size = np.linalg.norm(pattern.cells, axis=1)
    assert CELL_REGION[int(np.argmax(size))] == "left_mouth_corner"
    assert pattern.cells[int(np.argmax(size)), 1] < 0
    assert size.max() == pytest.approx(1)
    assert pattern.lower


def test_half_of_a_pattern_is_kept_at_times() -> None:
    whole = Pattern(np.ones((len(CELL_REGION), 2)))
    rng = np.random.default_rng(0)
    left = [i for i, name in enumerate(CELL_REGION) if name.startswith("left_")]
    right = [i for i, name in enumerate(CELL_REGION) if name.startswith("right_")]
    sides = [
        (np.abs(p.cells[left]).max(), np.abs(p.cells[right]).max()) for p in (drawn([whole], rng) for _ in range(60))
    ]
    assert any(min(pair) < 1e-9 < max(pair) for pair in sides)
    assert any(min(pair) > 0.9 for pair in sides)


def test_the_interval_of_a_count_is_exact() -> None:
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.39), abs=1e-2)


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
    assert card["subjects"] == {"films": 4, "people": 4, "real_films": 0}
    assert "talkers_left_out" not in card["scores"]


def test_talkers_are_judged_by_networks_that_never_saw_them(tmp_path: Path) -> None:
    write(tmp_path / "films", [film(i, f"person {i}") for i in range(3)])
    write(tmp_path / "validation", [film(i, f"other {i}") for i in range(10, 12)])
    write_real(tmp_path / "real.npz", [real_film("00"), real_film("01", seconds=4.0), real_film("02", "grimaces")])
    train(recipe(tmp_path, real='"real.npz"', real_variants=1, real_epochs=1), data=tmp_path, out=tmp_path / "out")
    card = json.loads((tmp_path / "out" / "spotter.json").read_text(encoding="utf-8"))
    left_out = card["scores"]["talkers_left_out"]
    assert (left_out["films"], left_out["seconds"]) == (2, pytest.approx(2.96 + 3.96, abs=0.1))
    low, high = left_out["per_minute_95"]
    assert low <= left_out["per_minute"] <= high
    names = {p.name for p in (tmp_path / "out").glob("without_*.onnx")}
    assert names == {"without_00.onnx", "without_01.onnx"}
    assert card["subjects"] == {"films": 6, "people": 6, "real_films": 3}


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
