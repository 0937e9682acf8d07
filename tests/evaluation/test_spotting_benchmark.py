"""The spotter on long films in the layouts of the data sets: made-up ones, measured without a picture of a face."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import long_films
import numpy as np
import pytest
from clips import APEX, OFFSET, ONSET, pictures, write_folder
from command import Command
from dataset_tables import workbook
from long_films import MOVED, Movement, casme3, casme_sq, looks, measure, samm_long

from fleeting import weights
from fleeting.analysis.analyse import Analysis
from fleeting.errors import DataError, LeakageError, MissingExtraError, SettingsError
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.evaluation.benchmark.spotting import benchmark as module
from fleeting.evaluation.benchmark.spotting import retrained
from fleeting.evaluation.benchmark.spotting.films import read_films
from fleeting.evaluation.benchmark.spotting.scores import spotting_metrics
from fleeting.evaluation.benchmark.spotting.spotters import SPOTTERS, spotter
from fleeting.evaluation.megc import Marked
from fleeting.evaluation.megc_tables import evaluate_megc
from fleeting.scale.executor import Outcome

LAYOUTS = {"samm-lv": samm_long, "casme-sq": casme_sq, "casme3": casme3}
benchmark = partial(module.benchmark, measure=measure)


@pytest.fixture(autouse=True)
def simple(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPOTTERS, "simple", ("long_films", "Simple"))
    monkeypatch.setattr(retrained, "LEAST_STEPS", 20)


def plan_of(name: str, folder: Path, *, model: str = "simple", **how: Any) -> BenchmarkSettings:
    LAYOUTS[name](folder)
    return BenchmarkSettings(model, data=(f"{name}={folder}",), draws=50, **how)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- the layouts


def test_films_are_placed_by_the_numbers_of_their_images(tmp_path: Path) -> None:
    films, data = read_films([f"samm-lv={samm_long(tmp_path)}"])
    assert [f.id for f in films] == [f"samm-lv/{n[:3]}/{n}" for n in ("006_1", "006_2", "007_1", "008_3")]
    assert list(data.samples.subject) == ["samm/006", "samm/006", "samm/007", "samm/008"]
    late = films[1]
    assert (late.first, late.step, late.fps) == (400, 1, 200)
    # Image 601 of the table is frame 600 of the data set, and the 201st picture of the folder.
    assert late.marked()[0].onset == 600
    assert late.image(600) == 200
    assert late.frame(200) == 600
    half = tmp_path / "half"
    long_films.film(half / "SAMM_longvideos" / "006_1", "006_1_{:04d}.jpg", fps=200, step=2)
    shutil.copy(tmp_path / "SAMM_LongVideos.xlsx", half)
    with pytest.raises(DataError, match="3 that are not there"):
        read_films([f"samm-lv={half}"])


def test_every_second_frame_is_filmed_at_half_the_rate(tmp_path: Path) -> None:
    root = samm_long(tmp_path, {"006_1": (1, [Movement(121)]), "007_1": (1, [Movement(301)])})
    for folder in (root / "SAMM_longvideos").iterdir():
        for path in folder.glob("*.jpg"):
            if int(path.stem[-4:]) % 2 == 0:
                path.unlink()
    films, _ = read_films([f"samm-lv={root}"])
    assert (films[0].fps, films[0].step) == (100, 2)
    found = benchmark(BenchmarkSettings("simple", data=(f"samm-lv={root}",), draws=0), out=tmp_path / "out")
    assert found["right"]["micro"]["per_seed"]["0"]["true_positives"] == 2


def test_a_video_file_stands_for_a_folder_of_frames(tmp_path: Path) -> None:
    for name, layout in LAYOUTS.items():
        root = layout(tmp_path / name)
        before, _ = read_films([f"{name}={root}"])
        for one in before:
            shutil.rmtree(one.path)
            one.path.with_name(f"{one.path.name}.mp4").write_bytes(b"")
        after, _ = read_films([f"{name}={root}"])
        assert [f.path.name for f in after] == [f"{f.path.name}.mp4" for f in before]
        assert [(f.id, f.marked()) for f in after] == [(f.id, f.marked()) for f in before]
        assert {f.first for f in after} == {0}


@pytest.mark.parametrize(
    ("name", "micro", "macro"),
    [("samm-lv", (7, 7), (1, 1)), ("casme-sq", (3, 4), (1, 1)), ("casme3", (4, 4), (0, 0))],
)
def test_what_is_marked_is_found_in_every_layout(
    name: str, micro: tuple[int, int], macro: tuple[int, int], tmp_path: Path
) -> None:
    found = benchmark(plan_of(name, tmp_path / "set"), out=tmp_path / "out")
    assert found["failed"] == {}
    assert found["remarks"] == []
    for kind, (hits, marked) in (("micro", micro), ("macro", macro)):
        counts = found["right"][kind]["per_seed"]["0"]
        assert counts["true_positives"] == hits, kind
        assert counts["true_positives"] + counts["false_negatives"] == marked == found["marked"][kind]
    # The one that is missed in CAS(ME)^2 ends at its apex, since its offset is 0: it is seen for thrice as long.
    false = micro[1] - micro[0]
    assert found["right"]["all"]["per_seed"]["0"]["false_positives"] == false
    assert found["false_micro_per_minute"] == pytest.approx(false / found["minutes"], rel=1e-2)
    table = rows(tmp_path / "out" / "predictions.csv")
    assert {row["fold"] for row in table} == {row["subject"] for row in table}
    assert {row["type"] for row in table} == {k for k, (_, n) in (("micro", micro), ("macro", macro)) if n}
    shown = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert shown.count("<svg") == found["films"]
    assert shown.count("<rect") == len(table) + sum(found["marked"].values())


def test_the_tables_are_those_of_the_challenge(tmp_path: Path) -> None:
    """`fleeting evaluate megc` counts them anew."""
    found = benchmark(plan_of("casme-sq", tmp_path / "set"), out=tmp_path / "out")
    again = evaluate_megc(tmp_path / "out")
    for kind in ("micro", "macro", "all"):
        assert found["right"][kind]["per_seed"]["0"] == again[kind]
    public = found["public_script"]["micro"]["per_seed"]["0"]
    assert {k: again["public_script"]["spotting"][k] for k in public} == public


# ---------------------------------------------------------------- protocols and leaks


def test_people_are_held_out_by_groups_and_by_data_sets(tmp_path: Path) -> None:
    plan = plan_of("samm-lv", tmp_path / "a")
    casme3(tmp_path / "b")
    both = replace(plan, data=(*plan.data, f"casme3={tmp_path / 'b'}"))
    found = benchmark(replace(both, protocol="kfold", folds=4), out=tmp_path / "out", cache=tmp_path / "films")
    splits = json.loads((tmp_path / "out" / "splits.json").read_text())["0"]
    assert found["folds"] == len(splits) == 4
    tested = [person for fold in splits.values() for person in fold["test"]]
    assert sorted(tested) == ["casme3/spNO.1", "casme3/spNO.2", "samm/006", "samm/007", "samm/008"]
    assert all(not set(fold["train"]) & set(fold["test"]) for fold in splits.values())
    assert found["data_sets"] == {"casme3": 3, "samm-lv": 4}
    assert found["per_data_set"]["casme3"]["right"]["micro"]["per_seed"]["0"]["true_positives"] == 4
    benchmark(replace(both, protocol="hde"), out=tmp_path / "hde", cache=tmp_path / "films")
    assert looks(tmp_path) == 7, "the measurements are shared"
    with pytest.raises(SettingsError, match="leaky-best-epoch"):
        benchmark(replace(both, protocol="leaky-best-epoch"), out=tmp_path / "leaky")


def test_a_person_on_both_sides_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    samm_long(tmp_path / "a", {"006_1": (1, [Movement(120)]), "007_1": (1, [Movement(120)])})
    samm_long(tmp_path / "b", {"006_2": (1, [Movement(120)])})
    plan = BenchmarkSettings("shipped", data=(f"samm-lv={tmp_path / 'a'}",), test=(f"samm-lv={tmp_path / 'b'}",))
    with pytest.raises(LeakageError, match="samm/006"):
        benchmark(plan, out=tmp_path / "out")
    with pytest.raises(LeakageError, match="no film in both the training data and the test data"):
        benchmark(replace(plan, test=plan.data), out=tmp_path / "out")
    assert looks(tmp_path) == 0


def test_a_person_of_two_spellings_is_held_out_whole(tmp_path: Path) -> None:
    root = casme3(tmp_path)
    book = next(root.glob("*.xlsx"))
    import openpyxl

    table = openpyxl.load_workbook(book)
    table["label"]["A4"] = table["label"]["A5"] = "spNo.02"
    table.save(book)
    (root / "part_A" / "spNo.2" / "c").rename(tmp_path / "c")
    (root / "part_A" / "spNo.02").mkdir()
    (tmp_path / "c").rename(root / "part_A" / "spNo.02" / "c")
    films, data = read_films([f"casme3={root}"])
    assert len(films) == 3
    assert len({film.person for film in films}) == len(set(data.samples.subject)) == 2


def test_a_film_under_two_people_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    plan = plan_of("samm-lv", tmp_path / "set")
    place = tmp_path / "set" / "SAMM_longvideos"
    for path in (place / "007_1").glob("*.jpg"):
        shutil.copy(path, place / "008_3" / path.name.replace("007_1", "008_3"))
    with pytest.raises(LeakageError, match="samm-lv/007/007_1 and samm-lv/008/008_3"):
        benchmark(plan, out=tmp_path / "out")
    assert looks(tmp_path) == 0


def test_a_film_that_was_stored_once_more_is_refused(tmp_path: Path) -> None:
    """Other bytes, the same movements: a copy of another compression."""
    plan = plan_of("samm-lv", tmp_path / "set")
    place = tmp_path / "set" / "SAMM_longvideos"
    shutil.copy(place / "007_1" / MOVED, place / "008_3" / MOVED)
    with pytest.raises(LeakageError, match="near-duplicate.*samm-lv/007/007_1 and samm-lv/008/008_3"):
        benchmark(plan, out=tmp_path / "out")


def test_a_spotter_that_knows_a_person_is_refused(tmp_path: Path) -> None:
    assert "samm/006" in weights.card("spotter")["subjects_seen"], "it learned from patterns of people of SAMM"
    with pytest.raises(LeakageError, match="'shipped' that has not seen.*samm/006"):
        benchmark(plan_of("samm-lv", tmp_path / "set", model="shipped"), out=tmp_path / "out")


def test_clips_that_were_cut_from_films_are_refused(tmp_path: Path) -> None:
    root = casme3(tmp_path)
    for onset in (60, 100):
        long_films.film(root / f"spNO.2_c_{onset}", "{}.jpg", fps=30, first=onset, seconds=0.5)
    shutil.rmtree(root / "part_A" / "spNo.2" / "c")
    with pytest.raises(DataError, match="whole recordings"):
        read_films([f"casme3={root}"])


# ---------------------------------------------------------------- resuming, failing


class Stopped(Exception):
    """As Ctrl-C."""


def stop_after(count: int) -> Callable[[Outcome, int], None]:
    done: list[Outcome] = []

    def stop(outcome: Outcome, of: int) -> None:
        done.append(outcome)
        assert of == 3 + 3 + 3
        if len(done) == count:
            raise Stopped

    return stop


@pytest.mark.torch
def test_a_stopped_benchmark_goes_on_and_writes_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    plan = plan_of("casme-sq", tmp_path / "set", model="retrained")
    benchmark(plan, out=tmp_path / "whole")
    once = looks(tmp_path)
    assert once == 3
    for after in (1, 4, 8):  # among the films, the people, the folds
        with pytest.raises(Stopped):
            benchmark(plan, out=tmp_path / "stopped", on_done=stop_after(after))
        assert not (tmp_path / "stopped" / "metrics.json").exists()
    benchmark(plan, out=tmp_path / "stopped")
    assert looks(tmp_path) == 2 * once, "no film was looked at twice"
    files = sorted(p.relative_to(tmp_path / "whole") for p in (tmp_path / "whole").rglob("*") if p.is_file())
    assert len(files) > 3 + 3 + 3
    for file in files:
        assert (tmp_path / "stopped" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file
    with pytest.raises(SettingsError, match="other settings there"):
        benchmark(replace(plan, model="shipped"), out=tmp_path / "stopped")


def test_a_film_without_a_face_has_found_nothing(tmp_path: Path) -> None:
    plan = plan_of("samm-lv", tmp_path / "set")
    said = tmp_path / "set" / "SAMM_longvideos" / "007_1" / MOVED
    said.write_text(json.dumps({"no_face": True}), encoding="ascii")
    found = benchmark(plan, out=tmp_path / "out")
    assert list(found["failed"]) == ["samm-lv/007/007_1"]
    counts = found["right"]["micro"]["per_seed"]["0"]
    assert (counts["true_positives"], counts["false_negatives"]) == (5, 2)
    # The published script leaves out whoever has no prediction.
    counts = found["public_script"]["micro"]["per_seed"]["0"]
    assert (counts["true_positives"], counts["false_negatives"]) == (5, 0)


# ---------------------------------------------------------------- scores


TRUTH = [
    Marked("A", "1", 0, 19),
    Marked("A", "1", 20, 39),
    Marked("A", "3", 0, 9),
    Marked("A", "3", 100, 199, kind="macro"),
    Marked("B", "1", 0, 9),
    Marked("C", "1", 5, 14),
]
SPOTTED = [
    Marked("A", "1", 0, 39),  # IoU exactly .5 with both
    Marked("A", "2", 0, 9),  # nothing is marked in this film
    Marked("A", "3", 0, 9),
    Marked("A", "3", 110, 199, kind="macro"),
    Marked("C", "1", 50, 59),
]


def test_both_conventions_by_hand() -> None:
    found = spotting_metrics(TRUTH, {0: SPOTTED}, draws=0)

    def counts(convention: str, kind: str) -> tuple[int, ...]:
        one = found[convention][kind]["per_seed"]["0"]
        return tuple(one[name] for name in ("true_positives", "false_positives", "false_negatives"))

    # One of the first two and that of film 3; film 2 and C's are false; the other one, B's and C's are missed.
    assert counts("right", "micro") == (2, 2, 3)
    assert counts("right", "macro") == (1, 0, 0)
    assert counts("right", "all") == (3, 2, 3)
    assert found["right"]["micro"]["f1"] == pytest.approx(4 / 9)
    # The long one counts twice; film 2 and B do not count at all.
    assert counts("public_script", "micro") == (3, 1, 1)
    assert counts("public_script", "macro") == (1, 0, 0)
    assert counts("public_script", "all") == (4, 1, 1)
    assert found["public_script"]["micro"]["f1"] == pytest.approx(3 / 4)


def test_intervals_are_those_of_drawn_people() -> None:
    seeds = {0: SPOTTED, 1: SPOTTED[:3]}
    found = spotting_metrics(TRUTH, seeds, draws=200)["right"]["micro"]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(200):
        drawn = rng.integers(0, 3, 3)
        scores = []
        for some in seeds.values():
            # Every drawn person is one of his own.
            truth, spotted = (
                [
                    Marked(f"{n}", m.video, m.onset, m.offset, "", m.kind)
                    for n, i in enumerate(drawn)
                    for m in which
                    if m.subject == "ABC"[i]
                ]
                for which in (TRUTH, some)
            )
            scores.append(spotting_metrics(truth, {0: spotted}, draws=0)["right"]["micro"]["f1"])
        means.append(np.mean(scores))
    assert found["interval"] == pytest.approx(np.quantile(means, (0.025, 0.975)).tolist())
    first, second = (found["per_seed"][s]["f1"] for s in "01")
    assert found["f1"] == pytest.approx((first + second) / 2)
    assert found["spread"] == pytest.approx(np.std([first, second], ddof=1))


# ---------------------------------------------------------------- spotters


@pytest.mark.torch
def test_the_judge_is_trained_on_who_is_not_held_out(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    films = {
        f"{person:03d}_1": (1, [Movement(at + 9 * person, regions=("chin",)) for at in (120, 300, 480)])
        for person in range(4)
    }
    root = samm_long(tmp_path / "a", films)
    plan = BenchmarkSettings("retrained", data=(f"samm-lv={root}",), draws=0)
    found = benchmark(plan, out=tmp_path / "out", cache=tmp_path / "films")
    for person, chosen in found["chosen"]["0"].items():
        assert chosen["examples"]["micro"] > 0
        assert 0.5 <= chosen["min_probability"] <= 0.95
        assert len(chosen["chosen_on"]) == 1
        assert person not in chosen["chosen_on"]
    # What is marked in a film that is held out changes nothing that is chosen or found there, but elsewhere it does.
    other = Path(shutil.copytree(root, tmp_path / "b"))
    _move_marks(other, "003_1")
    again = benchmark(replace(plan, data=(f"samm-lv={other}",)), out=tmp_path / "other", cache=tmp_path / "films")
    assert again["chosen"]["0"]["samm/003"] == found["chosen"]["0"]["samm/003"]
    assert again["chosen"]["0"] != found["chosen"]["0"]

    def of_held_out(out: str) -> list[dict[str, str]]:
        return [row for row in rows(tmp_path / out / "predictions.csv") if row["subject"] == "samm/003"]

    assert of_held_out("other") == of_held_out("out")


def _move_marks(root: Path, film: str) -> None:
    import openpyxl

    book = next(root.glob("*.xlsx"))
    table = openpyxl.load_workbook(book)
    for row in table["FACS_Movement_Only"].iter_rows(min_row=11):
        if str(row[1].value).startswith(film):
            for cell in row[3:6]:
                cell.value += 80
    table.save(book)


def test_the_classical_spotter_chooses_on_training_people(tmp_path: Path) -> None:
    found = benchmark(plan_of("casme3", tmp_path / "set", model="feature-difference"), out=tmp_path / "out")
    assert found["right"]["micro"]["per_seed"]["0"]["true_positives"] >= 2
    assert set(found["chosen"]["0"]) == {"casme3/spNO.1", "casme3/spNO.2"}


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="Did you mean 'retrained'"):
        spotter("retraind")
    for name in [n for n in sys.modules if n.startswith(("fleeting.training", SPOTTERS["retrained"][0]))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="pip install 'fleeting\\[research\\]'"):
        spotter("retrained")


# ---------------------------------------------------------------- real pictures


def test_a_film_is_measured_as_it_is_analysed(clip: Path, analysis: Analysis) -> None:
    from fleeting.analysis.measure import measure_video
    from fleeting.records.digits import rounded
    from fleeting.spotting.spot import spot

    analysed = analysis.timeline
    events, _ = spot(measure_video(clip))
    assert len(events) >= 1
    again = rounded(replace(analysed, events=tuple(events))).events
    assert [(e.kind, e.interval, e.confidence) for e in again] == [
        (e.kind, e.interval, e.confidence) for e in analysed.events
    ]


def real_films(root: Path, clip: Path) -> Path:
    """CAS(ME)^2 with two people: one in a video file, the other, who smiles earlier, in a folder of frames."""
    casme_sq(root, seconds=0.2)
    folders = [root / "rawpic" / "s15" / "15_0401girlcrashing", root / "rawpic" / "s16" / "16_0101disgustingteeth"]
    for folder in folders:
        shutil.rmtree(folder)
    shutil.copy(clip, folders[0].with_name("15_0401girlcrashing.mp4"))
    write_folder(folders[1], pictures(clip)[17:], range(1, 54))
    first, second = (
        [number, f"{video}_1", ONSET - gone + 1, APEX - gone + 1, OFFSET - gone + 1, "12", "", "micro-expression", ""]
        for number, video, gone in ((1, "anger1", 0), (2, "disgust1", 17))
    )
    rule1, rule2 = [["s15", "s15", 1], ["s16", "s16", 2]], [["0101", "disgust1"], [401, "anger1"]]
    workbook(root / "code_final.xlsx", CASFEcode_final=[first, second], naming__rule1=rule1, naming__rule2=rule2)
    return root


def test_the_command_scores_films_and_folders(clip: Path, tmp_path: Path, fleeting: Command) -> None:
    root = real_films(tmp_path / "set", clip)
    words = ("benchmark", "--task", "spotting", "--data", f"casme-sq={root}", "-o", str(tmp_path / "out"))
    done = fleeting(*words, "-m", "shipped", "-m", "feature-difference")
    assert done.status == 0, done.err
    assert "shipped, loso: 2 films of 2 people" in done.out
    for model in ("shipped", "feature-difference"):
        metrics = json.loads((tmp_path / "out" / model / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["failed"] == {}
        assert metrics["marked"] == {"micro": 2, "macro": 0}
        spotted = rows(tmp_path / "out" / model / "predictions.csv")
        assert {row["video"] for row in spotted} == {"casme-sq/s15/0401", "casme-sq/s16/0101"}
    films = [p for p in (tmp_path / "out" / "films").iterdir() if p.name.startswith("film-")]
    assert len(films) == 2, "both models read the same measurements"
    refused = fleeting("benchmark", "--task", "spoting", *words[3:], "-m", "shipped")
    assert refused.status != 0
    assert "Did you mean 'spotting'" in refused.err
