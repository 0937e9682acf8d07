"""The report in a real browser, where one is installed: drawn, zoomed and clicked."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from timelines import make_media, make_timeline

from fleeting.records import REGIONS
from fleeting.report.build import render

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium to look at the report with")

PROBE = """<script>
addEventListener("securitypolicyviolation", (e) => (window.refused = [...(window.refused || []), e.blockedURI]));
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms)), out = {};
  for (let i = 0; i < 200 && document.body.dataset.ready !== "yes"; i++) await wait(50);
  const chart = document.querySelector(".chart"), peaks = () =>
    Object.fromEntries(chart.data.filter((t) => t.mode === "lines").map((t) => [t.name, Math.max(...t.y)]));
  out.ready = document.body.dataset.ready;
  out.whole = chart.layout.xaxis.range;
  out.peaks = peaks();
  out.markers = chart.data.filter((t) => t.mode === "markers").map((t) => [t.name, t.customdata.length]);
  out.shades = chart.layout.shapes.filter((s) => s.type === "path").map((s) => s.path).join("").split("M").length - 1;
  document.querySelector('[data-show="4"]').click();
  await wait(300);
  out.zoomed = chart.layout.xaxis.range;
  out.samples = chart.data.find((t) => t.name === "left mouth corner").x.length;
  chart.emit("plotly_click", { points: [{ x: 2.3 }] });
  await wait(100);
  out.opened = document.activeElement.id;
  chart.emit("plotly_click", { points: [{ x: 0.98, customdata: 0 }] });
  await wait(100);
  out.blink = [document.querySelector(".found").id, document.querySelector(".found").closest("details").open];
  const player = document.querySelector(".player"), slider = player.querySelector("input");
  slider.value = 0; slider.dispatchEvent(new Event("input"));
  const look = () => player.querySelector("canvas").toDataURL();
  const first = look();
  slider.value = 3; slider.dispatchEvent(new Event("input"));
  out.playerMoves = first !== look();
  out.wide = document.documentElement.scrollWidth <= innerWidth;
  out.refused = window.refused || [];
  const pre = document.createElement("pre");
  pre.id = "probe"; pre.textContent = JSON.stringify(out); document.body.append(pre);
})();
</script>"""


def browse(page: Path, profile: Path, width: int) -> dict[str, Any]:
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", f"--window-size={width},900",
            f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page did not finish: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found.group(1)))


NARROW = """<script>
(async () => {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  for (let i = 0; i < 200 && document.body.dataset.ready !== "yes"; i++) await wait(50);
  document.querySelectorAll("details").forEach((d) => (d.open = true));
  await wait(100);
  const hidden = [...document.querySelectorAll("td, th, dd, dt, p, figure, li, .main-svg, code")].filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1);
  });
  parent.postMessage({
    ready: document.body.dataset.ready, width: innerWidth, page: document.documentElement.scrollWidth,
    cut: [...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth + 1).length,
    hidden: hidden.slice(0, 5).map((e) => e.outerHTML.slice(0, 80)),
    labels: document.querySelectorAll(".stack td:not([data-label])").length,
  }, "*");
})();
</script>"""


def test_nothing_is_cut_off_on_a_phone(tmp_path: Path) -> None:
    """In a frame of 420 pixels, since a window without a screen is never narrower than 500."""
    timeline = make_timeline(faces=2, name="a_very_long_name_of_a_recording_without_any_space_in_it_2024_06_01")
    page, frame = tmp_path / "report.html", tmp_path / "frame.html"
    text = render(timeline, make_media(timeline, loop_frames=6))
    page.write_text(text.replace("</body>", NARROW + "</body>"), encoding="utf-8")
    frame.write_text(
        '<body><iframe src="report.html" style="width:420px;height:900px;border:0"></iframe><script>'
        'addEventListener("message", (e) => { const pre = document.createElement("pre"); pre.id = "probe";'
        "pre.textContent = JSON.stringify(e.data); document.body.append(pre); });</script></body>",
        encoding="utf-8",
    )
    seen = browse(frame, tmp_path / "profile", 500)
    assert (seen["ready"], seen["width"]) == ("yes", 420)
    assert seen["hidden"] == []
    assert seen["page"] <= 420
    assert seen["cut"] == 0, "a table must be pushed aside to be read"
    assert seen["labels"] == 0, "a cell stands without the name of its column"


def test_without_scripts_the_timeline_is_drawn(tmp_path: Path) -> None:
    """As a picture: the events of the timeline are seen in their colours."""
    import cv2

    timeline = make_timeline()
    page, picture = tmp_path / "report.html", tmp_path / "page.png"
    page.write_text(render(timeline, {}), encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        '<body style="margin:0"><iframe sandbox src="report.html" style="width:420px;height:1500px;border:0"></iframe>',
        encoding="utf-8",
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    where = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", "--window-size=500,1500"]
    subprocess.run(
        [str(BROWSER), *options, *where, (tmp_path / "frame.html").as_uri()],
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    seen = cv2.imread(str(picture))[:, :420, ::-1].astype(int)
    for red, green, blue in ((0x6D, 0x28, 0xD9), (0x0F, 0x76, 0x6E), (0x64, 0x74, 0x8B)):
        near = (abs(seen - [red, green, blue]) < 12).all(axis=2)
        # Blocks of a lane: stretches of a row of pixels, the tiles' borders and the links' letters left out.
        blocks = cv2.erode(near.astype("uint8"), cv2.getStructuringElement(cv2.MORPH_RECT, (3, 9)))
        assert blocks.any(), f"no event in {red:02x}{green:02x}{blue:02x}"


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_works_in_a_browser(tmp_path: Path, width: int) -> None:
    timeline = make_timeline()
    last = max(i for i, e in enumerate(timeline.events) if e.kind == "blink")
    wink = replace(timeline.events[last], kind="wink", regions=("left_lid",))
    timeline = replace(timeline, events=(*timeline.events[:last], wink, *timeline.events[last + 1 :]))
    text = render(timeline, make_media(timeline, loop_frames=6))
    page = tmp_path / "report.html"
    page.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    seen = browse(page, tmp_path / "profile", width)

    assert seen["ready"] == "yes"
    assert seen["refused"] == []
    assert seen["whole"] == pytest.approx([0, 14.995])
    signals = timeline.signals[0]
    for i, region in enumerate(REGIONS):
        assert seen["peaks"][region.replace("_", " ")] == pytest.approx(signals.motion[:, i].max(), abs=0.02)
    assert seen["markers"] == [["wink", 1], ["blink", 3], ["macro", 1], ["micro", 4]]
    assert seen["shades"] == 9
    event = timeline.events[4]
    assert seen["zoomed"][0] < event.onset_s < event.offset_s < seen["zoomed"][1]
    assert seen["zoomed"][1] - seen["zoomed"][0] < 4
    assert seen["samples"] >= 200 * (seen["zoomed"][1] - seen["zoomed"][0]), "zoomed in, every frame is drawn"
    assert seen["opened"] == "event-1"
    assert seen["blink"] == ["event-0", True]
    assert seen["playerMoves"]
    assert seen["wide"], "the page is wider than the window"
