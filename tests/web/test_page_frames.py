"""In the browser: the number in the picture is the number that is shown, and the number that is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_browser import analysed, coding, needs_browser, opened, review, serving
from test_server_frames import COUNT, FILMS

from fleeting.results import portable

pytestmark = [needs_browser, pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")]

WALK = """async ({ steps, jumps }) => {
  const seen = [], look = (wanted) => seen.push([wanted, shownNumber(), readNumber()]);
  let at = shownNumber();
  for (const step of steps) {
    press(step > 0 ? "ArrowRight" : "ArrowLeft");
    await settle((at += step));
    look(at);
  }
  const field = document.querySelector("#goto");
  for (const frame of jumps) {
    press("g");
    field.value = String(frame);
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    await settle(frame);
    look(frame);
    at = frame;
  }
  return seen;
}"""


@pytest.mark.parametrize("kind", FILMS)
def test_the_number_in_the_canvas_is_the_number_shown_and_saved(kind: str, browser: Any, tmp_path: Path) -> None:
    film = FILMS[kind](tmp_path)
    start = 13 if kind == "edit list" else 0
    analysed(film, tmp_path / "results" / portable(film.stem), fps=25.0 if film.is_dir() else None)
    jumps = np.random.default_rng(5).integers(0, COUNT, 50).tolist()
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        review(page, film.name)
        seen = page.evaluate(WALK, {"steps": [*[1] * 150, *[-1] * 150], "jumps": jumps})
        assert len(seen) == 350
        assert all(wanted == shown for wanted, shown, _ in seen)
        assert [canvas for *_, canvas in seen] == [shown + start for _, shown, _ in seen]
        page.keyboard.press("e")
        page.wait_for_selector("[data-field=onset-frame]")
        (saved,) = coding(page, film.name)["events"]
        times = page.evaluate(
            "(id) => fetch(`/api/films/${id}/times`).then((r) => r.arrayBuffer())"
            ".then((b) => [...new Float64Array(b)])",
            page.evaluate("location.hash.split('/')[2]"),
        )
        assert saved["onset_frame"] == jumps[-1] == seen[-1][2] - start
        assert saved["onset_s"] == pytest.approx(times[jumps[-1]])
        assert page.said == []
        page.context.close()


def test_a_late_or_wrong_answer_is_never_shown_under_another_number(browser: Any, tmp_path: Path) -> None:
    """Answers come in another order than they were asked for, and one bears another number."""
    film = FILMS["200 frames/s"](tmp_path)
    analysed(film, tmp_path / "results" / film.stem)
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        review(page, film.name)
        page.wait_for_timeout(600)
        page.evaluate(
            """() => {
              const real = window.fetch;
              window.drawn = [];
              window.fetch = async (path, options) => {
                const n = Number(/frames\\/(\\d+)/.exec(path)?.[1] ?? NaN);
                const answer = await real(path, options);
                if (n === 150) await new Promise((done) => setTimeout(done, 700));
                if (n !== 190) return answer;
                const headers = new Headers(answer.headers);
                headers.set("x-frame", "191");
                return new Response(await answer.blob(), { status: 200, headers });
              };
              new MutationObserver(() => drawn.push([shownNumber(), readNumber()]))
                .observe(document.querySelector("#frame-number"), { childList: true, characterData: true });
            }"""
        )
        go = "(n) => { const f = document.querySelector('#goto'); f.value = n;"
        go += " f.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' })); }"
        page.evaluate(go, "150")
        page.evaluate(go, "100")
        page.evaluate("settle(100)")
        page.wait_for_timeout(1000)
        assert page.evaluate("[shownNumber(), readNumber()]") == [100, 100]
        page.evaluate(go, "190")
        page.wait_for_selector(".toast")
        assert "sent frame 191" in page.inner_text("#toasts")
        assert page.evaluate("[shownNumber(), readNumber()]") == [100, 100]
        assert all(shown == canvas for shown, canvas in page.evaluate("drawn"))
        page.context.close()
