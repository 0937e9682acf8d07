"""One short film of a real face for the tests of the whole analysis, and what can be cut from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from video_files import write_video

FPS = 50
FRAMES = 70
ONSET, APEX, OFFSET = 25, 32, 43


def film(path: Path) -> Path:
    """The astronaut of scikit-image (public domain), who smiles once, for 0.36 s; 192 x 192 pixels."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip

    smile = Movement(
        "micro", Profile(ONSET / FPS, APEX / FPS, OFFSET / FPS), activations_of("happiness"), 4.0, "happiness"
    )
    settings = ClipSettings(fps=FPS, seconds=FRAMES / FPS, width=192, height=192, iod_px=60)
    clip = PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=[smile], settings=settings, seed=1)
    render_clip(clip, path)
    return path


def pictures(path: Path, count: int = FRAMES) -> list[np.ndarray]:
    """The first frames of a video as RGB."""
    from fleeting.video.reader import open_video

    with open_video(path) as reader:
        return [f.rgb for f in reader.frames(0, count - 1)]


def still(path: Path, picture: np.ndarray, *, frames: int = 12, rate: int = 30) -> Path:
    return write_video(path, [picture] * frames, rate=rate)


def shrunk(path: Path, images: Sequence[np.ndarray], width: int) -> Path:
    """The same film with the face too small, in the middle of a grey picture of 160 x 120 pixels."""
    small = [cv2.resize(i, (width, width), interpolation=cv2.INTER_AREA) for i in images]
    framed = []
    for image in small:
        room = np.full((120, 160, 3), 90, np.uint8)
        room[30 : 30 + width, 50 : 50 + width] = image
        framed.append(room)
    return write_video(path, framed)


def write_folder(folder: Path, images: Sequence[np.ndarray], numbers: Sequence[int] | None = None) -> Path:
    folder.mkdir()
    for number, image in zip(numbers or range(len(images)), images, strict=True):
        cv2.imwrite(str(folder / f"image{number:04d}.png"), image[..., ::-1])
    return folder
