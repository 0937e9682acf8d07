"""Analyses in processes of their own: the same as from the command line, told, cancelled, and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from served import film_id, picture, served
from video_files import write_numbered

from fleeting.analysis.analyse import Analysis
from fleeting.api import files_of_formats
from fleeting.errors import InputError
from fleeting.export.timeline_json import read_timeline
from fleeting.faces.align import CANONICAL_POINTS, to_frame
from fleeting.results import is_finished, read_run
from fleeting.video.reader import open_video
from fleeting.web import views
from fleeting.web.job_queue import JobQueue, WebJob

pytestmark = pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
PATIENCE_S = 240.0


def until(done: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def job_of(client: TestClient, film: str) -> dict[str, Any]:
    return next(j for j in reversed(client.get("/api/jobs").json()) if j["film"] == film)


def ended(client: TestClient, film: str) -> dict[str, Any]:
    return until(lambda: job_of(client, film) if job_of(client, film)["state"] not in ("queued", "running") else None)


def test_an_analysis_is_that_of_the_command_line(clip: Path, analysis: Analysis, tmp_path: Path) -> None:
    """And its frames, faces and report are there to be looked at."""
    shutil.copy(clip, tmp_path / "ada.mp4")
    write_numbered(tmp_path / "nobody.mp4", 30)
    with served(tmp_path) as client:
        film, nobody = film_id(client, "ada.mp4"), film_id(client, "nobody.mp4")
        for one in (film, nobody):
            job = client.post("/api/jobs", json={"film": one, "kind": "analyse"})
            assert (job.status_code, job.json()["kind"]) == (201, "analyse")
        again = client.post("/api/jobs", json={"film": nobody})
        assert again.json()["id"] == job_of(client, nobody)["id"]  # it waits already
        assert ended(client, film)["state"] == "done"
        failed = ended(client, nobody)
        assert failed["state"] == "failed"
        assert "face" in failed["problem"]
        states = {f["name"]: (f["state"], f["problem"]) for f in client.get("/api/films").json()}
        assert states == {"ada.mp4": ("done", None), "nobody.mp4": ("failed", failed["problem"])}

        folder = tmp_path / "fleeting-output" / "ada"
        found = read_timeline(folder / "timeline.json")
        assert found.events == analysis.timeline.events
        run = read_run(folder)
        assert run is not None
        assert is_finished(folder, run, files_of_formats())

        opened = client.get(f"/api/films/{film}").json()
        assert opened["quality"]["verdict"] in ("good", "fair", "poor")
        (face,) = opened["faces"]
        assert picture(client.get(face["picture_url"])).shape == (96, 96, 3)
        assert picture(client.get(f"/api/films/{film}/picture")).shape[1] <= 320
        assert client.get(f"/reports/{film}/").text.startswith("<!DOCTYPE html>")
        times = np.frombuffer(client.get(f"/api/films/{film}/times").content, "<f8")
        assert np.allclose(times, found.signals[0].time_s)
        event = next(e for e in found.events if e.kind == "micro")
        shown = {
            (view, at): picture(client.get(f"/api/films/{film}/frames/{at}", params={"view": view})).astype(float)
            for view in ("face", "enlarged")
            for at in (event.onset_frame, event.apex_frame)
        }
        moved = {
            view: np.abs(shown[view, event.apex_frame] - shown[view, event.onset_frame]).mean()
            for view in ("face", "enlarged")
        }
        assert moved["enlarged"] > 1.3 * moved["face"]  # the smile is larger
        for wrong in ({"view": "face", "face": 3}, {"view": "enlarged", "factor": 50}, {"view": "side"}):
            assert client.get(f"/api/films/{film}/frames/3", params=wrong).status_code in (409, 422)


def test_the_face_is_held_still(analysis: Analysis, clip: Path) -> None:
    """The eyes stand where they stand in every frame, as far as the analysis knows."""
    (places,) = (s.place for s in analysis.timeline.signals)
    assert places is not None
    with open_video(clip) as reader:
        frames = [f for f in reader if f.index in (0, 20, 60)]
    marks = []
    for frame in frames:
        drawn = frame.rgb.copy()
        eye = to_frame(CANONICAL_POINTS[[36]], places[frame.index])[0]
        cv2.circle(drawn, tuple(np.rint(eye).astype(int).tolist()), 2, (0, 255, 0), -1)
        seen = views.face(drawn, places[frame.index], 140).astype(int)
        rows, columns = np.nonzero(seen[..., 1] - seen[..., 0] - seen[..., 2] // 2 > 60)
        marks.append((columns.mean(), rows.mean()))
    assert np.ptp(np.array(marks), axis=0).max() < 3.0


def test_an_enlarged_frame_is_the_same_however_it_is_reached(analysis: Analysis, clip: Path) -> None:
    def view() -> views.Enlarged:
        return views.Enlarged(lambda: open_video(clip), analysis.timeline.signals[0].place, crop_width=140, factor=8.0)

    straight, jumping = view(), view()
    forward = [straight.get(i) for i in range(30)]
    assert np.array_equal(jumping.get(29), forward[29])  # type: ignore[arg-type]
    assert np.array_equal(jumping.get(11), forward[11])  # type: ignore[arg-type]
    straight.close()
    jumping.close()


def sleeps(job: WebJob, sender: Connection) -> None:
    """In place of an analysis: as long as there is a file that says so."""
    flag = Path(job.video)
    step = 0
    while flag.exists():
        step += 1
        sender.send(min(step / 1000, 0.9))
        time.sleep(0.02)
    sender.send("")


def breaks(job: WebJob, sender: Connection) -> None:
    if job.kind == "calibrate":
        raise InputError("a quiet moment", "none", "Film another one.")
    raise SystemExit(9)


def queue(folder: Path, work: Callable[[WebJob, Connection], None]) -> JobQueue:
    return JobQueue(folder / "jobs.json", root=folder, work=work)


def states(made: JobQueue) -> list[str]:
    return [job.state for job in made.jobs()]


def test_jobs_wait_are_cancelled_and_go_on_after_a_restart(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    first = queue(tmp_path, sleeps)
    try:
        jobs = [first.add(f"film{i}", "analyse", video=flag, folder=tmp_path / "out") for i in range(4)]
        until(lambda: first.jobs()[0].progress)
        assert states(first) == ["running", "queued", "queued", "queued"]
        assert first.cancel(jobs[2].id) is not None
        assert first.cancel("none") is None
        assert first.cancel(jobs[0].id) is not None
        until(lambda: states(first) == ["cancelled", "running", "cancelled", "queued"])
    finally:
        first.close()
    kept = json.loads((tmp_path / "jobs.json").read_text())
    assert [j["state"] for j in kept] == ["cancelled", "running", "cancelled", "queued"]
    outside = {**kept[1], "id": "outside", "video": "/etc/passwd"}
    (tmp_path / "jobs.json").write_text(json.dumps([*kept, outside]))
    second = queue(tmp_path, sleeps)
    try:
        assert [j.id for j in second.jobs()] == [j.id for j in jobs]
        until(lambda: states(second) == ["cancelled", "running", "cancelled", "queued"])
        flag.unlink()
        until(lambda: states(second) == ["cancelled", "done", "cancelled", "done"])
    finally:
        second.close()


def test_a_job_that_fails_says_why_and_stops_no_other(tmp_path: Path) -> None:
    made = queue(tmp_path, breaks)
    try:
        for kind in ("calibrate", "analyse"):
            made.add("film", kind, video=tmp_path, folder=tmp_path)  # type: ignore[arg-type]
        until(lambda: states(made) == ["failed", "failed"])
        quiet, killed = made.jobs()
        assert quiet.problem == "Expected a quiet moment; got none. Film another one."
        assert killed.problem is not None
        assert killed.problem.startswith("The process ended with")
    finally:
        made.close()
    (tmp_path / "jobs.json").write_text("no queue")
    queue(tmp_path, breaks).close()


def test_a_page_is_told_of_jobs(tmp_path: Path) -> None:
    """The stream itself needs a server; here, what it waits for."""
    flag = tmp_path / "flag"
    flag.touch()
    made = queue(tmp_path, sleeps)
    try:
        seen = made.version
        assert made.wait(seen, 0.01) == seen
        made.add("film", "analyse", video=flag, folder=tmp_path)
        assert made.wait(seen, 10.0) > seen
    finally:
        flag.unlink()
        made.close()


def test_a_folder_of_images_needs_a_rate(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "clip" / f"{i}.png"), np.zeros((20, 20, 3), np.uint8))
    with served(tmp_path) as client:
        film = film_id(client, "clip")
        answer = client.post("/api/jobs", json={"film": film})
        assert answer.status_code == 400
        assert "frame rate" in answer.json()["error"]
        wrong = client.post("/api/jobs", json={"film": film, "fps": 100, "settings": {"faces": {"colour": 1}}})
        assert wrong.status_code == 400
        assert client.post("/api/jobs", json={"film": film, "fps": -1}).status_code == 422


def test_a_film_is_watched_as_it_is_or_as_a_copy_with_the_same_times(tmp_path: Path) -> None:
    plain = write_numbered(tmp_path / "a.mp4", 30)
    ticks = np.cumsum(np.random.default_rng(2).integers(10, 60, 40)).tolist()
    write_numbered(tmp_path / "b.mkv", 40, codec="ffv1", pixel_format="yuv420p10le", ticks=ticks)
    with served(tmp_path) as client:
        one, other = film_id(client, "a.mp4"), film_id(client, "b.mkv")
        part = client.get(f"/api/films/{one}/video", headers={"Range": "bytes=100-299"})
        assert part.status_code == 206
        assert part.content == plain.read_bytes()[100:300]
        assert part.headers["content-range"] == f"bytes 100-299/{plain.stat().st_size}"
        assert client.get(f"/api/films/{other}/video").status_code == 202
        copy = until(lambda: a if (a := client.get(f"/api/films/{other}/video")).status_code != 202 else None)
        assert copy.status_code == 200, copy.text
        assert client.get("/api/jobs").json() == []  # nobody has asked for that one
        times = np.frombuffer(client.get(f"/api/films/{other}/times").content, "<f8")
    (tmp_path / "copy.mp4").write_bytes(copy.content)
    with open_video(tmp_path / "copy.mp4") as reader:
        assert reader.info.codec == "h264"
        assert [f.time_s for f in reader] == pytest.approx(times, abs=2e-5)


def test_films_of_one_name_have_results_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_numbered(tmp_path / name / "film.mp4", 10)
    with served(tmp_path) as client:
        library = client.app.app.state.films  # type: ignore[attr-defined]
        one, other = library.films().values()
        first = library.place_for(one)
        first.mkdir(parents=True)
        (first / "timeline.json").write_text("{}")
        (first / "run.json").write_text(json.dumps({"video": {"path": str(one.path)}, "files": {}, "formats": []}))
        found = library.films(anew=True)
        assert (found[one.id].results, found[other.id].results) == (first, None)
        assert library.place_for(found[other.id]) not in (first, None)


def test_new_films_are_probed_when_nothing_else_is_done(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "ada.mp4")
    (tmp_path / "none.mp4").write_bytes(b"no film")
    with served(tmp_path, probe=True) as client:
        film = film_id(client, "ada.mp4")
        found = until(lambda: client.get(f"/api/films/{film}").json()["quality"])
        assert found["verdict"] in ("good", "fair", "poor")
        assert any(note.startswith("face size: ") or note.startswith("frame rate: ") for note in found["notes"])
        assert client.get("/api/jobs").json() == []
        states = {f["name"]: f["state"] for f in client.get("/api/films").json()}
        assert states == {"ada.mp4": "new", "none.mp4": "new"}
        problem = until(lambda: {f["name"]: f["problem"] for f in client.get("/api/films").json()}["none.mp4"])
        assert "none.mp4" in problem
    with served(tmp_path) as client:  # it is not forgotten
        assert client.get(f"/api/films/{film}").json()["quality"] == found


KILLED = """
import sys
from pathlib import Path
from test_server_jobs import notes_itself, queue
folder = Path(sys.argv[1])
if __name__ == "__main__":
    made = queue(folder, notes_itself)
    made.add("film", "analyse", video=folder / "pid", folder=folder)
    sys.stdin.read()
"""


def notes_itself(job: WebJob, sender: Connection) -> None:
    """In place of an analysis in its second look, which tells no progress."""
    Path(job.video).write_text(str(os.getpid()))
    time.sleep(PATIENCE_S)


def is_gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_a_job_does_not_outlive_a_server_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen([sys.executable, script, tmp_path], stdin=subprocess.PIPE, env=environment)
    try:
        noted = tmp_path / "pid"
        pid = until(lambda: noted.exists() and noted.read_text())
        assert not is_gone(pid)
    finally:
        server.kill()
        server.communicate()
    until(lambda: is_gone(pid), 30.0)
    kept = json.loads((tmp_path / "jobs.json").read_text())
    assert [job["state"] for job in kept] == ["running"]  # and so the next server begins it again
