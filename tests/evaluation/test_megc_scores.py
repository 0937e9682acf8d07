from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command import Command

from fleeting.errors import DataError, FleetingWarning
from fleeting.evaluation.megc import Marked, matched, public_script, spotting_scores, strs
from fleeting.evaluation.megc_tables import evaluate_megc, read_intervals

TRUTH = [
    Marked("A", "1", 0, 19, "negative"),
    Marked("A", "1", 20, 39, "positive"),
    Marked("A", "3", 0, 9, "negative"),
    Marked("A", "3", 100, 109, "surprise"),
    Marked("B", "1", 0, 9, "surprise"),
]
SPOTTED = [
    Marked("A", "1", 0, 39, "positive"),  # IoU exactly .5 with both
    Marked("A", "2", 0, 9, "negative"),  # nothing is marked in this video
    Marked("A", "3", 0, 9, "negative"),
    Marked("A", "3", 100, 109, "negative"),
]


def test_correct_scores_by_hand() -> None:
    found = strs(TRUTH, SPOTTED)
    # One of the first two, and both of video 3, are hit; video 2 is a false alarm; the other one and B are missed.
    assert found["spotting"]["true_positives"] == 3
    assert found["spotting"]["false_positives"] == 1
    assert found["spotting"]["false_negatives"] == 2
    assert found["spotting"]["f1"] == pytest.approx(2 / 3)
    # negative as positive, negative as negative, surprise as negative: F1 1/2, 0, 0; recall 1/2, none, 0.
    assert found["analysis"]["events"] == 3
    assert found["analysis"]["f1"] == pytest.approx(1 / 6)
    assert found["analysis"]["uar"] == pytest.approx(1 / 4)
    assert found["analysis"]["accuracy"] == pytest.approx(1 / 3)
    assert found["strs"] == pytest.approx(1 / 9)


def test_the_public_script_by_hand() -> None:
    found = public_script(TRUTH, SPOTTED)
    # The long one hits both, video 2 and subject B do not count.
    assert found["spotting"]["true_positives"] == 4
    assert found["spotting"]["false_positives"] == 0
    assert found["spotting"]["false_negatives"] == 0
    assert found["spotting"]["f1"] == 1
    # negative P 1/2 R 1/2, positive P 1/2 R 1, surprise 0: mean P 1/3, mean R 1/2.
    assert found["analysis"]["f1"] == pytest.approx(2 / 5)
    assert found["analysis"]["uf1"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)
    assert found["analysis"]["uar"] == pytest.approx(1 / 3), "its UAR is the mean precision; the mean recall is 1/2"
    assert found["strs"] == pytest.approx(2 / 5)


def test_the_example_that_comes_with_the_public_script() -> None:
    """https://github.com/genbing99/STRS-Metric, README: STRS 0.2."""
    truth = [
        Marked("1", "EP02_01f", 45, 85, "happiness"),
        Marked("1", "EP03_02", 130, 160, "others"),
        Marked("1", "EP04_02", 20, 75, "others"),
        Marked("2", "EP01_11f", 45, 95, "repression"),
        Marked("2", "EP02_04f", 30, 140, "repression"),
    ]
    spotted = [
        Marked("1", "EP02_01f", 10, 70, "happiness"),
        Marked("1", "EP03_02", 100, 170, "others"),
        Marked("1", "EP04_02", 0, 70, "others"),
        Marked("2", "EP01_11f", 20, 90, "happiness"),
        Marked("2", "EP02_04f", 70, 140, "happiness"),
    ]
    assert public_script(truth, spotted)["strs"] == pytest.approx(0.2)
    # Rightly, the class happiness was answered twice in vain (F1 0): the mean of F1s 0, 1, 0 is 1/3 as well.
    assert strs(truth, spotted)["strs"] == pytest.approx(0.2)


def test_a_perfect_answer_of_one_class_is_lost_on_the_public_script() -> None:
    truth = [Marked("A", "1", 0, 9, "negative"), Marked("A", "1", 50, 59, "negative")]
    assert strs(truth, truth)["strs"] == 1
    assert public_script(truth, truth)["strs"] is None


