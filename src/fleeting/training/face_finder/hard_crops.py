"""Collect what the finder takes for faces in face-free scenes, for the landmark network to learn to refuse.

    python -m fleeting.training.face_finder.hard_crops --data ../shared/data --teacher runs/teacher --out
    runs/hard_crops.npz

Both networks then fail on different places: the finder proposes by its own lights, the landmark network has seen where
those mislead. Scenes are composed from training people only. ``crops`` of the file is (n, 80, 80) uint8.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import box_transform, cut, points_transform
from fleeting.faces.detect import PROPOSE, SMALLEST_PX
from fleeting.faces.finder import COARSE_PIXELS, FINE_PIXELS, FaceFinder
from fleeting.faces.landmarks import LandmarkNet
from fleeting.training.backgrounds import natural_pictures, video_frames
from fleeting.training.face_finder.scenes import SceneMaker, SceneSettings
from fleeting.training.face_pictures import labelled_faces, of_part, portraits

log = logging.getLogger(__name__)

SHAPES = ((180, 320), (240, 240), (360, 640))
SEED = 7


def collect(maker: SceneMaker, *, count: int, scenes: int, seed: int = SEED) -> npt.NDArray[np.uint8]:
    """Run the shipped finder over face-free scenes.

    Parameters
    ----------
    maker
        Composes the scenes; its settings must ask for no faces.
    count, scenes
        Number of crops and of scenes after which to stop.
    seed
        Of the scenes.

    Returns
    -------
    ndarray
        (n, 80, 80) uint8: the crop of each proposed box and the crop of the points that the landmark network placed in
        it, in turns.
    """
    finder, landmarks = FaceFinder(), LandmarkNet()
    crops: list[npt.NDArray[np.uint8]] = []
    for index in range(scenes):
        rng = np.random.default_rng([seed, index])
        grey = maker(rng, SHAPES[index % len(SHAPES)]).grey
        pixels = FINE_PIXELS if grey.size > COARSE_PIXELS and index % 2 else COARSE_PIXELS
        boxes = finder.search(grey, pixels=pixels, threshold=0.6 * PROPOSE)
        boxes = sorted(boxes, key=lambda b: -b.score)[:4]  # no scene may fill the file
        boxes = [box for box in boxes if max(box.width, box.height) >= SMALLEST_PX]
        for box, seen in zip(boxes, landmarks(grey, boxes), strict=True):
            crops.append(cut(grey, box_transform(box)))
            crops.append(cut(grey, points_transform(seen.points)[0]))
        if len(crops) >= count:
            break
    log.info("%d crops from %d scenes", len(crops), index + 1)
    return np.stack(crops)


def main() -> None:
    """Collect crops of a data folder."""
    parser = argparse.ArgumentParser(description="Collect face-free crops that the finder takes for faces.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--scenes", type=int, default=8000)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    faces = of_part(labelled_faces(options.data) + portraits(options.data, options.teacher), "train")
    natural = natural_pictures() + video_frames(options.data / "videos" / "no_face.mp4")
    maker = SceneMaker(faces, natural, settings=SceneSettings(empty_share=1.0), erased=800, seed=SEED)
    crops = collect(maker, count=options.count, scenes=options.scenes)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(options.out, crops=crops)


if __name__ == "__main__":
    main()
