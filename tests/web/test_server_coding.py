"""Edits by a page: kept before they are answered, undone and redone, by two tabs, through a killed server."""

from __future__ import annotations

import io
import re
import signal
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded_films import code, make_film
from fastapi.testclient import TestClient
from served import film_id, served, started
from timelines import make_timeline
from video_files import write_numbered

from fleeting.coding.agreement import agree
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.coding.machine import how_good, review
from fleeting.export.timeline_json import write_timeline

pytestmark = pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
NEW = {"kind": "micro", "face": 0, "onset_frame": 100, "apex_frame": 110, "offset_frame": 130}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_numbered(tmp_path / "interview.mp4", 10)
    make_film(tmp_path / "fleeting-output" / "interview")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with served(folder) as client:
        yield client


class Tab:
    """A page that shows one coder's work."""

    def __init__(self, client: TestClient, coder: str = "Anna", *, blind: bool = False) -> None:
        self.client, self.coder = client, coder
        self.film = film_id(client, "interview.mp4")
        answer = client.post(f"/api/films/{self.film}/coders", json={"name": coder, "blind": blind})
        assert answer.status_code == 200, answer.text
        self.state: dict[str, Any] = answer.json()

    def look(self) -> dict[str, Any]:
        self.state = self.client.get(f"/api/films/{self.film}/coders/{self.coder}").json()
        return self.state

    def ask(self, action: str, **values: Any) -> Any:
        return self.client.post(
            f"/api/films/{self.film}/coders/{self.coder}/edits",
            json={"action": action, "seq": self.state["seq"], **values},
        )

    def edit(self, action: str, **values: Any) -> dict[str, Any]:
        answer = self.ask(action, **values)
        assert answer.status_code == 200, answer.text
        self.state = answer.json()
        return self.state

    def log(self) -> CodingLog:
        run = Path(str(self.client.app.app.state.films.folder))  # type: ignore[attr-defined]
        return CodingLog(Film.open(run / "fleeting-output" / "interview"), self.coder)


def states(tab: Tab) -> list[str]:
    return [p["state"] for p in tab.state["proposals"]]


def test_proposals_are_accepted_corrected_refused_and_events_added(client: TestClient) -> None:
    tab = Tab(client)
    assert states(tab) == ["open"] * 9
    keys = [p["key"] for p in tab.state["proposals"]]
    tab.edit("accept", proposal=keys[1])
    tab.edit("refuse", proposal=keys[2])
    moved = {**NEW, "onset_frame": 1001, "apex_frame": 1020, "offset_frame": 1060, "note": "brow <b>"}
    tab.edit("put", proposal=keys[3], event=moved)
    tab.edit("put", event={**NEW, "emotion": "surprise", "scheme": "casme2-5", "action_units": "L12B+6C"})
    assert states(tab) == ["open", "accepted", "refused", "corrected", *["open"] * 5]
    by_origin = {e["origin"]: e for e in tab.state["events"]}
    assert by_origin["person"]["action_units"] == "LAU12B+AU06C"
    assert by_origin["corrected"]["proposal"]["onset_frame"] == 1000
    assert by_origin["corrected"]["onset_s"] == pytest.approx(1001 / 200)
    assert len(by_origin) == 3
    log = tab.log()
    assert [e.id for e in log.events] == [e["id"] for e in tab.state["events"]]
    assert len(log.refused) == 1
    tab.edit("accept", proposal=keys[2])  # thought again: one decision, not two
    assert states(tab)[2] == "accepted"
    assert len(tab.log().refused) == 0
    tab.edit("remove", id=by_origin["machine"]["id"])
    assert states(tab)[1] == "open"
    (summary,) = client.get(f"/api/films/{tab.film}/coders").json()
    assert (summary["name"], summary["events"], summary["done"], summary["total"]) == ("anna", 3, 2, 9)
    listed = client.get("/api/films").json()[0]
    assert listed["reviewed"] == {"anna": {"done": 2, "total": 9}}
    assert listed["counts"] == {"micro": 4, "macro": 1, "blink": 4, "wink": 0}


