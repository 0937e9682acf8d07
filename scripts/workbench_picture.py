"""The review of the demonstration's film as a picture: python scripts/workbench_picture.py FOLDER PICTURE.

FOLDER is that of ``fleeting serve --demo`` or ``fleeting demo``, with the film and its results. It is copied, so
nothing in it changes. Needs Chromium and the extras web and dev. In the picture, anna has decided on some proposals.
A picture that ends in ``.webp`` is a short animation: an event is stepped through, and its borders are set.
"""

from __future__ import annotations

import io
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from fleeting.web.app import create_app

SIZE = {"width": 1280, "height": 860}


def main() -> None:
    """Serve a copy of the folder, decide on some proposals as a person would, and keep what is seen."""
    folder, picture = Path(sys.argv[1]), Path(sys.argv[2])
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as place:
        copy = Path(shutil.copytree(folder, Path(place) / folder.resolve().name))
        for log in copy.rglob("coding/*.jsonl"):
            log.unlink()
        app = create_app(copy)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                page = browser.new_page(viewport=SIZE, color_scheme="light")
                page.add_init_script("localStorage.setItem('fleeting:coder', 'anna')")
                page.goto(f"http://127.0.0.1:{listener.getsockname()[1]}/?token={app.token}")
                code(page)
                if picture.suffix == ".webp":
                    animate(page, picture)
                else:
                    page.screenshot(path=picture)
                    shrink(picture)
                browser.close()
        finally:
            app.app.state.queue.close()
            server.should_exit = True
            thread.join(5)


def code(page: Any) -> None:
    """Accept, refuse and correct some of the demonstration's proposals."""
    page.click(".film.done .main")
    page.wait_for_selector(".picture[data-frame]")
    for key in ("n", "Enter", "Enter", "x", "Enter", "ArrowUp", "ArrowUp", "ArrowUp", "2"):
        page.keyboard.press(key)
        page.wait_for_timeout(700)
    page.locator(".events button", has_text="micro").first.click()
    page.keyboard.press("v")
    page.keyboard.press("z")
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.wait_for_timeout(3000)
    page.evaluate("document.activeElement.blur()")


def animate(page: Any, picture: Path) -> None:
    """Go through the chosen event, set its onset and its offset by keys, and name it."""
    page.keyboard.press("z")
    keys = [*["Shift+ArrowLeft"] * 4, "ArrowRight", "ArrowRight", "i", *["Shift+ArrowRight"] * 8, "o", "3"]
    images = []
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(700)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        images.append(shot.resize((960, 645), Image.Resampling.LANCZOS))
    waits = [350 if "Arrow" in key else 900 for key in keys]
    images[0].save(picture, save_all=True, append_images=images[1:], duration=waits, loop=0, quality=72, method=6)


def shrink(picture: Path) -> None:
    """Keep 256 colours: a third of the size. Pillow dithers only with a palette that is given, and skin needs it."""
    image = Image.open(picture).convert("RGB")
    palette = image.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2)
    image.quantize(256, palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(picture, optimize=True)


if __name__ == "__main__":
    main()
