"""Nobody but the browser that was given the key may see or change anything, and nothing outside of the folder is."""

from __future__ import annotations

import io
import json
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from coded_films import make_film
from fastapi.testclient import TestClient
from served import TOKEN, film_id, served, unopened
from starlette.websockets import WebSocketDisconnect
from video_files import write_numbered

from fleeting.errors import InputError
from fleeting.results import describe_run
from fleeting.settings import AnalyseSettings
from fleeting.web import uploads
from fleeting.web.app import STATIC

pytestmark = pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
HERE = "http://127.0.0.1:8765"
EVIL = "<img src=x onerror=alert(1)>.mp4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "films"
    place.mkdir()
    write_numbered(place / "film.mp4", 10)
    (tmp_path / "secret.txt").write_text("nobody's business")
    write_numbered(tmp_path / "outside.mp4", 10)
    return place


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with served(folder) as client:
        yield client


def test_the_token_is_asked_for_once(folder: Path) -> None:
    with unopened(folder) as client:
        for path in (
            "/",
            "/api/films",
            "/static/index.html",
            "/reports/x/",
            "/?token=wrong",
            "/api/films?token=" + TOKEN,
        ):
            assert client.get(path).status_code == 403
        opened = client.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN.lower() not in cookie
        assert client.get("/api/films").status_code == 200


def test_two_servers_of_a_machine_do_not_share_a_cookie(folder: Path) -> None:
    with served(folder) as one, unopened(folder) as other:
        (name,) = one.cookies
        assert TOKEN not in name
        other.app.cookie = "another"  # type: ignore[attr-defined]
        other.cookies.set(name, "guessed")
        assert other.get("/api/films").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "192.168.1.7:8765", "", "localhost@evil:80"]
)
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/films", headers={"Host": host})
    assert answer.status_code == 421
    assert "films" not in answer.text


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:9000", "LOCALHOST"])
def test_this_machine_has_several_names(client: TestClient, host: str) -> None:
    assert client.get("/api/films", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_can_neither_read_nor_post(client: TestClient, headers: dict[str, str]) -> None:
    film = film_id(client, "film.mp4")
    for method, path in (
        ("GET", "/api/films"),
        ("POST", "/api/jobs"),
        ("DELETE", "/api/jobs/x"),
        ("GET", "/static/main.js"),
    ):
        answer = client.request(method, path, headers=headers, json={"film": film} if method == "POST" else None)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert client.get("/api/jobs").json() == []


def test_its_own_page_may(client: TestClient) -> None:
    headers = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/jobs", json={"film": "none"}, headers=headers).status_code == 404


def test_a_socket_of_another_page_is_closed(client: TestClient) -> None:
    for headers in ({}, {"Origin": "https://evil.example"}):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("ws://127.0.0.1:8765/api/live", headers=headers),
        ):
            pass