def test_fifty_changes_are_undone_and_done_again_after_a_restart(folder: Path) -> None:
    with served(folder) as client:
        tab = Tab(client)
        (event,) = tab.edit("put", event=NEW)["events"]
        for step in range(50):
            tab.edit("put", id=event["id"], event={**NEW, "offset_frame": 131 + step})
    with served(folder) as client:
        tab = Tab(client)
        for step in reversed(range(50)):
            assert tab.state["events"][0]["offset_frame"] == 131 + step
            tab.edit("undo")
        assert tab.state["events"][0]["offset_frame"] == 130
        tab.edit("undo")
        assert (tab.state["events"], tab.state["can_undo"], tab.state["can_redo"]) == ([], False, True)
        for _ in range(51):
            tab.edit("redo")
        assert tab.state["events"][0]["offset_frame"] == 180
        assert not tab.state["can_redo"]


def test_two_tabs_do_not_write_over_each_other(client: TestClient) -> None:
    one, other = Tab(client), Tab(client)
    one.edit("put", event=NEW)
    refused = other.ask("put", event={**NEW, "kind": "macro"})
    assert refused.status_code == 409
    assert refused.json()["error"]
    assert {k: v for k, v in refused.json().items() if k != "error"} == one.look()
    other.state = refused.json()
    other.edit("put", event={**NEW, "kind": "macro"})
    assert [e["kind"] for e in one.look()["events"]] == ["macro", "micro"] or len(one.state["events"]) == 2


def test_of_edits_at_the_same_time_one_wins(client: TestClient) -> None:
    tab = Tab(client)
    answers: list[int] = []

    def send(frame: int) -> None:
        answers.append(tab.ask("put", event={**NEW, "offset_frame": frame}).status_code)

    threads = [threading.Thread(target=send, args=(200 + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7
    assert len(tab.look()["events"]) == 1


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"action": "put"}, 400),
        ({"action": "put", "event": {**NEW, "offset_frame": 99_999}}, 400),
        ({"action": "put", "event": {**NEW, "onset_frame": 120}}, 400),
        ({"action": "put", "event": {**NEW, "onset_frame": -1}}, 422),
        ({"action": "put", "event": {**NEW, "kind": "smile"}}, 422),
        ({"action": "put", "event": {**NEW, "emotion": "joy", "scheme": "casme2-5"}}, 400),
        ({"action": "put", "event": {**NEW, "action_units": "twelve"}}, 400),
        ({"action": "put", "event": {**NEW, "id": "x"}}, 422),
        ({"action": "put", "id": "gone", "event": NEW}, 400),
        ({"action": "remove", "id": "gone"}, 400),
        ({"action": "accept", "proposal": "gone"}, 400),
        ({"action": "erase"}, 422),
    ],
)
def test_what_cannot_be_is_refused_in_words(client: TestClient, asked: dict[str, Any], status: int) -> None:
    tab = Tab(client)
    answer = tab.ask(**asked)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert tab.look()["seq"] == tab.state["seq"]
    assert not tab.state["can_undo"]


@pytest.mark.parametrize("name", ["", "../anna", "machine", "a/b", "x" * 90, "con"])
def test_a_coder_has_a_name_that_can_be_a_file(client: TestClient, name: str) -> None:
    film = film_id(client, "interview.mp4")
    assert client.post(f"/api/films/{film}/coders", json={"name": name}).status_code == 400
    assert client.get(f"/api/films/{film}/coders").json() == []


def test_a_blind_coder_sees_no_proposals(client: TestClient) -> None:
    tab = Tab(client, "ben", blind=True)
    assert tab.state["proposals"] == []
    assert tab.edit("put", event=NEW)["proposals"] == []
    assert tab.log().proposals == ()
    assert len(Tab(client, "ben").state["proposals"]) == 9


