"""In the browser: a camera, played by Chromium from a file, runs through the live analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clips import pictures
from in_browser import CHROMIUM, needs_browser, opened, serving, until

pytestmark = needs_browser


def camera(path: Path, clip: Path) -> Path:
    """The film of the astronaut as the fake camera takes it: YUV4MPEG2, 640 x 480, 30 frames/s."""
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420jpeg\n")
        for picture in pictures(clip):
            room = np.full((480, 640, 3), 90, np.uint8)
            room[60:420, 140:500] = cv2.resize(picture, (360, 360), interpolation=cv2.INTER_CUBIC)
            file.write(b"FRAME\n" + cv2.cvtColor(room, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def test_a_camera_shows_curves_and_is_kept_if_wanted(clip: Path, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    films = tmp_path / "films"
    films.mkdir()
    source = camera(tmp_path / "camera.y4m", clip)
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with serving(films, sockets=True) as bench, sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=[*flags, f"--use-file-for-fake-video-capture={source}"]
        )
        page: Any = opened(started, bench)
        page.evaluate("location.hash = '#/live'")
        page.get_by_label("Keep the film in the folder").check()
        page.get_by_role("button", name="Start the camera").click()
        until(page, "/1 face/.test(document.querySelector('.live [role=status]').textContent)")
        until(
            page,
            "(() => { const c = document.querySelector('.live-view canvas');"
            " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); })()",
        )
        page.wait_for_selector(".live ol .dot", timeout=60_000)  # the smile, again and again
        page.get_by_role("button", name="Stop").click()
        page.wait_for_selector("text=The film is kept as live-")
        (film,) = films.glob("live-*.mkv")
        page.evaluate("location.hash = '#/'")
        page.wait_for_selector(f".film:has-text('{film.name}')")
        assert page.said == []
        started.close()


def test_a_refused_camera_is_told(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as bench:
        page = opened(browser, bench)
        page.evaluate("location.hash = '#/live'")
        page.get_by_role("button", name="Start the camera").click()
        page.wait_for_selector(".toast")
        assert "The camera cannot be used" in page.inner_text("#toasts")
        assert page.get_by_role("button", name="Start the camera").is_enabled()
        page.context.close()
