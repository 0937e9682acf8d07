"""In the browser: the films of the folder, a new one, and names that mean harm."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from in_browser import analysed, events, kept, needs_browser, opened, proposed, review, serving, until
from video_files import write_numbered

pytestmark = needs_browser
HOSTILE = "<img src=x onerror=document.title=1>&quot;.mp4"

DROP = """([name, data, place]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  const target = document.querySelector(place);
  const said = ["dragover", "drop"].map((kind) =>
    target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer })));
  return said;
}"""


def names(page: Any) -> list[str]:
    return list(page.locator(".film h2").all_text_contents())


def test_a_film_is_dropped_analysed_corrected_and_kept(browser: Any, clip: Path, tmp_path: Path) -> None:
    """From a file to the first corrected event, with the analysis itself."""
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        page.wait_for_selector("text=No film yet")
        data = base64.b64encode(clip.read_bytes()).decode()
        said = page.evaluate(DROP, [clip.name, data, "h1"])  # beside any drop zone
        assert said == [False, False]  # the browser does not open the file in place of the page
        page.wait_for_selector(".film")
        assert names(page) == [clip.name]
        page.get_by_role("button", name="Analyse all new films").click()
        page.wait_for_selector(".film.done", timeout=120_000)
        page.get_by_role("link", name=f"Review {clip.name}").click()
        page.wait_for_selector(".picture[data-frame]")
        page.wait_for_selector(".events button")
        page.keyboard.press("n")
        page.keyboard.press("v")
        until(page, "document.querySelector('[data-view=face]').getAttribute('aria-pressed') === 'true'")
        page.keyboard.press("ArrowLeft")
        frame = page.evaluate("new Promise((done) => setTimeout(() => done(shownNumber()), 800))")
        page.keyboard.press("a")
        page.wait_for_selector(".event-form h2")
        until(page, "/corrected/.test(document.querySelector('.events [aria-current]').textContent)")
        (event,) = events(page, clip.name)
        assert event[2] == frame
        page.evaluate("location.hash = '#/'")
        page.wait_for_selector("text=reviewed 1 of")
        assert page.said == []
        page.context.close()


def test_names_are_text_and_never_markup(browser: Any, tmp_path: Path) -> None:
    film = write_numbered(tmp_path / HOSTILE, 30, rate=25)
    note = "<script>document.title = 1</script>"
    found = (proposed("micro", 5, 8, 12, fps=25.0, emotion="surprise", probability=0.7),)
    analysed(film, tmp_path / "results" / "x", found)
    shutil.move(tmp_path / "results" / "x", tmp_path / "results" / "_img src=x onerror=document.title=1_&quot;")
    with serving(tmp_path) as bench:
        page = opened(browser, bench, coder="o'neil")
        assert names(page) == [HOSTILE]
        review(page, HOSTILE)
        assert page.inner_text(".film-head h1") == HOSTILE
        page.keyboard.press("n")
        page.keyboard.press("c")
        page.get_by_label("Note").fill(note)
        page.keyboard.press("Tab")
        page.evaluate("location.reload()")
        page.wait_for_selector(".events button")
        page.locator(".events button").first.click()
        until(page, f"document.querySelector('[data-field=note]')?.value === {note!r}")
        page.evaluate('location.hash = "#/agreement?a=o\'neil&b=machine"')
        page.wait_for_selector("table")
        assert page.title().endswith("Fleeting")
        assert page.locator("main img[src=x], main script").count() == 0
        assert page.said == []
        page.context.close()


def test_a_hundred_films_are_searched_and_sorted(browser: Any, tmp_path: Path) -> None:
    one = write_numbered(tmp_path / "film 0.mp4", 25, rate=25)
    for i in range(1, 100):
        shutil.copy(one, tmp_path / f"film {i}.mp4")
    found = tuple(proposed("micro", 2 * i, 2 * i, 2 * i + 1, fps=25.0) for i in range(3))
    analysed(one, tmp_path / "results" / "film 7", found)
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        assert names(page) == [f"film {i}.mp4" for i in range(100)]
        page.get_by_label("Search films").fill("M 7")
        assert names(page) == ["film 7.mp4", *(f"film {i}.mp4" for i in range(70, 80))]
        page.get_by_label("Search films").fill("")
        page.wait_for_selector("text=3 micro, 0 macro", timeout=30_000)
        page.get_by_label("Order").select_option("micro")
        assert names(page)[:2] == ["film 7.mp4", "film 0.mp4"]
        page.context.close()


def test_no_page_without_the_key(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as bench:
        page = browser.new_page()
        answer = page.goto(bench.address.split("?")[0])
        assert answer.status == 403
        assert "fleeting serve" in page.inner_text("body")
        page.close()


def test_a_refused_upload_says_why(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        page.evaluate(DROP, ["notes.mp4", base64.b64encode(b"no film at all").decode(), "main"])
        page.wait_for_selector(".toast button")
        assert "notes.mp4" in page.inner_text("#toasts")
        assert not list(tmp_path.glob("*.mp4"))
        page.context.close()


def test_the_coder_is_asked_for_before_a_film_is_coded(browser: Any, tmp_path: Path) -> None:
    film = write_numbered(tmp_path / "film.mp4", 30, rate=25)
    analysed(film, tmp_path / "results" / "film")
    with serving(tmp_path) as bench:
        page = opened(browser, bench, coder="")
        page.locator(".film a", has_text="film.mp4").click()
        page.get_by_label("Name").fill("Ben")
        page.keyboard.press("Enter")
        page.wait_for_selector(".picture[data-frame]")
        page.keyboard.press("e")
        kept(page, "film.mp4", [("micro", 0, None, 0)], "ben")
        page.context.close()


@pytest.mark.parametrize("key", ["Escape"])
def test_without_a_name_one_is_back_at_the_films(browser: Any, key: str, tmp_path: Path) -> None:
    film = write_numbered(tmp_path / "film.mp4", 30, rate=25)
    analysed(film, tmp_path / "results" / "film")
    with serving(tmp_path) as bench:
        page = opened(browser, bench, coder="")
        page.locator(".film a", has_text="film.mp4").click()
        page.wait_for_selector("dialog[open]")
        page.keyboard.press(key)
        page.wait_for_selector("[class~=library]")
        page.context.close()
