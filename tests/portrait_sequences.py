"""Labelled clips of one portrait under several disguises, on canonical crops: made in a second, the same every time."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets.samples import Samples
from fleeting.faces.align import align, canonical_points, crop_transform
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.synthesis import demo
from fleeting.synthesis.clip import ClipSettings, PortraitClip
from fleeting.synthesis.face.emotions import activations_of
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import Profile

WIDTH, FRAMES, FPS = 70, 11, 50.0
EMOTIONS = (("negative", "disgust", 0), ("positive", "happiness", 1), ("surprise", "surprise", 1))
SUBJECTS = 5


@lru_cache(maxsize=64)
def sequence(emotion: str, variant: int, subject: int, *, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """(11, h, w) grey crops of one movement; a subject is the portrait in another light, another size, another film."""
    light = np.random.default_rng(subject)
    gamma, gain = light.uniform(0.6, 1.6), light.uniform(0.7, 1.0)
    portrait = demo.portrait()
    portrait = np.asarray(255 * gain * (portrait / 255.0) ** gamma, np.uint8)
    points = demo.PORTRAIT_POINTS
    if subject % 2:  # the portrait is not symmetric, so its mirror image is another face
        portrait = np.ascontiguousarray(portrait[:, ::-1])
        points = mirrored_points(points, portrait.shape[1])
    profile = Profile(0.0, 0.1, 0.2)
    movement = Movement("micro", profile, activations_of(emotion, variant=variant), light.uniform(3.0, 5.0), emotion)
    settings = ClipSettings(fps=FPS, seconds=FRAMES / FPS, width=160, height=192, iod_px=70)
    clip = PortraitClip(portrait, points, movements=[movement], settings=settings, seed=subject)
    transform = crop_transform(clip.points, width=width)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clip.frames()]
    return np.stack([align(frame, transform, width=width) for frame in grey])


def mirrored_points(points: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.float64]:
    from fleeting.motion.regions import MIRROR

    flipped = points[MIRROR].copy()
    flipped[:, 0] = width - 1 - flipped[:, 0]
    return flipped


@lru_cache(maxsize=1)
def samples() -> Samples:
    """15 clips: five subjects show disgust, a smile and surprise once each."""
    rows = [(c, e, v, s) for s in range(SUBJECTS) for c, (_, e, v) in enumerate(EMOTIONS)]
    clips = np.stack([sequence(e, v, s) for _, e, v, s in rows])
    apex = FRAMES // 2
    flow = np.stack([flow_image(expression_flow(c[0], c[apex])[0]) for c in clips])
    ids = np.array([f"film/s{s}/{e}" for _, e, _, s in rows])
    return Samples(
        clip=ids,
        subject=np.array([f"film/s{s}" for *_, s in rows]),
        dataset=np.array(["film"] * len(rows)),
        source_video=ids,
        label=np.array([c for c, *_ in rows], np.int64),
        flow=flow,
        sequence=clips,
    )


def corner(side: int) -> tuple[int, int]:
    """x, y of a mouth corner (48 the person's right, 54 the left) on the crop."""
    x, y = np.rint(canonical_points(WIDTH)[side]).astype(int)
    return int(x), int(y)
