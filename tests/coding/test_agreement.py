"""Agreement: hand-made cases, published values, other libraries."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coded_films import code, make_film

from fleeting.coding import agreement_files, kappa
from fleeting.coding.agreement import agree
from fleeting.coding.log import CodingLog
from fleeting.coding.machine import Judged, agree_with_machine, confidence_for, how_good, review
from fleeting.coding.matching import best_pairs, match
from fleeting.coding.proposals import accepted, refused
from fleeting.errors import InputError, SettingsError
from fleeting.export.timeline_json import write_timeline
from fleeting.metrics import wilson
from fleeting.records import Event


def event(onset: int, offset: int, *, kind: str = "micro", face: int = 0) -> Event:
    return Event(face, kind, onset, onset, offset, onset / 200, onset / 200, offset / 200)  # type: ignore[arg-type]


def test_the_best_matching_is_found_where_the_first_is_not_the_best() -> None:
    """Taking the pair of the largest IoU first would leave one event of each side alone."""
    first = [event(0, 9), event(6, 13)]
    second = [event(3, 10), event(8, 17)]
    ious = np.array([[a.interval.iou(b.interval) for b in second] for a in first])
    assert ious.round(3).tolist() == [[0.636, 0.111], [0.455, 0.5]]
    assert match(first, second, iou=0.1) == [(0, 0), (1, 1)]
    swapped = [[0.9, 0.8], [0.8, 0.0]]
    assert best_pairs(np.array(swapped)) == [(0, 1), (1, 0)]


def test_the_matching_is_that_of_another_library() -> None:
    oracle = pytest.importorskip("scipy.optimize", reason="needs the research extra").linear_sum_assignment
    rng = np.random.default_rng(1)
    for _ in range(400):
        shape = rng.integers(1, 9, 2)
        weights = rng.random(shape) * (rng.random(shape) < rng.random())
        pairs = best_pairs(weights)
        rows, columns = oracle(-weights)
        assert sum(weights[p] for p in pairs) == pytest.approx(weights[rows, columns].sum())
        assert all(weights[p] > 0 for p in pairs)
        assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


def test_only_events_of_one_face_and_kind_match_and_the_threshold_counts() -> None:
    assert match([event(0, 9)], [event(0, 9, face=1)]) == []
    assert match([event(0, 9)], [event(0, 9, kind="macro")]) == []
    assert match([event(0, 9)], [event(0, 9, kind="macro")], same_kind=False) == [(0, 0)]
    assert match([event(0, 9)], [event(0, 19)], iou=0.5) == [(0, 0)]
    assert match([event(0, 9)], [event(0, 20)], iou=0.5) == []
    assert match([], [event(0, 9)]) == []


def test_published_values() -> None:
    """Cohen's kappa of 20, 5, 10, 15; Gwet's table of 118, 5, 2, 0; Shrout and Fleiss' ratings (1979, table 2)."""
    assert kappa.cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    rare = np.array([[118, 5], [2, 0]])
    assert kappa.cohen_kappa(rare) == pytest.approx(-0.0234, abs=5e-5)
    assert kappa.gwet_ac1(rare) == pytest.approx(0.9408, abs=5e-5)
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert kappa.icc_agreement(np.array(ratings, float)) == pytest.approx(0.29, abs=5e-3)


def test_values_at_the_ends() -> None:
    same = np.diag([3, 4, 5])
    for measure in (kappa.agreement, kappa.cohen_kappa, kappa.quadratic_kappa, kappa.gwet_ac1):
        assert measure(same) == pytest.approx(1.0)
        assert math.isnan(measure(np.zeros((3, 3), np.int64)))
    assert math.isnan(kappa.cohen_kappa(np.diag([7, 0])))
    assert kappa.gwet_ac1(np.diag([7, 0])) == 1.0
    assert math.isnan(kappa.icc_agreement(np.ones((5, 2))))
    assert math.isnan(kappa.icc_agreement(np.ones((1, 2))))
    assert kappa.icc_agreement(np.array([[1, 1], [2, 2], [5, 5]], float)) == 1.0


