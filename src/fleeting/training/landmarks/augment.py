"""Crops of faces as the landmark network will meet them: boxes that are off, turned heads, bad light, bad cameras.

All functions take a ``numpy.random.Generator`` and are deterministic in it. Crops are (80, 80) uint8.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.crop import MARGIN, SIZE, Transform, apply, cut, points_transform, square_transform
from fleeting.faces.ibug import LEFT_OUTER_CORNER, MIRROR, RIGHT_OUTER_CORNER, eye_line_angle
from fleeting.training.landmarks.labels import LABEL_SHIFT, FaceSample

Grey = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
States = npt.NDArray[np.float32]

MAX_ROLL = 40.0
"""Degrees of rotation that boxes of the finder may show."""

_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT_101)
_STATE_MIRROR = [0, 1, 2, 4, 3, 5]
_LIDS = ((36, (37, 38), (41, 40)), (42, (43, 44), (47, 46)))


def mirror(sample: FaceSample, *, shift: float = LABEL_SHIFT) -> FaceSample:
    """Mirror a picture and all its labels; the points keep their `shift` (`LABEL_SHIFT`) to the picture's right."""
    points = sample.points[MIRROR].copy()
    points[:, 0] = sample.grey.shape[1] - 1 - points[:, 0]
    points += 2 * shift * (points[LEFT_OUTER_CORNER] - points[RIGHT_OUTER_CORNER])
    states = sample.states[_STATE_MIRROR] * np.array([-1, 1, -1, 1, 1, 1], np.float32)
    return FaceSample(np.ascontiguousarray(sample.grey[:, ::-1]), points, states, sample.source, sample.person)


def close_eyes(sample: FaceSample, share: float, *, right: bool = True, left: bool = True) -> FaceSample:
    """Close the eyes to `share` of their opening by stretching the skin above the lids downwards.

    Portraits hardly ever show closed eyes. In columns of an eye, what lies between brow and upper lid is stretched
    down to the new place of the lid and what lies between the lids is squeezed; the movement fades out beside the eye.
    Labels (lid points, eye opening) follow.
    """
    height, width = sample.grey.shape
    points, states = sample.points.copy(), sample.states.copy()
    angle = np.deg2rad(eye_line_angle(points))
    across, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    move = np.zeros((height, width), np.float32)
    for (first, upper, lower), wanted, state, brow in zip(
        _LIDS, (right, left), (4, 3), (slice(17, 22), slice(22, 27)), strict=True
    ):
        if not wanted:
            continue
        eye = points[first : first + 6]
        centre, half = eye.mean(0), float(np.linalg.norm(eye[3] - eye[0])) / 2 + 1e-3
        x = (columns - centre[0]) * across[0] + (rows - centre[1]) * across[1]
        y = (columns - centre[0]) * down[0] + (rows - centre[1]) * down[1]
        lid = np.abs(x) / half
        bulge = np.clip(1 - lid**2, 0, 1) * 1.25
        low = float(((points[list(lower)] - centre) @ down).mean())
        high = float(((points[list(upper)] - centre) @ down).mean())
        top = min(float(((points[brow] - centre) @ down).mean()), high - 0.3 * half)
        opening = np.minimum(bulge, 1) * (1 - share) * (low - high)
        new = high + opening
        above = np.where(new > top, (y - top) / np.maximum(new - top, 1e-3) * (high - top) + top, y)
        squeezed = low - (low - y) / np.maximum(low - new, 0.05 * (low - high) + 1e-3) * (low - high)
        source = np.where(y < new, above, squeezed)
        inside = (y > top) & (y < low) & (lid < 1)
        move = np.where(inside, source - y, move)
        for u, v in zip(upper, lower, strict=True):
            points[u] = points[v] + share * (points[u] - points[v])
        states[state] *= share
    warped = cv2.remap(
        sample.grey,
        (columns + move * down[0]).astype(np.float32),
        (rows + move * down[1]).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return FaceSample(warped.astype(np.uint8, copy=False), points, states, sample.source, sample.person)


def detection_transform(points: Points, rng: np.random.Generator) -> tuple[Transform, float]:
    """Crop as from a box of the face finder on a head turned by up to `MAX_ROLL` degrees; also the turn in degrees."""
    wanted = rng.uniform(-MAX_ROLL, MAX_ROLL) if rng.random() < 0.5 else rng.normal(0, 8)
    angle = (
        float(np.clip(wanted, -MAX_ROLL, MAX_ROLL) - eye_line_angle(points)) if rng.random() < 0.5 else float(wanted)
    )
    upright = square_transform((0.0, 0.0), 1.0, angle=-angle, size=1)[:, :2]
    turned = points @ upright.T
    low, high = turned.min(0), turned.max(0)
    side = MARGIN * float((high - low).max())
    centre = (low + high) / 2 + np.clip(rng.normal(0, 0.05, 2), -0.13, 0.13) * side
    side *= float(np.exp(np.clip(rng.normal(0, 0.1), -0.28, 0.28)))
    centre = upright.T @ centre
    return square_transform((float(centre[0]), float(centre[1])), side, angle=-angle), angle


def tracking_transform(points: Points, rng: np.random.Generator) -> tuple[Transform, float]:
    """Crop as from the points of an earlier frame: level eyes, small errors; also the turn in degrees."""
    transform, angle = points_transform(points + rng.normal(0, 0.01, 2) * np.ptp(points, axis=0))
    turn = float(rng.normal(0, 3.0))
    scale = float(np.exp(rng.normal(0, 0.03)))
    about = cv2.getRotationMatrix2D(((SIZE - 1) / 2, (SIZE - 1) / 2), -turn, scale)
    linear = about[:, :2] @ transform[:, :2]
    shift = about[:, :2] @ transform[:, 2] + about[:, 2] + rng.normal(0, 0.015, 2) * SIZE
    return np.column_stack([linear, shift]), turn - angle


def degrade(crop: Grey, rng: np.random.Generator) -> Grey:
    """Light, resolution, blur, noise and compression of a crop."""
    if rng.random() < 0.4:
        crop = _low_resolution(crop, rng)
    image = crop.astype(np.float32)
    if rng.random() < 0.5:
        image = _light(image, rng)
    if rng.random() < 0.2:
        sigma = rng.uniform(0.4, 1.8)
        image = cv2.GaussianBlur(image, (0, 0), sigma).astype(np.float32)
    elif rng.random() < 0.08:
        length = int(rng.integers(2, 6))
        kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        angle = rng.uniform(0, np.pi)
        tip = (length * np.cos(angle), length * np.sin(angle))
        ends = [(round(length - tip[0]), round(length - tip[1])), (round(length + tip[0]), round(length + tip[1]))]
        cv2.line(kernel, ends[0], ends[1], 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum()).astype(np.float32)
    if rng.random() < 0.35:
        image = image + rng.normal(0, rng.uniform(1, 14), image.shape).astype(np.float32)
    crop = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        done, coded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        if done:
            crop = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    return crop


def _low_resolution(crop: Grey, rng: np.random.Generator) -> Grey:
    # The face is SIZE / MARGIN pixels wide: 24-pixel faces are the smallest that are promised.
    face = float(np.exp(rng.uniform(np.log(20.0), np.log(SIZE / MARGIN))))
    side = max(round(face * MARGIN), 8)
    down = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    up = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(3))]
    small = cv2.resize(crop, (side, side), interpolation=down)
    return cv2.resize(small, (SIZE, SIZE), interpolation=up).astype(np.uint8, copy=False)


