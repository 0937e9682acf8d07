"""In the browser: by keyboard alone, and for screen readers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_browser import (
    Workbench,
    analysed,
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
AXE = Path(__file__).parent / "page" / "node_modules" / "axe-core" / "axe.min.js"
FILM = "film.mp4"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    film = write_numbered(tmp_path / FILM, 200, rate=50, options={"g": "25"})
    probabilities = {"negative": 0.1, "positive": 0.2, "surprise": 0.7}
    said = {"emotion": "surprise", "probability": 0.7, "probabilities": probabilities}
    found = (
        proposed("micro", 20, 25, 32, fps=50.0, **said),
        proposed("micro", 60, 66, 72, fps=50.0, confidence=0.6),
        proposed("macro", 100, 120, 140, fps=50.0),
    )
    analysed(film, tmp_path / "results" / "film", found)
    with serving(tmp_path) as bench:
        yield bench


def test_a_film_is_coded_by_keyboard_alone(browser: Any, bench: Workbench) -> None:
    """From the list of films to a saved, named, undone and redone event, without a mouse."""
    page = opened(browser, bench, coder="")

    def tab_to(found: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"document.activeElement.matches({found!r})"):
                return
        raise AssertionError(f"no way to {found}")

    tab_to(".film a")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    page.keyboard.type("anna")
    page.keyboard.press("Enter")
    page.wait_for_selector(".picture[data-frame]")
    page.keyboard.press("n")
    shows(page, 25)
    page.keyboard.press("Enter")
    shows(page, 66)
    page.keyboard.press("x")
    shows(page, 120)
    page.keyboard.press("c")
    until(page, "document.activeElement.dataset.field === 'onset-frame'")
    page.keyboard.press("Control+a")
    page.keyboard.type("98")
    page.keyboard.press("Enter")
    kept(page, FILM, [("micro", 20, 25, 32), ("macro", 98, 120, 140)])
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.type("3.2 s")
    page.keyboard.press("Enter")
    shows(page, 160)
    page.keyboard.press("e")
    kept(page, FILM, [("micro", 20, 25, 32), ("macro", 98, 120, 140), ("micro", 160, None, 160)])
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("o")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("a")
    page.keyboard.press("3")
    page.keyboard.press("m")
    named = comes(page, FILM, lambda state: state["events"][-1]["kind"] == "macro")["events"][-1]
    assert (named["onset_frame"], named["apex_frame"], named["offset_frame"]) == (160, 168, 170)
    assert named["emotion"] == "surprise"
    page.keyboard.press("Delete")
    comes(page, FILM, lambda state: len(state["events"]) == 2)
    page.keyboard.press("Control+z")
    assert len(comes(page, FILM, lambda state: len(state["events"]) == 3)["events"]) == 3
    page.keyboard.press("End")
    shows(page, 199)
    page.keyboard.press("Home")
    shows(page, 0)
    assert "frame 0" in page.inner_text("#live") or page.evaluate("shownNumber()") == 0
    page.context.close()


def test_keys_are_shown_and_can_be_changed(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("?")
    page.locator("[data-key=onset]").click()
    page.keyboard.press("e")  # which made a new event until now
    assert page.inner_text("[data-key=onset]") == "E"
    assert page.inner_text("[data-key=add]") == "none"
    page.keyboard.press("Escape")
    page.evaluate("location.reload()")
    page.wait_for_selector(".picture[data-frame]")
    page.keyboard.press("n")
    shows(page, 25)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("e")
    kept(page, FILM, [("micro", 24, 25, 32)])
    page.keyboard.press("?")
    page.get_by_role("button", name="Reset all keys").click()
    assert page.inner_text("[data-key=onset]") == "I"
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    comes(page, FILM, lambda state: len(state["events"]) == 2)
    assert ("micro", 24, None, 24) in events(page, FILM)
    page.context.close()


def test_what_happens_is_said_to_a_screen_reader(browser: Any, bench: Workbench) -> None:
    page = opened(browser, bench)
    review(page, FILM)
    page.keyboard.press("n")
    until(page, "/micro, surprise, frames 20 to 32, proposed 90 %/.test(document.querySelector('#live').textContent)")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#live').textContent === 'frame 26, 0:00.520'")
    page.keyboard.press("o")
    until(page, "document.querySelector('#live').textContent === 'offset at frame 26, 0:00.520'")
    page.context.close()


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core; scripts/test-page brings it where npm is")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, bench: Workbench, dark: bool) -> None:
    page = opened(browser, bench, dark=dark)

    def check(what: str) -> None:
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        told = [
            f"{v['id']} ({v['impact']}): {node['html'][:160]} {node['failureSummary'][:200]}"
            for v in found
            if v["impact"] in ("serious", "critical")
            for node in v["nodes"][:4]
        ]
        assert not told, f"{what}: " + "\n".join(told)

    check("films")
    review(page, FILM)
    check("review, nothing chosen")
    page.keyboard.press("n")
    shows(page, 25)
    page.wait_for_selector(".event-form")
    check("a proposal")
    page.keyboard.press("c")
    comes(page, FILM, lambda state: len(state["events"]) == 1)
    page.fill("[data-field=add-unit]", "12B")
    page.keyboard.press("Tab")
    page.wait_for_selector(".unit")
    check("an event")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    check("keys")
    page.keyboard.press("Escape")
    page.click("#who")
    check("who codes")
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '#/agreement?a=anna&b=machine'")
    page.wait_for_selector("table")
    check("agreement")
    page.evaluate("location.hash = '#/machine?coder=anna'")
    page.wait_for_selector("h1:text('How good is the machine')")
    page.wait_for_selector("table")
    check("the machine")
    for name in ("study", "live"):
        page.evaluate(f"location.hash = '#/{name}'")
        page.wait_for_selector(f"h1:text-is('{name.capitalize()}')")
        check(name)
    page.context.close()