def test_kappas_are_those_of_another_library() -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="needs the research extra").cohen_kappa_score
    rng = np.random.default_rng(2)
    for _ in range(200):
        classes = int(rng.integers(2, 6))
        a = rng.integers(0, classes, 40)
        b = np.where(rng.random(40) < 0.6, a, rng.integers(0, classes, 40))
        counts = kappa.counts_of(a.tolist(), b.tolist(), range(classes))
        assert kappa.cohen_kappa(counts) == pytest.approx(oracle(a, b, labels=range(classes)))
        weighted = oracle(a, b, labels=range(classes), weights="quadratic")
        assert kappa.quadratic_kappa(counts) == pytest.approx(weighted)


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    """A film of 3,000 frames, coded by anna and ben: counted by hand below."""
    film = make_film(tmp_path / "interview")
    code(film, "anna", ("micro", 100, 110, 119), emotion="anger", action_units="4B+L12C")
    code(film, "anna", ("micro", 200, 210, 219), emotion="happiness", action_units="12A")
    code(film, "anna", ("micro", 300, 305, 309), emotion="surprise", action_units="1+2C")
    code(film, "anna", ("macro", 1000, 1100, 1199), action_units="12E")
    code(film, "anna", ("blink", 1500, 1510, 1519))
    code(film, "anna", ("uncodable", 2000, None, 2499))
    code(film, "ben", ("micro", 104, 108, 119), emotion="disgust", action_units="4D")
    code(film, "ben", ("micro", 200, None, 221), emotion="happiness", action_units="12B+6")
    code(film, "ben", ("micro", 700, 705, 709), emotion="surprise")
    code(film, "ben", ("macro", 1000, 1090, 1179), action_units="12E")
    code(film, "ben", ("micro", 1500, 1510, 1519))
    code(film, "ben", ("micro", 2100, 2110, 2119))
    return film.folder


def test_a_hand_made_case(coded: Path) -> None:
    found = agree(coded, "Anna", "ben")
    m = found.metrics
    assert m["coders"] == ["anna", "ben"]
    assert m["events_left_out"] == 1, "ben's event where anna could not code"
    assert m["events"]["micro"] == pytest.approx(
        {
            "matched": 2, "only_first": 1, "only_second": 2, "precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7,
            "mean_iou": (16 / 20 + 20 / 22) / 2,
        }
    )  # fmt: skip
    assert m["events"]["blink"]["recall"] == 0.0
    assert m["events"]["wink"]["f1"] is None
    assert (m["events"]["all"]["matched"], m["events"]["all"]["only_first"]) == (3, 1)
    frames = m["frames"]["macro"]
    assert (frames["frames"], frames["first"], frames["second"], frames["both"]) == (2500, 200, 180, 180)
    chance = (200 * 180 + 2300 * 2320) / 2500**2
    assert frames["kappa"] == pytest.approx((2480 / 2500 - chance) / (1 - chance))
    assert m["kinds"]["events"] == 4
    assert m["kinds"]["confusion"][2][0] == 1, "a blink that ben took for a micro-expression"
    assert m["kinds"]["kappa"] == pytest.approx((3 / 4 - 7 / 16) / (1 - 7 / 16))
    assert (m["emotions"]["events"], m["emotions"]["agreement"]) == (2, 0.5)
    onset, apex, offset = (m["timing"]["micro"][mark] for mark in ("onset", "apex", "offset"))
    assert onset["frames"] == {"median": 2.0, "p90": 4.0, "bias": 2.0}
    assert onset["ms"] == pytest.approx({"median": 10.0, "p90": 20.0, "bias": 10.0})
    assert (apex["events"], apex["frames"]["bias"]) == (1, -2.0)
    assert offset["frames"]["p90"] == 2.0
    assert {k: (v["events"], v["first"], v["second"], v["both"]) for k, v in m["units"].items()} == {
        "AU04": (3, 1, 1, 1), "AU06": (3, 0, 1, 0), "AU12": (3, 3, 2, 2),
    }  # fmt: skip
    assert m["intensity"]["all"]["units"] == 3
    counts = kappa.counts_of([2, 1, 5], [4, 2, 5], range(1, 6))
    assert m["intensity"]["all"]["weighted_kappa"] == pytest.approx(kappa.quadratic_kappa(counts))
    alone = [(p.first or p.second) for p in found.pairs if p.first is None or p.second is None]
    assert sorted(e.onset_frame for e in alone if e is not None) == [300, 700, 1500, 1500]


