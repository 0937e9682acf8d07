"""What `fleeting emotion` writes: a table, the same as JSON, and pictures or videos with the readings drawn on them."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fleeting.analysis.analyse import package_version
from fleeting.errors import FleetingWarning
from fleeting.expressions.drawing import drawn, enlargement
from fleeting.expressions.emotion import Progress, read_emotions, read_picture, shown_at
from fleeting.expressions.readings import COLUMNS, Emotions, Source, row
from fleeting.files import cell_text, csv_text, make_folder, write_bytes, write_text
from fleeting.labels import SEVEN_CLASSES
from fleeting.video.reader import open_video
from fleeting.video.writer import VideoWriter

SCHEMA = "fleeting-emotion/1"


def emotion(
    path: str | Path,
    *,
    out: str | Path | None = None,
    render: bool = False,
    per_second: float | None = None,
    fps: float | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Emotions:
    """Read the expressions of all faces in a picture, a video, or a folder of both.

    Parameters
    ----------
    path
        The file or folder; with `fps` a folder is one clip of numbered images.
    out
        Folder for ``NAME.emotion.csv`` and ``NAME.emotion.json``; nothing is written if None.
    render
        Whether to write the pictures and videos too, with the expressions drawn on them.
    per_second
        Most readings of each face per second of video; None reads every frame.
    fps
        Frames per second of a clip of numbered images, or at which a slow-motion film was shot.
    name
        Name of the results; that of the input if None.
    progress
        Called with the frames (of a folder: the files) done so far and the number to be done.

    Returns
    -------
    Emotions
        ``sources`` with ``readings``: a face, its box and seven probabilities each; ``to_dataframe()``. In a folder, a
        source that could not be read has an ``error``.

    Raises
    ------
    InputError
        If a single input cannot be read (`NoFaceError`: shows no face), or a folder holds no picture or video.
    OutputError
        If the results cannot be written.
    WeightsError
        If the network is missing.
    """
    folder = None if out is None else make_folder(out)
    found = read_emotions(path, per_second=per_second, fps=fps, without=folder, progress=progress)
    if folder is not None:
        write_emotions(found, folder, name=name or found.name, version=package_version())
        if render:
            render_emotions(found, folder, name=name or found.name, fps=fps)
    return found


def to_json(found: Emotions, *, version: str) -> dict[str, Any]:
    """Return all that was read as plain dictionaries, lists, strings, finite numbers and None."""
    card = {k: found.card[k] for k in ("name", "version", "scores", "limits", "sha256") if k in found.card}
    return {
        "schema": SCHEMA,
        "version": version,
        "input": found.name,
        "classes": list(SEVEN_CLASSES),
        "network": card,
        "sources": [
            {
                "name": source.name,
                "kind": "video" if source.video else "picture",
                "frames": source.frames,
                "fps": source.fps if math.isfinite(source.fps) else None,
                "turn": source.turn,
                "error": source.error,
                "faces": [dict(zip(COLUMNS[1:], row(source, r)[1:], strict=True)) for r in source.readings],
            }
            for source in found.sources
        ],
    }


def write_emotions(found: Emotions, out: Path, *, name: str, version: str) -> list[Path]:
    """Write ``NAME.emotion.csv`` and ``NAME.emotion.json``, each whole or not at all.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    rows = ([cell_text(v) if isinstance(v, str) else v for v in row(s, r)] for s in found.sources for r in s.readings)
    table = csv_text(COLUMNS, rows)
    text = json.dumps(to_json(found, version=version), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return [write_text(out / f"{name}.emotion.csv", table), write_text(out / f"{name}.emotion.json", text)]


def render_emotions(found: Emotions, out: Path, *, name: str, fps: float | None = None) -> list[Path]:
    """Write every source that was read with its readings drawn on it.

    A single picture becomes ``NAME.emotion.jpg``, a single video ``NAME.emotion.mp4``; the sources of a folder keep
    their names within ``NAME.emotion/``.

    Parameters
    ----------
    found
        Of `read_emotions`.
    out
        Folder of the results.
    name
        Of the results.
    fps
        As for `read_emotions`.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    written = []
    for source in (s for s in found.sources if s.error is None):
        suffix = ".mp4" if source.video else ".jpg"
        path = out / f"{name}.emotion{suffix}"
        if found.folder:
            inside = Path(source.name)
            path = out / f"{name}.emotion" / (inside if inside.suffix == suffix else Path(f"{source.name}{suffix}"))
        if source.video:
            _render_video(source, path, fps)
        else:
            _render_picture(source, path)
        written.append(path)
    return written


def _render_picture(source: Source, path: Path) -> None:
    picture = read_picture(source.path, turn=source.turn)
    canvas = drawn(picture, source.readings, factor=enlargement(*picture.shape[:2]))
    done, data = cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    if not done:
        raise ValueError(f"Expected a picture that JPEG can hold; got shape {canvas.shape}.")
    write_bytes(path, data.tobytes())


def _render_video(source: Source, path: Path, fps: float | None) -> None:
    times = np.unique([r.time_s for r in source.readings])
    held_s = 1.5 * float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    shown = shown_at(source.readings, held_s=held_s)
    # What there is to be told of the file was told when it was read.
    with warnings.catch_warnings(action="ignore", category=FleetingWarning), open_video(source.path, fps=fps) as video:
        video.turn(source.turn)
        info = video.info
        factor = enlargement(info.height, info.width)
        size = (factor * info.width // 2 * 2, factor * info.height // 2 * 2)
        with VideoWriter(path, fps=info.fps, size=size) as writer:
            for frame in video:
                canvas = drawn(frame.rgb, shown(frame.time_s), factor=factor)
                # H.264 with halved colour takes even sizes alone.
                writer.write(np.ascontiguousarray(canvas[: size[1], : size[0]]), time_s=frame.time_s)
