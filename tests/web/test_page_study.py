"""In the browser: films get a person and a condition, and events are counted by condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from in_browser import analysed, needs_browser, opened, proposed, serving
from video_files import write_numbered

pytestmark = needs_browser


def test_events_are_counted_by_condition(browser: Any, tmp_path: Path) -> None:
    for i, count in enumerate((1, 3, 2)):
        film = write_numbered(tmp_path / f"film {i}.mp4", 150, rate=25)
        found = tuple(proposed("micro", 20 * k, 20 * k + 3, 20 * k + 9, fps=25.0) for k in range(count))
        analysed(film, tmp_path / "results" / f"film {i}", found)
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        page.evaluate("location.hash = '#/study'")
        page.get_by_label("condition of film 0.mp4").fill("calm")
        page.keyboard.press("Tab")
        page.wait_for_selector("th:text-is('calm')")
        table = tmp_path / "study.csv"
        table.write_text("film,person,condition\nfilm 1,ann,=1+1\nfilm 2.mp4,bob,=1+1\n", encoding="utf-8")
        page.get_by_label("Table of the study").set_input_files(table)
        page.wait_for_selector("th:text-is('=1+1')")
        rows = [row.inner_text().split("\t") for row in page.locator("table").first.locator("tbody tr").all()]
        assert rows == [  # six seconds a film: five events in two films are 25 a minute
            ["=1+1", "2", "2", "0.20", "5", "25.00", "–"],
            ["calm", "1", "1", "0.10", "1", "10.00", "–"],
        ]
        assert page.get_by_label("person of film 1.mp4").input_value() == "ann"
        page.get_by_label("Table of the study").set_input_files(
            {"name": "wrong.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
        )
        page.wait_for_selector(".toast")
        assert "film, person and condition" in page.inner_text("#toasts")
        assert page.evaluate("document.querySelectorAll('.plot circle').length") == 2
        page.context.close()