def test_who_comes_first_changes_the_names_alone(coded: Path) -> None:
    one, other = agree(coded, "anna", "ben").metrics, agree(coded, "ben", "anna").metrics
    for kind in one["events"]:
        assert one["events"][kind]["precision"] == other["events"][kind]["recall"]
        assert one["events"][kind]["f1"] == other["events"][kind]["f1"]
        assert one["frames"][kind]["kappa"] == other["frames"][kind]["kappa"]
    assert one["kinds"]["kappa"] == other["kinds"]["kappa"]


def test_schemes_that_differ_are_led_to_three_classes(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    code(film, "anna", ("micro", 100, 110, 119), emotion="anger", scheme="casme3-7")
    code(film, "anna", ("micro", 200, 210, 219), emotion="fear", scheme="casme3-7")
    code(film, "ben", ("micro", 100, 110, 119), emotion="negative", scheme="3")
    code(film, "ben", ("micro", 200, 210, 219), emotion="surprise", scheme="3")
    emotions = agree(film.folder, "anna", "ben").metrics["emotions"]
    assert (emotions["scheme"], emotions["agreement"]) == ("3", 0.5)


def test_many_films_are_pooled_and_those_of_one_alone_left_out(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        film = make_film(tmp_path / name)
        code(film, "anna", ("micro", 100, 110, 119))
        if name != "c":
            code(film, "ben", ("micro", 100, 110, 119 if name == "a" else 400))
    m = agree(tmp_path, "anna", "ben").metrics
    assert (m["films"], m["films_left_out"]) == (["a", "b"], ["c"])
    assert m["events"]["micro"]["matched"] == 1


def test_what_cannot_be_compared_says_why(coded: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'anna'"):
        agree(coded, "ana", "ben")
    with pytest.raises(InputError, match="two coders"):
        agree(coded, "Ben", "ben")
    with pytest.raises(SettingsError, match="IoU above 0"):
        agree(coded, "anna", "ben", iou=0)
    other = make_film(tmp_path / "other")
    code(other, "carl", ("micro", 1, 2, 3))
    with pytest.raises(InputError, match="both anna and carl"):
        agree(tmp_path, "anna", "carl")


def test_the_machine_agrees_with_who_accepts_all_of_it(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    CodingLog(film, "anna").put(*map(accepted, film.timeline.events))
    m = agree(film.folder, "anna", "machine").metrics
    assert {m["events"][kind]["f1"] for kind in ("micro", "macro", "blink")} == {1.0}
    assert m["emotions"]["kappa"] == 1.0


def test_how_good_the_machine_is_from_what_was_decided(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    first, second, third, fourth = film.timeline.of_kind("micro")
    log = CodingLog(film, "anna")
    log.put(accepted(first), refused(second))
    log.put(film.placed(accepted(third), third.onset_frame + 2, third.apex_frame, third.offset_frame))
    log.put(film.placed(accepted(fourth), 2400, 2410, 2420))  # another event altogether
    log.put(film.new_event("micro", 2900, 2910, 2920))
    good = how_good([review(log)])
    micro = good["micro"]
    assert good["done"] == {"accepted": 1, "corrected": 2, "refused": 1, "added": 1, "open": 5}
    assert (micro["proposals"], micro["right"], micro["missed"]) == (4, 2, 2)
    assert (micro["precision"], micro["recall"]) == (0.5, 0.5)
    assert micro["precision_interval"] == list(wilson(2, 4))
    assert good["blink"]["proposals"] == 0
    assert micro["confidence"]["from"] == min(first.confidence, third.confidence)
    assert {b["from"]: (b["proposals"], b["precision"]) for b in micro["by_confidence"]} == {
        0.5: (1, 0.0), 0.8: (1, 0.0), 0.95: (2, 1.0),
    }  # fmt: skip


def test_a_blind_coder_is_compared_by_matching(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    first, second, *_ = film.timeline.of_kind("micro")
    code(film, "ben", ("micro", first.onset_frame, None, first.offset_frame), ("micro", 2900, 2910, 2920))
    good = how_good([review(CodingLog(film, "ben"))])
    assert (good["micro"]["proposals"], good["micro"]["right"], good["micro"]["missed"]) == (4, 1, 1)


def test_what_lies_where_the_coder_could_not_code_is_not_judged(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    first, second, *_ = film.timeline.of_kind("micro")
    code(film, "ben", ("micro", first.onset_frame, None, first.offset_frame))
    code(film, "ben", ("uncodable", second.onset_frame, None, second.offset_frame))
    assert how_good([review(CodingLog(film, "ben"))])["micro"]["proposals"] == 3


def test_the_confidence_for_a_precision() -> None:
    judged = [Judged("micro", c, r) for c, r in ((0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False))]
    assert confidence_for(judged, 1.0) == {
        "from": 0.8, "proposals": 2, "precision": 1.0, "precision_interval": list(wilson(2, 2)),
        "recall": 2 / 3, "recall_interval": list(wilson(2, 3)),
    }  # fmt: skip
    found = confidence_for(judged, 0.75, missed=1)
    assert found is not None
    assert (found["from"], found["precision"], found["recall"]) == (0.6, 0.75, 0.75)
    assert confidence_for([Judged("micro", 0.9, False)], 0.5) is None
    tied = [Judged("micro", 0.9, True), Judged("micro", 0.9, False)]
    assert confidence_for(tied, 0.6) is None, "events of one confidence cannot be told apart"
    with pytest.raises(SettingsError, match="precision above 0"):
        confidence_for(judged, 0.0)


def test_everything_is_printed_and_written(coded: Path, tmp_path: Path) -> None:
    assert "How good is the machine on these films?" in agreement_files.text(
        agree_with_machine(coded, "anna", "machine")
    )
    found = agree_with_machine(coded, "anna", "ben")
    for title in ("Events", "Frames", "Classes of matched events", "Differences of time", "Units", "Intensities"):
        assert f"\n{title}\n" in agreement_files.text(found)
    paths = agreement_files.write(found, tmp_path / "out")
    names = [f"agreement_anna_ben{end}" for end in (".json", ".csv", "_events.csv", ".html")]
    assert [p.name for p in paths] == names
    assert json.loads(paths[0].read_text()) == found.metrics
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    (value,) = [r["value"] for r in rows if (r["section"], r["of"], r["measure"]) == ("events", "micro", "f1")]
    assert float(value) == pytest.approx(4 / 7)
    events = list(csv.DictReader(paths[2].read_text().splitlines()))
    assert [r["state"] for r in events].count("both") == 3
    assert len(events) == len(found.pairs)
    page = paths[3].read_text()
    assert "<h2>Units</h2>" in page
    assert "http" not in page


def test_a_name_with_markup_is_only_text(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a")
    hostile = replace(film.timeline.events[1], emotion="<img src=x onerror=alert(1)>")
    write_timeline(replace(film.timeline, events=(hostile,)), film.folder / "timeline.json")
    code(film, "anna", ("micro", 10, 12, 20))
    page = agreement_files.page(agree(film.folder, "anna", "machine"))
    assert "<img" not in page
    assert "&lt;img" in page