def test_every_answer_carries_its_policy(client: TestClient) -> None:
    for path in ("/", "/api/films", "/api/nothing", "/static/none.js"):
        answer = client.get(path)
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2f..%2fsecret.txt",
        "/static/../../secret.txt",
        "/api/films/..%2F..%2Fsecret.txt/picture",
        "/api/films/%2Fetc%2Fpasswd/frames/0",
        "/reports/..%2f..%2fsecret.txt/",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
    ],
)
def test_no_path_leads_out(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "business" not in answer.text


def test_links_that_lead_out_are_no_films(folder: Path) -> None:
    (folder / "link.mp4").symlink_to(folder.parent / "outside.mp4")
    (folder / "up").symlink_to(folder.parent)
    (folder / "inside.mp4").symlink_to(folder / "film.mp4")
    with served(folder) as client:
        assert {f["name"] for f in client.get("/api/films").json()} == {"film.mp4", "inside.mp4"}


def test_results_behind_a_link_that_leads_out_are_refused(folder: Path) -> None:
    (folder / "fleeting-output").symlink_to(folder.parent)
    with pytest.raises(InputError, match="leads out"), unopened(folder):
        pass


def test_a_run_that_names_another_film_does_not_open_it(folder: Path) -> None:
    outside = folder.parent / "outside.mp4"
    made = make_film(folder / "fleeting-output" / "outside").folder
    run = describe_run(outside, settings=AnalyseSettings(), fps=None, formats=["json"], version="0")
    (made / "run.json").write_text(json.dumps(run | {"files": {}}))
    linked = make_film(folder / "fleeting-output" / "linked").folder
    (linked / "report.html").symlink_to(folder.parent / "secret.txt")
    with served(folder) as client:
        film = film_id(client, "outside")
        assert "does not lie in the folder" in client.get(f"/api/films/{film}").json()["problem"]
        for path in ("frames/0", "picture", "video"):
            assert client.get(f"/api/films/{film}/{path}").status_code == 404
        assert client.post("/api/jobs", json={"film": film}).status_code == 404
        assert all(f["name"] != "linked" for f in client.get("/api/films").json())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frame_count", -5),
        ("frame_count", "many"),
        ("video", {}),
        ("events", [{"face": 0}]),
        ("signals", [{"face": "<script>"}]),
        ("schema", "other"),
        ("quality", []),
        ("cuts", None),
    ],
)
def test_a_timeline_that_was_edited_by_hand_is_answered_in_words(folder: Path, key: str, value: object) -> None:
    path = make_film(folder / "fleeting-output" / "film").folder / "timeline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with served(folder) as client:
        assert client.get("/api/films").status_code == 200
        film = film_id(client, "film.mp4")
        for part in ("lanes", "machine", "coders", "frames/0", "times", ""):
            answer = client.get(f"/api/films/{film}/{part}".rstrip("/"))
            assert answer.status_code < 500, answer.text
            assert answer.status_code == 200 or answer.json()["error"]


def test_a_timeline_that_is_no_json_is_answered_in_words(folder: Path) -> None:
    path = make_film(folder / "fleeting-output" / "film").folder / "timeline.json"
    path.write_bytes(b"\xff\xfe{")
    with served(folder) as client:
        film = film_id(client, "film.mp4")
        answer = client.get(f"/api/films/{film}")
        assert answer.status_code == 422
        assert "timeline" in answer.json()["error"]


def test_a_name_that_is_markup_stays_a_name(folder: Path) -> None:
    data = (folder / "film.mp4").read_bytes()
    (folder / EVIL).write_bytes(data)
    with served(folder) as client:
        answer = client.get("/api/films")
        assert answer.headers["content-type"] == "application/json"
        assert EVIL in {f["name"] for f in answer.json()}
        sent = client.post("/api/films", files={"file": (EVIL, data)})
        assert sent.status_code == 201
        assert sent.json()["name"] == "_img src=x onerror=alert(1)_.mp4"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../up.mp4", "up.mp4"),
        ("..\\..\\up.mp4", "up.mp4"),
        ("/etc/up.mp4", "up.mp4"),
        ("C:\\films\\up.mp4", "up.mp4"),
        (".hidden.mp4", "hidden.mp4"),
        ("con.mp4", "con_.mp4"),
        ("a\nb.mp4", "a_b.mp4"),
        (".mp4", "mp4"),
        ("x" * 400 + ".mp4", "x" * 146 + ".mp4"),
    ],
)
def test_names_are_made_clean(name: str, kept: str) -> None:
    assert uploads.clean_name(name) == kept


def test_a_film_is_taken_and_nothing_is_written_over(folder: Path) -> None:
    data = (folder / "film.mp4").read_bytes()
    new = write_numbered(folder.parent / "new.mp4", 20).read_bytes()
    with served(folder) as client:
        answer = client.post("/api/films", files={"file": ("film.mp4", new)})
        assert answer.status_code == 201
        assert answer.json()["name"] == "film (2).mp4"
        assert (answer.json()["frames"], answer.json()["state"]) == (20, "new")
    assert (folder / "film.mp4").read_bytes() == data
    assert (folder / "film (2).mp4").read_bytes() == new
    assert not list(folder.rglob(".fleeting-upload*"))