def test_what_a_new_analysis_proposes_is_new(folder: Path) -> None:
    with served(folder) as client:
        tab = Tab(client)
        tab.edit("accept", proposal=tab.state["proposals"][1]["key"])
        timeline = make_timeline(name="interview")
        moved = timeline.events[3].__class__
        event = timeline.events[3]
        later = moved(0, "micro", 2860, 2880, 2900, 14.3, 14.4, 14.5, event.regions, 1.0, 0.9)
        changed = timeline.__class__(
            **{f: getattr(timeline, f) for f in timeline.__slots__ if f != "events"}, events=(*timeline.events, later)
        )
        write_timeline(changed, folder / "fleeting-output" / "interview" / "timeline.json")
        again = Tab(client)
        assert states(again) == ["open", "accepted", *["open"] * 7, "new"]
        assert states(again)[-1] == "new"
        again.edit("put", event=NEW)
        assert states(again)[-1] == "new"  # as long as the film stays open
        assert states(Tab(client))[-1] == "open"


def test_agreement_and_the_machine_are_those_of_the_command(folder: Path, client: TestClient) -> None:
    film = Film.open(folder / "fleeting-output" / "interview")
    code(film, "anna", ("micro", 420, 448, 490), ("macro", 1840, 2000, 2260), ("micro", 60, None, 80))
    code(film, "ben", ("micro", 421, 447, 495), ("macro", 1900, 2010, 2250))
    found = agree(folder / "fleeting-output", "anna", "ben")
    of_all = client.get("/api/agreement", params={"a": "anna", "b": "ben"}).json()
    film_of = film_id(client, "interview.mp4")
    of_one = client.get(f"/api/films/{film_of}/agreement", params={"a": "anna", "b": "ben"}).json()
    for answer in (of_all, of_one):
        assert {k: v for k, v in answer["metrics"].items() if k != "films"} == {
            k: v for k, v in found.metrics.items() if k != "films"
        }
        (apart,) = answer["disagreements"]
        assert (apart["film"], apart["at_frame"], apart["b"]) == (film_of, 60, None)
        assert len(answer["matched"]) == 2
    machine = client.get("/api/machine", params={"coder": "anna", "precision": 0.5}).json()
    assert machine == how_good([review(CodingLog(film, "anna"))], precision=0.5)
    for query in ({"a": "anna", "b": "Anna"}, {"a": "anna", "b": "carl"}):
        assert client.get("/api/agreement", params=query).status_code == 400
    assert client.get("/api/machine", params={"coder": "carl"}).status_code == 400


