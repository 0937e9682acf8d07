"""In the browser: face and enlarged views, the film for watching, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from in_browser import analysed, needs_browser, opened, review, serving, shows, until
from test_server_frames import FILMS
from video_files import numbered, write_video

pytestmark = needs_browser

HASH = """(() => {
  const c = document.querySelector(".picture canvas");
  const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
  return c.width + ":" + data.reduce((sum, v) => (sum * 31 + v) | 0, 7);
})()"""


def test_face_and_enlarged_views_step_under_their_own_numbers(browser: Any, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", [numbered(i, width=320, height=240) for i in range(60)], rate=30)
    analysed(film, tmp_path / "results" / "film")
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        review(page, "film.mp4")
        whole = page.evaluate(HASH)
        page.keyboard.press("v")
        until(page, f"{HASH} !== {whole!r} && shownNumber() === 0")
        face = page.evaluate(HASH)
        page.keyboard.press("v")
        until(page, f"{HASH} !== {face!r} && shownNumber() === 0")
        assert page.get_by_label("How many times movements are enlarged").is_enabled()
        for step in range(1, 6):
            page.keyboard.press("ArrowRight")
            shows(page, step)
        mild = page.evaluate(HASH)
        page.get_by_label("How many times movements are enlarged").evaluate(
            "(s) => { s.value = 20; s.dispatchEvent(new Event('input')); }"
        )
        until(page, f"{HASH} !== {mild!r} && shownNumber() === 5")
        page.keyboard.press("v")
        until(page, "readNumber() === 5 && shownNumber() === 5")
        assert page.said == []
        page.context.close()


@pytest.mark.parametrize("kind", ["29.97 frames/s", "MJPEG"])
def test_the_film_can_be_watched(browser: Any, kind: str, tmp_path: Path) -> None:
    """The file itself where the browser plays it, else a copy that is made while one waits."""
    film = FILMS[kind](tmp_path)
    analysed(film, tmp_path / "results" / film.stem)
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        review(page, film.name)
        page.get_by_role("button", name="Watch").click()
        page.wait_for_selector("dialog video", timeout=60_000)
        if page.evaluate("document.createElement('video').canPlayType('video/mp4; codecs=\"avc1.64000a\"')") == "":
            pytest.skip("this Chromium plays no H.264")
        until(page, "document.querySelector('dialog video').readyState >= 2")
        assert page.evaluate("document.querySelector('dialog video').duration") > 1
        page.keyboard.press("Escape")
        until(page, "!document.querySelector('dialog')")
        page.context.close()


def test_light_and_dark_can_be_chosen_and_are_kept(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        colour = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(colour) == "rgb(246, 245, 242)"
        page.get_by_label("Light or dark").click()
        assert page.evaluate(colour) == "rgb(20, 18, 23)"
        page.evaluate("location.reload()")
        page.wait_for_selector("h1")
        assert page.evaluate(colour) == "rgb(20, 18, 23)"
        page.context.close()