@pytest.mark.parametrize("what", ["text", "suffix", "no file", "cut off", "no form"])
def test_what_is_no_film_is_not_kept(folder: Path, what: str) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    data = (folder / "film.mp4").read_bytes()
    before = sorted(p.name for p in folder.iterdir())
    with served(folder) as client:
        if what == "text":
            answer = client.post("/api/films", files={"file": ("a.mp4", b"not a film")})
        elif what == "suffix":
            answer = client.post("/api/films", files={"file": ("a.html", data)})
        elif what == "no file":
            answer = client.post("/api/films", files={"other": ("a.mp4", data)})
        elif what == "cut off":
            half = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' + data[:500]
            answer = client.post("/api/films", content=half, headers=form)
        else:
            answer = client.post("/api/films", content=data, headers={"Content-Type": "video/mp4"})
        assert answer.status_code in (400, 415, 422)
        assert answer.json()["error"].startswith("Expected a")
        assert not re.search(r"fleeting-upload", answer.text)
    assert sorted(p.name for p in folder.iterdir() if p.name != "fleeting-output") == before


@pytest.mark.parametrize("declared", [True, False])
def test_an_upload_over_the_limit_leaves_nothing(folder: Path, declared: bool) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    film = (folder / "film.mp4").read_bytes()
    body = head + film.ljust(400_000, b"0") + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    read = 0

    def parts() -> Iterator[bytes]:
        nonlocal read
        stream = io.BytesIO(body)
        while part := stream.read(10_000):
            read += len(part)
            yield part

    with served(folder, upload_limit=200_000) as client:
        if declared:
            answer = client.post("/api/films", content=body, headers=headers)
        else:
            answer = client.post("/api/films", content=parts(), headers=headers)
            assert "content-length" not in answer.request.headers
        assert answer.status_code == 413
        assert "at most 0.0002 GB" in answer.json()["error"]
    assert sorted(p.name for p in folder.iterdir()) == ["film.mp4"]


def test_a_report_lives_in_a_sandbox(folder: Path) -> None:
    made = make_film(folder / "fleeting-output" / "film").folder
    (made / "report.html").write_text("<script>fetch('/api/films')</script>")
    with served(folder) as client:
        film = film_id(client, "film.mp4")
        answer = client.get(f"/reports/{film}")
        policy = answer.headers["content-security-policy"]
        assert answer.headers["content-type"].startswith("text/html")
        assert "sandbox allow-scripts" in policy
        assert "allow-same-origin" not in policy
        assert "default-src 'none'" in policy
        assert "connect-src" not in policy


def test_a_foreign_host_is_let_in_where_it_is_asked_for(folder: Path) -> None:
    with served(folder, hosts=("*", "lab-pc")) as client:
        for host, status in (("lab-pc:8765", 200), ("192.168.1.7:8765", 200), ("evil.example", 421)):
            assert client.get("/api/films", headers={"Host": host}).status_code == status


def test_every_asset_is_in_the_wheel_and_is_served(client: TestClient) -> None:
    root = STATIC.parents[3]
    with (root / "pyproject.toml").open("rb") as file:
        globs = tomllib.load(file)["tool"]["setuptools"]["package-data"]["fleeting"]
    files = [p for p in sorted(STATIC.rglob("*")) if p.is_file()]
    assert len(files) > 5
    for path in files:
        assert any(fnmatch(path.relative_to(STATIC.parents[1]).as_posix(), pattern) for pattern in globs)
        answer = client.get(f"/static/{path.relative_to(STATIC).as_posix()}")
        assert answer.status_code == 200
        assert answer.content == path.read_bytes()


def test_the_page_names_nothing_elsewhere_and_only_what_is_there(client: TestClient) -> None:
    for path in [p for p in sorted(STATIC.rglob("*")) if p.suffix in (".html", ".js", ".css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(?:src|href|from|import|url)\s*[=(]?\s*["'(]?https?://""", text), path.name
        for name in re.findall(r"""(?:from|import)\s+["'](\./[^"']+)["']""", text):
            assert (path.parent / name).is_file(), f"{path.name} imports {name}"
