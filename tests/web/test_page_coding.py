"""In the browser: a film is reviewed and coded, alone and by two."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_browser import (
    Workbench,
    analysed,
    coding,
    comes,
    events,
    kept,
    needs_browser,
    opened,
    proposed,
    review,
    serving,
    shows,
    until,
)
from video_files import write_numbered

pytestmark = needs_browser
FPS = 50.0
FILM = "film.mp4"
PROPOSALS = (
    ("micro", 20, 25, 32, 0.95),
    ("micro", 60, 66, 72, 0.6),
    ("macro", 100, 120, 140, 0.9),
    ("blink", 160, 163, 168, 0.99),
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    film = write_numbered(tmp_path / FILM, 200, rate=50, options={"g": "25"})
    found = tuple(proposed(*row[:4], fps=FPS, confidence=row[4]) for row in PROPOSALS)
    analysed(film, tmp_path / "results" / "film", found)
    with serving(tmp_path) as bench:
        yield bench


def rows(page: Any) -> list[str]:
    return [" ".join(text.split()) for text in page.locator(".events li").all_inner_texts()]


def at(page: Any, frame: int) -> None:
    page.keyboard.press("g")
    page.keyboard.type(str(frame))
    page.keyboard.press("Enter")
    shows(page, frame)


def bar(page: Any, lane: int, frame: float) -> tuple[float, float]:
    """Where a frame begins in a lane of events (0 is the coder's own), in pixels of the window."""
    box = page.locator(".lanes canvas").bounding_box()
    width = box["width"] - 132 - 8
    return box["x"] + 132 + width * frame / 200, box["y"] + 29 + 26 * lane + 10


def drag(page: Any, lane: int, start: float, end: float) -> None:
    page.mouse.move(*bar(page, lane, start))
    page.mouse.down()
    page.mouse.move(*bar(page, lane, (start + end) / 2))
    page.mouse.move(*bar(page, lane, end))
    page.mouse.up()


def test_three_are_corrected_one_is_added_and_fifty_changes_undone(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    assert len(rows(page)) == 4

    page.keyboard.press("n")  # by keys: onset, apex and offset here
    shows(page, 25)
    at(page, 18)
    page.keyboard.press("i")
    kept(page, FILM, [("micro", 18, 25, 32)])
    at(page, 24)
    page.keyboard.press("a")
    at(page, 35)
    page.keyboard.press("o")
    kept(page, FILM, [("micro", 18, 24, 35)])

    page.keyboard.press("n")  # by the form: a frame and a time
    shows(page, 66)
    page.fill("[data-field=onset-frame]", "58")
    page.keyboard.press("Tab")
    kept(page, FILM, [("micro", 18, 24, 35), ("micro", 58, 66, 72)])
    page.fill("[data-field=offset-time]", "1.5 s")
    page.keyboard.press("Tab")
    kept(page, FILM, [("micro", 18, 24, 35), ("micro", 58, 66, 75)])
    page.keyboard.press("Escape")

    drag(page, 1, 100, 95)  # by dragging: a border of the machine's proposal, then the apex of the coder's own event
    kept(page, FILM, [("micro", 18, 24, 35), ("micro", 58, 66, 75), ("macro", 95, 120, 140)])
    drag(page, 0, 120.5, 110.5)
    kept(page, FILM, [("micro", 18, 24, 35), ("micro", 58, 66, 75), ("macro", 95, 110, 140)])
    drag(page, 0, 141, 145)
    three = [("micro", 18, 24, 35), ("micro", 58, 66, 75), ("macro", 95, 110, 143 + 1)]
    kept(page, FILM, three)

    at(page, 180)  # one is added
    page.keyboard.press("e")
    kept(page, FILM, [*three, ("micro", 180, None, 180)])
    at(page, 184)
    page.keyboard.press("a")
    at(page, 190)
    page.keyboard.press("o")
    four = [*three, ("micro", 180, 184, 190)]
    kept(page, FILM, four)
    page.keyboard.press("2")
    until(page, "document.querySelector('[data-field=class-positive]').getAttribute('aria-pressed') === 'true'")

    page.evaluate("location.reload()")  # in the middle
    page.wait_for_selector(".picture[data-frame]")
    assert events(page, FILM) == four
    before = coding(page, FILM)["seq"]

    page.locator(".events button").last.click()
    for i in range(50):
        page.keyboard.press("2" if i % 2 else "1")
    page.keyboard.press("x")  # is said to be no proposal: no edit
    assert comes(page, FILM, lambda state: state["seq"] >= before + 50)["seq"] == before + 50
    for _ in range(50):
        page.keyboard.press("Control+z")
    comes(page, FILM, lambda state: state["seq"] >= before + 100)
    assert events(page, FILM) == four
    assert coding(page, FILM)["events"][3]["emotion"] == "positive"
    page.keyboard.press("Control+Shift+Z")
    until(page, "document.querySelector('[data-field=class-negative]').getAttribute('aria-pressed') === 'true'")
    assert all(said.startswith("Failed to load resource") for said in page.said)
    page.context.close()


def test_proposals_are_accepted_refused_and_hidden(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    page.keyboard.press("Enter")  # accepted, and on to the next one
    shows(page, 66)
    page.keyboard.press("x")
    shows(page, 120)
    kept(page, FILM, [("micro", 20, 25, 32)])
    states = [p["state"] for p in coding(page, FILM)["proposals"]]
    assert states == ["accepted", "refused", "open", "open"]
    assert len(rows(page)) == 3
    page.get_by_label("refused").check()
    assert len(rows(page)) == 4
    slider = page.get_by_label("Hide proposals below this confidence")
    slider.evaluate("(s) => { s.value = 0.95; s.dispatchEvent(new Event('input')); }")
    assert [r.split()[1] for r in rows(page)] == ["micro", "micro", "blink"]  # a decision is never hidden
    assert "(1 hidden)" in page.inner_text("aside")
    page.context.close()


def test_what_a_form_says_is_kept(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    page.keyboard.press("c")
    until(page, "document.activeElement.dataset.field === 'onset-frame'")
    page.get_by_label("Scheme of emotions").select_option("casme2-5")
    page.get_by_role("button", name="repression").click()
    page.fill("[data-field=add-unit]", "L12B 6")
    page.keyboard.press("Enter")
    page.get_by_label("Intensity of AU6").select_option("C")
    page.get_by_label("Certainty").select_option("doubtful")
    page.get_by_label("Note").fill("a hand near the mouth")
    page.keyboard.press("Tab")
    until(
        page,
        f"fetch('/api/films/{page.url.split('/')[-1]}/coders/anna').then(r => r.json()).then(s => !!s.events[0].note)",
    )
    (event,) = coding(page, FILM)["events"]
    assert (event["scheme"], event["emotion"]) == ("casme2-5", "repression")
    assert set(event["action_units"].split("+")) == {"LAU12B", "AU06C"}
    assert (event["certainty"], event["note"]) == ("doubtful", "a hand near the mouth")
    page.fill("[data-field=onset-frame]", "900")
    page.keyboard.press("Tab")
    assert "900 is no frame or time of this film" in page.inner_text("#toasts")
    assert page.input_value("[data-field=onset-frame]") == "20"
    page.get_by_text("cannot be coded", exact=True).click()
    kept(page, FILM, [("uncodable", 20, None, 32)])
    page.context.close()


def test_two_tabs_never_lose_each_others_work(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(".picture[data-frame]")
    other.keyboard.press("n")
    other.keyboard.press("Enter")
    kept(other, FILM, [("micro", 20, 25, 32)])
    page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'hidden' })")
    page.keyboard.press("e")
    page.wait_for_selector(".toast")
    assert "newer state is shown" in page.inner_text("#toasts")
    assert events(page, FILM) == [("micro", 20, 25, 32)]
    assert any("accepted" in row for row in rows(page))
    page.keyboard.press("e")
    kept(page, FILM, [("micro", 0, None, 0), ("micro", 20, 25, 32)])
    page.context.close()


def test_a_second_coder_codes_blind_and_both_are_compared(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    shows(page, 66)
    page.keyboard.press("Enter")
    kept(page, FILM, [("micro", 20, 25, 32), ("micro", 60, 66, 72)])

    second = opened(browser, bench, coder="ben", blind=True)
    asked: list[str] = []
    second.on("request", lambda request: asked.append(request.url))
    review(second, FILM)
    assert rows(second) == ["No event yet. Press E to begin one at this frame."]
    assert not [url for url in asked if "/machine" in url or "/lanes" in url or url.endswith("/coders/anna")]
    assert (
        second.evaluate("fetch(`/api/films/${location.hash.split('/')[2]}/coders/ben`).then(r => r.json())")[
            "proposals"
        ]
        == []
    )
    for frame, key in ((21, "e"), (25, "a"), (32, "o")):
        at(second, frame)
        second.keyboard.press(key)
    kept(second, FILM, [("micro", 21, 25, 32)], "ben")
    second.evaluate("location.hash = '#/agreement?a=anna&b=ben'")
    second.wait_for_selector("text=so other coders and the machine stay hidden")
    second.context.close()

    page.evaluate("location.hash = '#/agreement?a=anna&b=ben'")
    page.wait_for_selector("h2:text('Differences of time')")
    assert [" ".join(t.split()) for t in page.locator(".differences li").all_inner_texts()] == [
        "0:01.200 micro: only anna film.mp4"
    ]
    cells = page.locator("table").first.locator("tr", has_text="micro").first.inner_text().split()
    assert cells == ["micro", "1", "1", "0", "1.00", "0.50", "0.67", "0.92"]  # IoU of 20..32 and 21..32: 12 of 13
    page.get_by_role("button", name="Work on the consensus").click()
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector(".picture[data-frame]")
    shows(page, 60)
    assert page.inner_text("#who") == "Coder: consensus"
    assert events(page, FILM, "consensus") == [("micro", 20, 25, 32)]
    page.get_by_label("others").check()
    page.locator(".events button", has_text="by anna").last.click()
    page.keyboard.press("Enter")
    kept(page, FILM, [("micro", 20, 25, 32), ("micro", 60, 66, 72)], "consensus")
    page.context.close()


def test_what_is_exported_is_read_back(browser: Any, bench: Workbench, tmp_path: Path) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    shows(page, 66)
    kept(page, FILM, [("micro", 20, 25, 32)])
    page.get_by_text("Export and import").click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Table (csv)").click()
    table = tmp_path / "out" / "anna.csv"
    waiting.value.save_as(table)
    (row,) = csv.DictReader(io.StringIO(table.read_text(encoding="utf-8")))
    assert (row["kind"], row["onset_frame"], row["coder"], row["origin"]) == ("micro", "20", "anna", "machine")
    page.evaluate("localStorage.setItem('fleeting:coder', 'carla')")
    page.evaluate("location.reload()")
    page.wait_for_selector(".picture[data-frame]")
    page.get_by_label("File to import").set_input_files(table)
    kept(page, FILM, [("micro", 20, 25, 32)], "carla")
    page.context.close()


def test_the_machine_is_measured_by_what_was_decided(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    shows(page, 66)
    page.keyboard.press("x")
    shows(page, 120)
    page.evaluate("location.hash = '#/machine?coder=anna&precision=0.9'")
    page.wait_for_selector("table")
    cells = page.locator("tbody tr", has_text="micro").first.inner_text().split("\t")
    assert cells[:5] == ["micro", "2", "1", "0", "50 %"]
    reach = page.locator("table").nth(1).locator("tbody tr").first.inner_text().split("\t")
    assert reach[:4] == ["micro", "95 %", "1", "100 %"]
    page.context.close()


def test_a_server_that_is_stopped_in_the_middle_loses_nothing(browser: Any, tmp_path: Path) -> None:
    film = write_numbered(tmp_path / FILM, 60, rate=50)
    analysed(film, tmp_path / "results" / "film", (proposed("micro", 20, 25, 32, fps=FPS),))
    with serving(tmp_path) as first:
        page = opened(browser, first)
        review(page, FILM)
        page.keyboard.press("n")
        page.keyboard.press("Enter")
        kept(page, FILM, [("micro", 20, 25, 32)])
    page.keyboard.press("e")
    page.wait_for_selector(".toast")
    assert "Not saved. The server does not answer" in page.inner_text("#toasts")
    assert len(rows(page)) == 1  # what was not saved is not shown
    page.context.close()
    with serving(tmp_path) as second:
        page = opened(browser, second)
        review(page, FILM)
        assert events(page, FILM) == [("micro", 20, 25, 32)]
        page.keyboard.press("Control+z")
        kept(page, FILM, [])
        page.context.close()


def test_an_event_is_looped_slowly_and_stays_within_its_frames(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    shows(page, 25)
    page.get_by_label("Speed").select_option("0.25")
    page.keyboard.press("Escape")
    page.evaluate(
        """() => {
          window.drawn = [];
          new MutationObserver(() => drawn.push([shownNumber(), readNumber()]))
            .observe(document.querySelector("#frame-number"), { childList: true, characterData: true });
        }"""
    )
    page.keyboard.press("r")
    until(page, "drawn.length > 20")
    page.keyboard.press("k")
    drawn = page.evaluate("drawn")
    assert all(shown == canvas and 20 <= shown <= 32 for shown, canvas in drawn)
    assert any(after[0] < before[0] for before, after in zip(drawn, drawn[1:], strict=False))
    page.context.close()
