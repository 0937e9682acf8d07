"""Whole films of the two kinds, and sets of them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from portraits import POINTS, portrait

from fleeting.errors import SettingsError
from fleeting.synthesis import sets
from fleeting.synthesis.face.disturbances import Span
from fleeting.synthesis.film_plan import OVERLAP, PERCENT, SetSettings, Sitter, draw_draft
from fleeting.synthesis.sets import make_set, read_disturbances, write_disturbances
from fleeting.synthesis.truth import TruthRow, read_truth
from fleeting.video.reader import open_video

HARD, CLEAN, SEVERE = SetSettings(kind="hard"), SetSettings(kind="clean"), SetSettings(kind="severe")
TINY = SetSettings(kind="hard", fps=5.0, clips=2, seconds=6.0, width=96, height=112, iod_px=(30.0, 32.0), seed=4)


def people() -> list[Sitter]:
    return [Sitter("ada", portrait(), POINTS)]


@pytest.mark.parametrize("settings", [CLEAN, HARD, SEVERE])
def test_a_film_holds_what_its_kind_promises(settings: SetSettings) -> None:
    drafts = [draw_draft(settings, seed=s, quiet=False) for s in range(40)]
    expressions = [m for d in drafts for m in d.movements if m.kind != "blink"]
    micro = [m for m in expressions if m.kind == "micro"]
    low, high = PERCENT[settings.kind]
    assert all(low <= m.peak_percent_iod <= high for m in micro)
    assert all(0.15 <= m.profile.offset_s - m.profile.onset_s <= 0.5 for m in micro)
    assert min(m.profile.offset_s - m.profile.onset_s for m in micro) < 0.2
    assert {m.side for m in micro} == {"both", "left", "right"}
    single = [m for m in micro if not m.emotion]
    assert 0.15 < len(single) / len(micro) < 0.45
    assert all(len(m.activations) == 1 for m in single)
    assert len({m.emotion for m in micro}) == 8  # seven and none
    macro = [m for m in expressions if m.kind == "macro"]
    assert bool(macro) == (settings.kind != "clean")
    assert all(0.7 <= m.profile.offset_s - m.profile.onset_s <= 2.0 for m in macro)


def test_varied_films_range_from_clean_to_worse_than_hard() -> None:
    drafts = [draw_draft(SetSettings(kind="varied"), seed=s, quiet=False) for s in range(80)]
    kinds = [{s.kind for s in d.spans} - {"flicker"} for d in drafts]
    assert sum(not k for k in kinds) >= 10
    assert sum(len(k) >= 4 for k in kinds) >= 10
    crfs = [d.crf for d in drafts]
    assert min(crfs) < 16 < 29 < max(crfs)


def test_clean_films_are_not_disturbed_and_half_of_them_blink() -> None:
    drafts = [draw_draft(CLEAN, seed=s, quiet=True) for s in range(20)]
    assert all(d.spans == () for d in drafts)
    assert sum(bool(d.movements) for d in drafts) == 10
    assert {m.kind for d in drafts for m in d.movements} == {"blink"}


@pytest.mark.parametrize("settings", [HARD, SEVERE])
def test_hard_films_hold_every_disturbance(settings: SetSettings) -> None:
    drafts = [draw_draft(settings, seed=s, quiet=False) for s in range(60)]
    kinds = {s.kind for d in drafts for s in d.spans}
    assert kinds == {
        *("gaze", "head turn", "nod", "speech", "swallow", "focus", "repeated frame", "dropped frame", "flicker"),
    }
    blinks = [[m for m in d.movements if m.kind == "blink"] for d in drafts]
    assert any(m.closure < 0.8 for film in blinks for m in film)
    gaps = [b.profile.first_s - a.profile.last_s for film in blinks for a, b in zip(film, film[1:], strict=False)]
    assert min(gaps) == pytest.approx(0.1, abs=0.1)


def test_disturbances_overlap_expressions_now_and_then_only() -> None:
    overlapping = []
    for seed in range(150):
        draft = draw_draft(HARD, seed=seed, quiet=False)
        busy = [(m.profile.first_s, m.profile.last_s) for m in draft.movements if m.kind != "blink"]
        for span in draft.spans:
            if span.kind in ("head turn", "swallow", "focus"):
                overlapping.append(any(span.first_s < b and span.last_s > a for a, b in busy))
    # Of those that may overlap, some do not.
    assert 0.02 < np.mean(overlapping) < OVERLAP


def test_the_same_film_at_every_rate_but_for_lost_frames() -> None:
    slow, fast = (draw_draft(replace(HARD, fps=fps), seed=11, quiet=False) for fps in (25.0, 200.0))
    assert slow.movements == fast.movements
    assert slow.crf == fast.crf
    assert replace(slow.clip, fps=200.0) == fast.clip
    lost = frozenset[int]()
    assert replace(slow.disturbances, repeated=lost, dropped=lost) == replace(
        fast.disturbances, repeated=lost, dropped=lost
    )


def test_a_set_is_made_once_and_says_what_it_holds(tmp_path: Path) -> None:
    seen: list[tuple[str, str, int]] = []

    def note(path: Path, name: str, rows: list[TruthRow]) -> None:
        seen.append((path.name, name, len([r for r in rows if r.kind != "blink"])))

    truth = make_set(tmp_path / "set", people(), TINY, on_film=note)
    assert [s[:2] for s in seen] == [("00.mp4", "ada"), ("01.mp4", "ada")]
    assert seen[0][2] == 2
    assert seen[1][2] == 0
    assert {row.file for row in read_truth(truth) if row.kind != "blink"} == {"00.mp4"}
    described = json.loads((tmp_path / "set" / "set.json").read_text())
    assert described["people"] == ["ada", "ada"]
    assert described["settings"]["seed"] == 4
    draft = draw_draft(TINY, seed=4, quiet=False)
    spans = read_disturbances(tmp_path / "set" / "disturbances.csv")["00.mp4"]
    assert [s.kind for s in spans] == [s.kind for s in draft.spans]
    with open_video(tmp_path / "set" / "00.mp4") as reader:
        assert sum(1 for _ in reader) == 30 - len(draft.disturbances.dropped)
    make_set(tmp_path / "set", people(), TINY, on_film=note)
    assert len(seen) == 2
    # Interrupted before the last film: that one alone is made.
    whole = truth.read_bytes()
    truth.unlink()
    (tmp_path / "set" / "01.mp4").unlink()
    make_set(tmp_path / "set", people(), TINY, on_film=note)
    assert [s[0] for s in seen] == ["00.mp4", "01.mp4", "01.mp4"]
    assert truth.read_bytes() == whole
    make_set(tmp_path / "set", people(), replace(TINY, clips=1, seed=5), on_film=note)
    assert len(seen) == 4
    assert not (tmp_path / "set" / "01.mp4").exists()


def test_a_longer_set_keeps_the_films_that_it_has(tmp_path: Path) -> None:
    made: list[str] = []

    def note(path: Path, _: str, __: list[TruthRow]) -> None:
        made.append(path.name)

    make_set(tmp_path, people(), replace(TINY, clips=1), on_film=note)
    truth = make_set(tmp_path, people(), TINY, on_film=note)
    assert made == ["00.mp4", "01.mp4"]
    assert truth.read_bytes() == make_set(tmp_path / "at_once", people(), TINY).read_bytes()
    make_set(tmp_path, people(), replace(TINY, seed=9), on_film=note)
    assert made[2:] == ["00.mp4", "01.mp4"]


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    one, two = (make_set(tmp_path / n, people(), replace(TINY, clips=1)).parent for n in ("a", "b"))
    for name in ("00.mp4", "truth.csv", "disturbances.csv", "set.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_an_older_drawing_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    settings = replace(TINY, clips=1)
    make_set(tmp_path, people(), settings)
    monkeypatch.setattr(sets, "_VERSION", -1)
    make_set(tmp_path, people(), settings, on_film=lambda path, _, __: calls.append(path.name))
    assert calls == ["00.mp4"]


def test_disturbances_on_disk(tmp_path: Path) -> None:
    path = write_disturbances(tmp_path / "d.csv", [("a.mp4", Span("gaze", 0.5, 0.55)), ("b.mp4", Span("nod", 1, 2))])
    with path.open(newline="") as table:
        assert next(csv.reader(table)) == ["file", "kind", "first_s", "last_s"]
    assert read_disturbances(path) == {"a.mp4": [Span("gaze", 0.5, 0.55)], "b.mp4": [Span("nod", 1.0, 2.0)]}


def test_wrong_sets_are_refused() -> None:
    for wrong, message in (
        ({"kind": "soft"}, "clean, hard"),
        ({"clips": 0}, "1 or more clips"),
        ({"quiet_every": 0}, "every 1st or later"),
        ({"seconds": 2.0}, "6 s or more"),
    ):
        with pytest.raises(SettingsError, match=message):
            SetSettings(**wrong)  # type: ignore[arg-type]