def _light(image: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    image = (255 * (np.clip(image, 0, 255) / 255) ** np.exp(rng.normal(0, 0.35))).astype(np.float32)
    image = image * np.float32(np.exp(rng.normal(0, 0.25))) + np.float32(rng.normal(0, 18))
    if rng.random() < 0.5:
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.7)
        grid = np.linspace(-1, 1, SIZE, dtype=np.float32)
        ramp = np.cos(angle) * grid[None] + np.sin(angle) * grid[:, None]
        image = image * (1 + depth * ramp).astype(np.float32)
    if rng.random() < 0.1:
        image = 255 - image if rng.random() < 0.1 else np.clip((image - 128) * rng.uniform(0.2, 0.6) + 128, 0, 255)
    return image.astype(np.float32)


def occlude(crop: Grey, rng: np.random.Generator, others: Sequence[Grey] = ()) -> Grey:
    """Hide up to a third of a crop behind an ellipse or a bar, flat, noisy or cut from another picture."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    centre = rng.uniform(0.05, 0.95, 2) * SIZE
    if rng.random() < 0.6:
        axes = rng.uniform(0.08, 0.3, 2) * SIZE
        box = (
            (float(centre[0]), float(centre[1])),
            (2 * float(axes[0]), 2 * float(axes[1])),
            float(rng.uniform(0, 180)),
        )
        cv2.ellipse(mask, box, 255, -1)
    else:
        half = rng.uniform(0.05, 0.28, 2) * SIZE
        low, high = (centre - half).astype(int), (centre + half).astype(int)
        cv2.rectangle(mask, (int(low[0]), int(low[1])), (int(high[0]), int(high[1])), 255, -1)
    if others and rng.random() < 0.5:
        other = others[int(rng.integers(len(others)))]
        y, x = rng.integers(0, max(other.shape[0] - SIZE, 1)), rng.integers(0, max(other.shape[1] - SIZE, 1))
        fill = cv2.resize(other[y : y + SIZE, x : x + SIZE], (SIZE, SIZE)).astype(np.uint8, copy=False)
    else:
        noise = rng.normal(rng.uniform(0, 255), rng.choice([0.0, 5.0, 30.0]), (SIZE, SIZE))
        fill = np.clip(noise, 0, 255).astype(np.uint8)
    return np.where(mask > 0, fill, crop)


def face_crop(
    sample: FaceSample, rng: np.random.Generator, *, others: Sequence[Grey] = ()
) -> tuple[Grey, Points, States]:
    """Make one augmented crop; occlusions are cut from the `others`.

    Returns
    -------
    tuple
        Crop (80, 80) uint8, points (68, 2) float32 in pixels of the crop, states (6,) float32 of the turned face.
    """
    if rng.random() < 0.5:
        sample = mirror(sample)
    if sample.source != "fer2013" and rng.random() < 0.15:
        both = rng.random() < 0.8
        side = rng.random() < 0.5
        sample = close_eyes(sample, float(rng.uniform(0.05, 0.8)), right=both or side, left=both or not side)
    make = tracking_transform if rng.random() < 0.4 else detection_transform
    transform, turn = make(sample.points, rng)
    crop = cut(sample.grey, transform, border=_BORDERS[int(rng.integers(len(_BORDERS)))])
    if rng.random() < 0.25:
        crop = occlude(crop, rng, others)
    states = sample.states.copy()
    states[2] += turn
    return degrade(crop, rng), apply(transform, sample.points).astype(np.float32), states
