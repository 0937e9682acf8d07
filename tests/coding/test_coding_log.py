"""A coder's log: undo without limit, nothing lost, several writers, and an analysis that never touches it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from coded_films import code, make_film
from command import Command, Known
from timelines import make_timeline

from fleeting import FleetingWarning, results
from fleeting.coding.coders import coder_key, coders_of
from fleeting.coding.films import Film
from fleeting.coding.log import SCHEMA, CodingLog
from fleeting.coding.proposals import accepted, gone, proposals, refused
from fleeting.errors import DataError, InputError, OutputError
from fleeting.export.timeline_json import write_timeline
from fleeting.records import CodedEvent


@pytest.fixture
def film(tmp_path: Path) -> Film:
    return make_film(tmp_path / "interview")


def frames(log: CodingLog) -> list[tuple[int, int]]:
    return [(e.onset_frame, e.offset_frame) for e in log.items]


def test_every_edit_can_be_undone_and_done_again_after_a_restart(film: Film) -> None:
    log = CodingLog(film, "anna")
    states = [frames(log)]
    (kept,) = log.put(film.new_event("micro", 100, 120, 150))
    states.append(frames(log))
    for shift in range(1, 20):
        (kept,) = log.put(film.placed(kept, 100 + shift, 120 + shift, 150 + shift))
        states.append(frames(log))
    log.put(film.new_event("macro", 500, None, 900))
    states.append(frames(log))
    log.remove(kept.id)
    states.append(frames(log))
    for state in reversed(states[:-1]):
        log = CodingLog(film, "anna")  # as after a restart
        assert log.undo()
        assert frames(log) == frames(CodingLog(film, "anna")) == state
    assert not log.can_undo
    assert not log.undo()
    for state in states[1:]:
        log = CodingLog(film, "anna")
        assert log.redo()
        assert frames(log) == state
    assert not log.redo()
    assert [e.do for e in log.edits] == ["change"] * 22 + ["undo"] * 22 + ["redo"] * 22
    assert [e.number for e in log.edits] == list(range(1, 67))


def test_a_new_edit_ends_what_could_be_done_again(film: Film) -> None:
    log = CodingLog(film, "anna")
    log.put(film.new_event("micro", 10, 12, 20))
    log.undo()
    log.put(film.new_event("micro", 30, 32, 40))
    assert not log.can_redo
    assert log.undo()
    assert frames(log) == []


def test_who_and_when_are_kept_and_times_are_those_of_the_frames(tmp_path: Path) -> None:
    film = make_film(tmp_path / "phone", uneven=True)
    log = CodingLog(film, "consensus", by="Anna")
    (kept,) = log.put(replace(film.new_event("micro", 100, 110, 130), onset_s=77.0, note=" a\r\nb\x00 "))
    assert kept.onset_s == film.time_s[100]
    assert kept.offset_s == film.time_s[130]
    assert kept.note == "a\nb"
    assert (kept.coder, log.edits[0].by) == ("consensus", "Anna")
    assert kept.changed == log.edits[0].at
    assert kept.changed.endswith("+00:00")
    assert film.frame_at(float(film.time_s[57]) + 0.0004) == 57


@pytest.mark.parametrize(
    ("frames", "why"),
    [((10, 5, 20), "0 <= onset"), ((10, 12, 3000), "onset <= apex <= offset < 3000"), ((-1, 2, 3), "0 <= onset")],
)
def test_an_event_outside_of_the_film_is_refused(film: Film, frames: tuple[int, int, int], why: str) -> None:
    with pytest.raises(InputError, match=why):
        film.new_event("micro", *frames)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"emotion": "anger", "scheme": "3"}, "emotion of the scheme 3"),
        ({"emotion": "negative", "scheme": "4x"}, "scheme of emotions"),
        ({"action_units": "12+smile"}, "action units; got 'smile'"),
        ({"emotion": "a|b"}, "letters, digits"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(film: Film, said: dict[str, str], why: str) -> None:
    log = CodingLog(film, "anna")
    with pytest.raises(InputError, match=why):
        log.put(replace(film.new_event("micro", 10, 12, 20), **said))  # type: ignore[arg-type]
    assert not log.path.exists()


def test_units_are_kept_with_side_and_intensity(film: Film) -> None:
    (kept,) = code(film, "anna", ("micro", 10, 12, 20), action_units="L12b + 6C", emotion="positive", scheme="3")
    assert kept.action_units == "LAU12B+AU06C"
    assert CodingLog(film, "anna").events == (kept,)


def test_names_of_coders_are_names_of_files_everywhere(film: Film) -> None:
    code(film, "Anna", ("micro", 10, 12, 20))
    code(film, " ANNA ", ("micro", 30, 32, 40))
    code(film, "Jose\u0301", ("micro", 10, 12, 20))
    assert len(CodingLog(film, "anna").events) == 2
    assert CodingLog(film, "JOS\u00c9").events
    assert coders_of(film.folder) == ("anna", "jos\u00e9")
    assert sorted(p.name for p in (film.folder / "coding").iterdir()) == ["anna.jsonl", "jos\u00e9.jsonl"]
    for name in ("a/b", "..", "con", "NUL.x", "a:b", "", "x .", ".hidden", "a" * 61, "<b>", "a\nb", "machine"):
        with pytest.raises(InputError, match="name"):
            coder_key(name)


def test_two_coders_are_merged_by_copying_a_file(tmp_path: Path) -> None:
    here, there = make_film(tmp_path / "here" / "interview"), make_film(tmp_path / "there" / "interview")
    code(here, "anna", ("micro", 10, 12, 20))
    (theirs,) = code(there, "ben", ("micro", 11, 12, 22))
    path = there.folder / "coding" / "ben.jsonl"
    (here.folder / "coding" / "ben.jsonl").write_bytes(path.read_bytes())
    assert coders_of(here.folder) == ("anna", "ben")
    assert CodingLog(here, "ben").events == (theirs,)


def test_a_log_of_another_film_is_told(tmp_path: Path) -> None:
    film, short = make_film(tmp_path / "a"), make_timeline(seconds=5.0)
    code(film, "anna", ("micro", 10, 12, 20))
    other = make_film(tmp_path / "b", timeline=short)
    (other.folder / "coding").mkdir()
    (other.folder / "coding" / "anna.jsonl").write_bytes((film.folder / "coding" / "anna.jsonl").read_bytes())
    with pytest.warns(FleetingWarning, match="coded on a film of 3000 frames"):
        CodingLog(other, "anna")


@pytest.mark.parametrize("cut", [1, 2, 40, "middle of a letter"])
def test_a_line_that_was_cut_off_is_dropped_and_said(film: Film, cut: int | str) -> None:
    code(film, "anna", ("micro", 10, 12, 20))
    code(film, "anna", ("micro", 30, 32, 40), note="\u00e4")
    path = film.folder / "coding" / "anna.jsonl"
    whole = path.read_bytes()
    end = whole.index("\u00e4".encode()) + 1 if isinstance(cut, str) else len(whole) - cut
    path.write_bytes(whole[:end])
    if cut == 1:  # only the line end is missing: the edit is whole
        assert len(CodingLog(film, "anna").events) == 2
        code(film, "anna", ("micro", 50, 52, 60))
        assert len(CodingLog(film, "anna").events) == 3
        return
    with pytest.warns(FleetingWarning, match="cut off"):
        log = CodingLog(film, "anna")
    assert frames(log) == [(10, 20)]
    with pytest.warns(FleetingWarning, match="cut off"):
        log.put(film.new_event("micro", 50, 52, 60))
    assert frames(CodingLog(film, "anna")) == [(10, 20), (50, 60)]
    assert [json.loads(line).get("n") for line in path.read_text().splitlines()] == [None, 1, 2]


def test_a_cut_off_first_line_is_no_loss(film: Film) -> None:
    path = film.folder / "coding" / "anna.jsonl"
    path.parent.mkdir()
    path.write_text('{"schema": "fleeting-co')
    with pytest.warns(FleetingWarning, match="cut off"):
        log = CodingLog(film, "anna")
    with pytest.warns(FleetingWarning, match="cut off"):
        log.put(film.new_event("micro", 50, 52, 60))
    assert frames(CodingLog(film, "anna")) == [(50, 60)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no json", "in line 2"),
        ('{"n": 1, "at": "", "by": "", "do": "dance"}', "does not know"),
        ('{"n": 1, "at": "", "by": "", "do": "undo"}', "nothing to undo"),
        ('{"n": 1, "at": "", "by": "", "do": "change", "items": {"a": {"face": 0}}}', "TypeError"),
    ],
)
def test_damage_in_the_middle_is_an_error_that_names_the_line(film: Film, line: str, why: str) -> None:
    code(film, "anna", ("micro", 10, 12, 20))
    path = film.folder / "coding" / "anna.jsonl"
    head, edit = path.read_text().splitlines()
    path.write_text("\n".join([head, line, edit]) + "\n")
    with pytest.raises(DataError, match=why):
        CodingLog(film, "anna")
    path.write_text(head.replace(SCHEMA, "fleeting-coding/9") + "\n")
    with pytest.raises(DataError, match="layout"):
        CodingLog(film, "anna")


def test_two_programs_that_write_at_once_lose_nothing(film: Film) -> None:
    """Both know the log from before the other's edits; every one is there afterwards, each with a number of its own."""
    logs = [CodingLog(film, "anna", by=f"tab {i}") for i in range(4)]

    def work(log: CodingLog, start: int) -> None:
        for i in range(15):
            log.put(film.new_event("micro", start + i, start + i, start + i))

    threads = [threading.Thread(target=work, args=(log, 100 * i)) for i, log in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = CodingLog(film, "anna")
    assert sorted(frames(log)) == sorted((100 * i + k, 100 * i + k) for i in range(4) for k in range(15))
    assert [e.number for e in log.edits] == list(range(1, 61))
    logs[0].undo()
    logs[1].undo()
    log.refresh()
    assert len(log.events) == 58


PROGRAM = """
import sys
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
film = Film.open(sys.argv[1])
log = CodingLog(film, "anna")
for i in range(2900):
    log.put(film.new_event("micro", i, i + 1, i + 2))
    print(i, flush=True)
"""


def test_nothing_that_was_answered_is_lost_by_a_kill(film: Film) -> None:
    command = [sys.executable, "-c", PROGRAM, str(film.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for _ in range(40):
            running.stdout.readline()
        running.send_signal(signal.SIGKILL)
        answered = 40 + len(running.stdout.read().split())
    log = CodingLog(film, "anna")  # and its lock ended with it
    assert len(log.events) >= answered
    assert [e.onset_frame for e in log.events] == list(range(len(log.events)))
    log.put(film.new_event("macro", 0, 1, 2000))


def test_a_disk_that_refuses_changes_nothing(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    code(film, "anna", ("micro", 10, 12, 20))
    log = CodingLog(film, "anna")
    before = log.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device", str(log.path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="full disk"):
            log.put(film.new_event("micro", 30, 32, 40))
    assert log.path.read_bytes() == before
    assert frames(log) == [(10, 20)]
    log.put(film.new_event("micro", 30, 32, 40))
    assert frames(CodingLog(film, "anna")) == [(10, 20), (30, 40)]


def test_an_analysis_never_touches_what_was_coded(fleeting: Command, known: Known, clip: Path, tmp_path: Path) -> None:
    """Nor does one with --force, of another rate, a calibration's change of the folder, or a stop."""
    known.add(clip)
    assert fleeting("analyse", clip, "--out", tmp_path, "--format", "csv").status == 0
    film = Film.open(tmp_path / clip.stem)
    log = CodingLog(film, "anna")
    log.put(film.new_event("micro", 3, 4, 6))
    before = log.path.read_bytes()
    for more in (("--force",), ("--force", "--fps", "100"), ("--format", "elan"), ()):
        assert fleeting("analyse", clip, "--out", tmp_path, "--format", "csv", *more).status == 0
        assert log.path.read_bytes() == before
        log.put(film.new_event("micro", 3, 4, 7))  # by a program that was open all the while
        before = log.path.read_bytes()
    assert len(CodingLog(film, "anna").events) == 5


def test_an_edit_in_the_middle_of_a_new_analysis_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit after the kept files were copied, before the new folder takes the place of the old one, has to wait."""
    folder, timeline = tmp_path / "interview", make_timeline()
    run = {"version": "1", "video": {"path": "x", "name": "x", "bytes": 0, "modified_ns": 0}, "formats": []}

    def analyse() -> None:
        with results.new_folder(folder, dict(run)) as partial:
            write_timeline(timeline, partial / "timeline.json")

    analyse()
    log = CodingLog(Film.open(folder), "anna")
    copy, writers = results._keep_by_hand, []

    def copy_and_edit(*places: Path) -> None:
        copy(*places)
        number = len(writers)
        writers.append(threading.Thread(target=lambda: log.put(log.film.new_event("micro", number, number, number))))
        writers[-1].start()
        writers[-1].join(timeout=0.5)

    monkeypatch.setattr(results, "_keep_by_hand", copy_and_edit)
    for _ in range(3):
        analyse()
        writers[-1].join()
    assert [e.onset_frame for e in CodingLog(log.film, "anna").events] == [0, 1, 2]


def test_proposals_are_accepted_corrected_refused_and_kept_beside(film: Film) -> None:
    first, second, third, _ = film.timeline.of_kind("micro")
    log = CodingLog(film, "anna")
    log.put(accepted(first))
    moved = film.placed(accepted(second), second.onset_frame + 2, second.apex_frame, second.offset_frame)
    log.put(moved)
    log.put(refused(third))
    log = CodingLog(film, "anna")
    assert [p.status for p in proposals(log) if p.event.kind == "micro"] == ["accepted", "corrected", "refused", "open"]
    one, other = log.events
    assert (one.origin, other.origin) == ("machine", "corrected")
    assert (one.proposal, other.proposal) == (first, second)
    assert [e.proposal for e in log.refused] == [third]
    log.put(film.placed(other, second.onset_frame, second.apex_frame, second.offset_frame))
    assert log.events[1].origin == "machine"


def test_a_new_analysis_shows_which_proposals_are_new(film: Film) -> None:
    log = CodingLog(film, "anna")
    micro = film.timeline.of_kind("micro")
    log.note_proposals(film.timeline.events)
    log.put(accepted(micro[0]), refused(micro[1]))
    lines = len(log.edits)
    log.note_proposals(film.timeline.events)
    assert len(log.edits) == lines, "known already"
    moved = replace(micro[0], onset_frame=micro[0].onset_frame + 3, onset_s=micro[0].onset_s + 0.015)
    fresh = replace(micro[2], onset_frame=2800, apex_frame=2820, offset_frame=2860, confidence=0.6)
    blinks = film.timeline.of_kind("blink")
    later = replace(film.timeline, events=(moved, micro[2], *blinks, fresh))
    again = CodingLog(make_film(film.folder, timeline=later), "anna")
    status = {p.event.onset_frame: p.status for p in proposals(again)}
    assert status[moved.onset_frame] == "accepted"
    assert status[micro[2].onset_frame] == "open"
    assert status[2800] == "new"
    assert {status[b.onset_frame] for b in blinks} == {"open"}
    assert [item.proposal for item in gone(again)] == [micro[1]]
    again.note_proposals(again.film.timeline.events)
    assert {p.status for p in proposals(again)} == {"accepted", "open"}
    assert again.can_undo
    assert len(again.undo() and again.items) == 0, "undo passes over what was noted"


def test_a_refused_proposal_needs_one() -> None:
    with pytest.raises(ValueError, match="proposal that was refused"):
        CodedEvent(0, "micro", 0, 1, 2, 0.0, 0.1, 0.2, refused=True)