def test_emotions_may_be_chosen() -> None:
    found = strs(TRUTH, SPOTTED, emotions=("negative", "positive"))
    assert found["analysis"]["events"] == 2
    assert found["analysis"]["f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_nothing_spotted_or_marked() -> None:
    assert strs(TRUTH, [])["spotting"]["f1"] == 0
    assert strs(TRUTH, [])["strs"] is None
    assert strs([], SPOTTED)["spotting"]["false_positives"] == 4
    assert public_script([], SPOTTED)["spotting"]["f1"] == 0
    assert public_script([], SPOTTED)["strs"] is None


def test_micro_macro_and_all_by_hand() -> None:
    truth = [Marked("A", "1", 0, 9), Marked("A", "1", 50, 149, kind="macro"), Marked("A", "2", 0, 99, kind="macro")]
    spotted = [Marked("A", "1", 0, 9), Marked("A", "1", 30, 39), Marked("A", "1", 50, 129, kind="macro")]
    found = spotting_scores(truth, spotted)
    assert found["micro"]["f1"] == pytest.approx(2 / 3)
    assert found["macro"]["f1"] == pytest.approx(2 / 3)
    assert found["all"]["true_positives"] == 2
    assert found["all"]["f1"] == pytest.approx(4 / 6)
    # A micro-expression is not found by a macro-expression in its place.
    assert spotting_scores(truth[:1], [Marked("A", "1", 0, 9, kind="macro")])["all"]["true_positives"] == 0
    # Nor by one of another subject or video of the same name.
    for other in (Marked("B", "1", 0, 9), Marked("A", "2", 0, 9)):
        assert spotting_scores(truth[:1], [other])["micro"]["true_positives"] == 0


def test_iou_of_exactly_a_half_counts_and_the_best_pair_first() -> None:
    assert strs([Marked("A", "1", 0, 9)], [Marked("A", "1", 0, 19)])["spotting"]["true_positives"] == 1
    assert strs([Marked("A", "1", 0, 9)], [Marked("A", "1", 0, 20)])["spotting"]["true_positives"] == 0
    truth = [Marked("A", "1", 0, 19, "x")]
    both = [Marked("A", "1", 0, 14, "y"), Marked("A", "1", 0, 18, "x")]
    assert strs(truth, both)["analysis"]["accuracy"] == 1
    assert strs(truth, both)["spotting"]["false_positives"] == 1


def test_analysis_equals_scikit_learn() -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="needs the research extra")
    rng = np.random.default_rng(0)
    words = np.array(["negative", "positive", "surprise"])
    truth = [Marked("A", str(i), 0, 9, str(words[k])) for i, k in enumerate(rng.integers(0, 3, 60))]
    spotted = [Marked("A", str(i), 0, 9, str(words[k])) for i, k in enumerate(rng.integers(0, 3, 60))]
    pair = [t.emotion for t in truth], [s.emotion for s in spotted]
    found = strs(truth, spotted)
    assert found["analysis"]["f1"] == pytest.approx(oracle.f1_score(*pair, average="macro"))
    assert found["analysis"]["uar"] == pytest.approx(oracle.balanced_accuracy_score(*pair))
    assert found["analysis"]["accuracy"] == pytest.approx(oracle.accuracy_score(*pair))
    script = public_script(truth, spotted)["analysis"]
    assert script["uar"] == pytest.approx(oracle.precision_score(*pair, average="macro"))
    assert script["uf1"] == pytest.approx(oracle.f1_score(*pair, average="macro"))


def test_an_impossible_interval() -> None:
    with pytest.raises(DataError, match="an offset that is not before the onset; got 9 to 3 in A/1"):
        Marked("A", "1", 9, 3)


def write(path: Path, intervals: list[Marked], *, kinds: bool = False) -> None:
    lines = ["subject,video,onset,offset,emotion" + ",type" * kinds]
    for i in intervals:
        kind = {"micro": ",me", "macro": ",mae"}[i.kind] if kinds else ""
        lines.append(f"{i.subject},{i.video},{i.onset},{i.offset},{i.emotion}{kind}")
    path.write_text("\n".join(lines) + "\n")


def test_every_interval_is_listed_once() -> None:
    found = matched(TRUTH, SPOTTED)
    assert [t for t, _ in found if t is not None] != []
    assert sorted((t.subject, t.video, t.onset) for t, _ in found if t) == sorted(
        (t.subject, t.video, t.onset) for t in TRUTH
    )
    assert sum(s is not None for _, s in found) == len(SPOTTED)
    assert sum(t is not None and s is not None for t, s in found) == 3


def test_the_command_scores_tables(fleeting: Command, tmp_path: Path) -> None:
    write(tmp_path / "gt.csv", [*TRUTH, Marked("A", "1", 200, 299, "", "macro")], kinds=True)
    write(tmp_path / "pred.csv", SPOTTED)
    said = fleeting("evaluate", "megc", tmp_path, "--out", tmp_path / "out", "--json")
    assert said.status == 0, said.err
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert json.loads(said.out) == metrics
    assert metrics["strs"] == pytest.approx(1 / 9)
    assert metrics["public_script"]["strs"] == pytest.approx(2 / 5)
    assert metrics["all"]["false_negatives"] == 3
    lines = (tmp_path / "out" / "intervals.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 + 3 + 1
    assert "A,3,micro,0,9,negative,0,9,negative,1.000" in lines
    assert "A,1,macro,200,299,,,,,0.000" in lines


def test_wrong_tables(fleeting: Command, tmp_path: Path) -> None:
    assert "truth.csv in" in fleeting("evaluate", "megc", tmp_path).err
    path = tmp_path / "truth.csv"
    for text, message in (
        ("subject,video,onset,offset\n", "without emotion"),
        ("subject,video,onset,offset,emotion\nA,1,x,9,\n", r"frame numbers as onset and offset; .*'x' in .*line 2"),
        ("subject,video,onset,offset,emotion,type\nA,1,0,9,,big\n", "a type of me, mae, micro or macro; got 'big'"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_intervals(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="a readable table"):
        read_intervals(path)


def test_people_spelled_otherwise_in_the_predictions_are_the_same(tmp_path: Path) -> None:
    head = "subject,video,onset,offset,emotion\n"
    (tmp_path / "truth.csv").write_text(f"{head}s01,v,0,9,negative\ns02,v,0,9,positive\n")
    (tmp_path / "predictions.csv").write_text(f"{head}S1,v,0,9,negative\ns02,v,0,9,positive\n")
    with pytest.warns(FleetingWarning, match="One subject in several spellings, 's01' for 'S1'"):
        found = evaluate_megc(tmp_path)
    assert found["micro"]["f1"] == 1
