"""How quickly the workbench's page follows: ``python benchmarks/studies/workbench_browser.py``.

In Chromium, a window of 1280 x 800. ``step`` and ``jump``: from the key press to the picture of that frame on the
canvas, with its number, on a film of 1280 x 720 with a key frame every second; steps with a pause before each as a
person makes it. ``lanes``: pictures a second while the lanes of a film of an hour with 290 proposals are scrolled,
whole and 64 times closer. Reach: step 50 ms, jump 150 ms, 60 pictures a second. Writes
``../results/workbench_browser.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from workbench import FILMS, FPS, make_film, make_results, serving, summary

from fleeting.export.timeline_json import read_timeline, write_timeline
from fleeting.records import Event

OUT = Path(__file__).resolve().parents[1] / "results" / "workbench_browser.json"
HOUR_S, PROPOSALS, SCROLL_S = 3600, 290, 5

FOLLOW = """async ({ frames, pause, by }) => {
  const field = document.querySelector("#goto"), label = document.querySelector("#frame-number");
  const waits = [];
  for (const frame of frames) {
    await new Promise((done) => setTimeout(done, pause));
    const began = performance.now();
    if (by === "key") {
      const key = frame > Number(label.textContent) ? "ArrowRight" : "ArrowLeft";
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    } else {
      field.value = frame;
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    }
    while (Number(label.textContent) !== frame) await new Promise((done) => setTimeout(done, 0));
    waits.push(performance.now() - began);
  }
  return waits;
}"""

SCROLL = """async (seconds) => {
  const canvas = document.querySelector(".lanes canvas"), gaps = [];
  let last = performance.now();
  for (const end = last + 1000 * seconds; last < end;) {
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaX: 25, cancelable: true, clientX: 400 }));
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  return gaps;
}"""


def opened(browser: Browser, port: int, token: str) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.add_init_script("localStorage.setItem('fleeting:coder', 'anna')")
    page.goto(f"http://127.0.0.1:{port}/?token={token}")
    page.click(".film.done .main")
    page.wait_for_selector(".picture[data-frame]")
    page.wait_for_timeout(2000)
    return page


def follow(browser: Browser, folder: Path) -> dict[str, Any]:
    size, every_s, seconds = FILMS["1280x720, key frame every 1 s"]
    make_film(folder / "film.mp4", size, seconds, every_s)
    count = seconds * FPS
    make_results(folder / "fleeting-output" / "film", count, size, "film")
    jumps = np.random.default_rng(5).integers(0, count, 40).tolist()
    middle = count // 2
    steps = [*range(middle + 1, middle + 61), *range(middle + 59, middle - 1, -1)]
    with serving(folder) as asked:
        page = opened(browser, asked.port, asked.token)
        result = {"jump": summary(page.evaluate(FOLLOW, {"frames": [*jumps, middle], "pause": 400, "by": "field"}))}
        result["step"] = summary(page.evaluate(FOLLOW, {"frames": steps, "pause": 100, "by": "key"}))
        page.close()
    return result


def scroll(browser: Browser, folder: Path) -> dict[str, Any]:
    make_film(folder / "hour.mp4", (320, 240), 2, 1)
    results = folder / "fleeting-output" / "hour"
    make_results(results, HOUR_S * FPS, (320, 240), "hour")
    apart = HOUR_S / PROPOSALS
    events = []
    for i in range(PROPOSALS):
        onset, apex, offset = (round((i * apart + s) * FPS) for s in (1.0, 1.2, 1.4))
        events.append(Event(0, "micro", onset, apex, offset, onset / FPS, apex / FPS, offset / FPS, confidence=0.9))
    path = results / "timeline.json"
    write_timeline(replace(read_timeline(path), events=tuple(events)), path)
    result = {}
    with serving(folder) as asked:
        page = opened(browser, asked.port, asked.token)
        for name, closer in (("whole", 0), ("64 times closer", 6)):
            for _ in range(closer):
                page.keyboard.press("PageUp")
            page.wait_for_timeout(1000)
            gaps = page.evaluate(SCROLL, SCROLL_S)
            result[name] = {"per_second": round(1000 * len(gaps) / sum(gaps), 1)} | summary(gaps)
        page.close()
    return result


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    found: dict[str, Any] = {"command": "python benchmarks/studies/workbench_browser.py", "processors": os.cpu_count()}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, measure in (("follow", follow), ("lanes", scroll)):
            with tempfile.TemporaryDirectory(prefix="fleeting-") as folder:
                found[name] = measure(browser, Path(folder))
            print(name, json.dumps(found[name]))
        browser.close()
    found["load_average"] = round(os.getloadavg()[0], 2)
    OUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
