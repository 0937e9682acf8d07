"""Results of version 0.1 are still read, as docs/reference/promises.md promises.

``analysed`` is what ``fleeting analyse`` of 0.1.0 wrote of a film of the demonstration's portrait, without its report
and its curves. ``early`` is a timeline as the first writer of all wrote it. Never write these files anew.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fleeting
from fleeting.cli.app import app
from fleeting.coding.films import Film
from fleeting.coding.imports import import_file
from fleeting.coding.log import CodingLog
from fleeting.export.media import read_faces, read_media
from fleeting.export.timeline_json import read_timeline, write_timeline
from fleeting.records import EVENT_COLUMNS
from fleeting.results import read_run
from fleeting.settings import AnalyseSettings, from_dict

BEFORE = Path(__file__).parent / "results_of_0_1"
FOLDERS = ("analysed", "early")
EVENTS = {
    "analysed": [("blink", 43, 48, 55), ("micro", 108, 117, 130)],
    "early": [("blink", 180, 196, 224), ("micro", 420, 448, 490)],
}


@pytest.fixture(params=FOLDERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(BEFORE / request.param, tmp_path / request.param))


def test_the_timeline_is_read(folder: Path) -> None:
    timeline = read_timeline(folder / "timeline.json")
    assert timeline.version == "0.1.0"
    found = [(e.kind, e.onset_frame, e.apex_frame, e.offset_frame) for e in timeline.events]
    assert found == EVENTS[folder.name]
    (signals,) = timeline.signals
    assert signals.motion.shape == (timeline.frame_count, 13)
    assert signals.speaking is None, "0.1 did not look"
    assert timeline.cuts == ()
    again = read_timeline(write_timeline(timeline, folder / "again.json"))
    assert again.events == timeline.events
    assert again.settings == timeline.settings


def test_its_settings_are_settings_of_today(folder: Path) -> None:
    stored = json.loads((folder / "timeline.json").read_text(encoding="utf-8"))["settings"]
    from_dict(AnalyseSettings, stored)


def test_report_and_methods_are_made_of_it(folder: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 0, done.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<article") == 1
    assert ("data:image/webp" in page) == (folder / "media.npz").exists()
    text = fleeting.methods(folder)
    assert text.startswith("Fleeting 0.1.0 ")
    assert "do not name the network that judged the candidates" in text
    assert re.search(r"Some results are of another version", text)


def test_the_table_has_gained_columns_at_its_end_alone(folder: Path) -> None:
    with (folder / "events.csv").open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    assert columns == list(EVENT_COLUMNS[: len(columns)])


def test_pictures_and_the_run_are_read() -> None:
    folder = BEFORE / "analysed"
    (media,) = read_media(folder / "media.npz").values()
    assert media.onset.startswith(b"RIFF")
    assert media.outlines == (), "0.1 kept none"
    assert read_faces(folder / "media.npz") is not None
    run = read_run(folder)
    assert run is not None
    assert run["version"] == "0.1.0"


@pytest.mark.parametrize("name", ["events.csv", "events.eaf", "events.tsv", "events.boris", "timeline.json"])
def test_people_go_on_coding_there(name: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BEFORE / "analysed", tmp_path / "interview"))
    (done,) = import_file(folder / name, folder, "anna")
    assert done.added == 2
    log = CodingLog(Film.open(folder), "anna")
    assert [(e.kind, e.onset_frame, e.offset_frame) for e in log.events] == [("blink", 43, 55), ("micro", 108, 130)]