@pytest.mark.parametrize("form", ["elan", "boris", "csv", "json"])
def test_what_was_exported_is_imported_without_loss(client: TestClient, form: str) -> None:
    tab = Tab(client)
    tab.edit("put", event={**NEW, "emotion": "surprise", "scheme": "casme2-5", "note": "quick"})
    tab.edit("put", event={**NEW, "kind": "uncodable", "onset_frame": 700, "apex_frame": None, "offset_frame": 720})
    answer = client.get(f"/api/films/{tab.film}/export", params={"format": form, "coder": "anna"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment;")
    data, name = answer.content, re.findall(r'filename="([^"]+)"', answer.headers["content-disposition"])[0]
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = next(n for n in archive.namelist() if n.endswith((".boris", ".eaf", "timeline.json")))
            data = archive.read(name)
    other = Tab(client, "ben")
    path = f"/api/films/{tab.film}/import"
    for added, known in ((2, 0), (0, 2)):
        done = client.post(path, params={"coder": "ben"}, files={"file": (name, data)})
        assert done.status_code == 200, done.text
        assert (done.json()["added"], done.json()["known"]) == (added, known)
    kept = ("kind", "onset_frame", "apex_frame", "offset_frame", "emotion", "scheme", "note", "apex_known")
    assert [[e[k] for k in kept] for e in other.look()["events"]] == [
        [e[k] for k in kept] for e in tab.look()["events"]
    ]
    bad = client.post(path, params={"coder": "ben"}, files={"file": (name, b"nothing of the kind")})
    assert bad.status_code == 422
    assert "fleeting-upload" not in bad.text


def test_a_report_without_faces_can_be_shared(client: TestClient, folder: Path) -> None:
    film = next(f["id"] for f in client.get("/api/films").json() if f["state"] == "done")
    form = {"format": "report-without-faces", "coder": "anna"}
    answer = client.get(f"/api/films/{film}/export", params=form)
    assert answer.status_code == 200
    assert "without-faces.html" in answer.headers["content-disposition"]
    assert "<h1>" in answer.text
    assert "data:image/webp" not in answer.text


def test_the_methods_paragraph_is_given(client: TestClient, folder: Path) -> None:
    film = film_id(client, "interview.mp4")
    assert "methods" in client.get("/api/state").json()["formats"]
    answer = client.get(f"/api/films/{film}/export", params={"format": "methods", "coder": "anna"})
    assert answer.status_code == 200
    assert "interview-methods.txt" in answer.headers["content-disposition"]
    assert "A micro-expression lasts at most 0.5 s" in answer.text
    assert "@software{fleeting," in answer.text


def test_lanes_keep_the_extremes(client: TestClient, folder: Path) -> None:
    film = film_id(client, "interview.mp4")
    signals = Film.open(folder / "fleeting-output" / "interview").timeline.signals[0]
    whole = client.get(f"/api/films/{film}/lanes", params={"points": 100}).json()
    assert len(whole["time"]) <= 100
    curve = whole["rows"][0]["curves"][0]
    assert max(curve["high"]) == pytest.approx(np.nanmax(signals.motion[:, 0]), abs=1e-4)
    assert min(curve["low"]) == pytest.approx(np.nanmin(signals.motion[:, 0]), abs=1e-4)
    part = client.get(f"/api/films/{film}/lanes", params={"first": 500, "last": 599, "points": 1000}).json()
    assert part["time"] == pytest.approx(signals.time_s[500:600])
    assert part["rows"][0]["curves"][0]["low"] == pytest.approx(signals.motion[500:600, 0], abs=1e-4)
    assert part["eyes"]["curves"][0]["high"] == pytest.approx(signals.eye_opening[500:600, 0], abs=1e-4)
    assert client.get(f"/api/films/{film}/lanes", params={"face": 7}).json()["rows"] == []
    assert client.get(f"/api/films/{film}/lanes", params={"first": 10**9}).json()["rows"] == []
    assert len(client.get(f"/api/films/{film}/machine").json()["events"]) == 9


def test_a_study_is_a_table(client: TestClient, folder: Path) -> None:
    table = "film,person,condition\ninterview,ada,lie\n"
    assert client.post("/api/study", content=table, headers={"Content-Type": "text/csv"}).status_code == 200
    (listed,) = client.get("/api/films").json()
    assert (listed["person"], listed["condition"]) == ("ada", "lie")
    film = listed["id"]
    client.post("/api/study", json={film: {"person": "ada", "condition": "truth"}})
    assert client.get("/api/study").json() == {"interview.mp4": {"person": "ada", "condition": "truth"}}
    assert "interview.mp4,ada,truth" in (folder / "fleeting-output" / "study.csv").read_text()
    found = client.get("/api/study/summary").json()
    assert found["conditions"]["truth"]["micro"] == {"events": 4, "per_minute": 16.0, "interval": None}
    assert client.get("/api/study/summary", params={"format": "csv"}).text.startswith("film,person,condition,minutes")
    assert client.get("/api/study/summary", params={"coder": "anna"}).json()["films_left_out"] == ["interview.mp4"]
    for bad in ("name,group\na,b\n", "\xff"):
        answer = client.post("/api/study", content=bad.encode("latin-1"), headers={"Content-Type": "text/csv"})
        assert answer.status_code == 400


def test_a_killed_server_loses_nothing_that_it_answered(folder: Path) -> None:
    with started(folder) as server:
        (film,) = server.get("/api/films")
        path = f"/api/films/{film['id']}/coders"
        server.post(path, {"name": "anna"})
        for _ in range(20):
            answered = len(server.post(f"{path}/anna/edits", {"action": "put", "event": NEW})["events"])
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(30)
    assert answered == 20
    assert len(CodingLog(Film.open(folder / "fleeting-output" / "interview"), "anna").events) == answered
