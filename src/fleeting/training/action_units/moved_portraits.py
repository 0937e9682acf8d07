"""Flow images of portraits that are moved by known action units, measured as a recording's are.

What the analysis shows the network is no exact displacement: it is the flow that this package measures between two
noisy crops, with its smoothing, its errors and what is left of the head. So portraits are moved, filmed (noise, light,
a rest of head motion) and measured by every method that an analysis may use.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError, SettingsError
from fleeting.faces.align import CANONICAL_WIDTH, align, crop_size, crop_transform, to_crop
from fleeting.faces.ibug import MIRROR
from fleeting.files import atomic_path
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.recognisers.sequences.portraits import found_faces
from fleeting.settings import FlowMethod
from fleeting.synthesis.face.action_units import ACTION_UNITS, patch_field
from fleeting.synthesis.face.frame import Grid, Points, face_frame, pixel_grid
from fleeting.synthesis.face.warp import sample_picture, trace_back
from fleeting.training.action_units.movements import NAMES, Movement, MovementSettings, draw
from fleeting.training.landmarks.labels import labelled_faces
from fleeting.training.people import Part, part_of

log = logging.getLogger(__name__)

Grey = npt.NDArray[np.uint8]
MARGIN = 20
"""Pixels by which a field reaches over each side of the crop, so that skin can come in from outside."""

LEAST_IOD_PX = 45.0
"""Portraits with smaller faces say nothing about movements of a percent."""


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """How a moved portrait is filmed and measured.

    Attributes
    ----------
    count
        Number of flow images, each by one of `methods`.
    peak
        Smallest and largest displacement, percent of the inter-ocular distance, drawn evenly on a logarithmic scale.
    noise
        Largest standard deviation of the sensor's noise, grey levels.
    blur
        Largest standard deviation of the camera's blur, pixels of the crop.
    shift
        Standard deviation of what is left of the head's motion, pixels.
    light
        Standard deviation of the logarithm of the change of light.
    methods
        Of flow, in equal parts.
    """

    count: int = 8000
    peak: tuple[float, float] = (0.8, 6.0)
    noise: float = 2.0
    blur: float = 1.0
    shift: float = 0.3
    light: float = 0.01
    methods: tuple[FlowMethod, ...] = ("learned", "dis")
    movement: MovementSettings = field(default_factory=MovementSettings)


@dataclass(frozen=True, slots=True)
class Face:
    """A canonical crop (170, 140) uint8 with its points (68, 2), and whose it is."""

    crop: Grey
    points: Points
    person: str


def read_faces(data: Path, part: Part, *, seed: int = 0, per_person: int = 2) -> list[Face]:
    """Portraits of one part of the people, cut to the canonical crop, in an order that the seed decides.

    Raises
    ------
    DataError
        Where a file is missing, or nobody is left.
    """
    of_person: dict[str, list[Face]] = {}
    for one in labelled_faces(data):
        if part_of(one.person) == part:
            _keep(of_person, one.grey, one.points, one.person)
    for person, grey, points in found_faces("interfaces", data, (part,)):
        _keep(of_person, grey, points, person)
    faces = [f for found in of_person.values() for f in found[:: max(1, len(found) // per_person)][:per_person]]
    if not faces:
        raise DataError(f"portraits of {part} people", "none", "Check the data folder.")
    log.info("%d portraits of %d %s people", len(faces), len(of_person), part)
    return [faces[i] for i in np.random.default_rng(seed).permutation(len(faces))]


def _keep(of_person: dict[str, list[Face]], grey: Grey, points: npt.NDArray[np.floating], person: str) -> None:
    if face_frame(np.asarray(points, np.float64)).iod >= LEAST_IOD_PX:
        transform = crop_transform(points)
        of_person.setdefault(person, []).append(Face(align(grey, transform), to_crop(points, transform), person))


def unit_fields(points: Points) -> npt.NDArray[np.float32]:
    """Displacement of every unit on either side of a face, (units, 2, h, w, 2), left first, `MARGIN` included.

    The largest place of a unit moves by about one percent of the inter-ocular distance. The two sides of a unit of the
    midline are its halves, so that equal weights give the unit.
    """
    height, width = crop_size(CANONICAL_WIDTH)
    shape = height + 2 * MARGIN, width + 2 * MARGIN
    points = np.asarray(points, np.float64) + MARGIN
    turned = points[MIRROR] * (-1, 1) + (shape[1] - 1, 0)
    fields = np.zeros((len(NAMES), 2, *shape, 2), np.float32)
    for k, name in enumerate(NAMES):
        unit = ACTION_UNITS[name]
        for patch in unit.patches:
            fields[k, 0] += patch_field(points, shape, patch)
            fields[k, 1] += patch_field(turned, shape, patch)[:, ::-1] * np.array([-1, 1], np.float32)
        if unit.midline:
            fields[k] /= 2
    return fields


def displacement(fields: npt.NDArray[np.float32], movement: Movement, *, peak_px: float) -> Grid:
    """Return the sum (h, w, 2) of a movement's fields, its largest length `peak_px`."""
    moving = np.argwhere(movement.weights != 0)
    total = sum(fields[k, side] * movement.weights[k, side] for k, side in moving)
    total = np.asarray(total, np.float32)
    return np.asarray(total * np.float32(peak_px / max(float(np.hypot(total[..., 0], total[..., 1]).max()), 1e-6)))


def filmed(crop: Grey, field: Grid, settings: FilmSettings, rng: np.random.Generator) -> tuple[Grey, Grey]:
    """Return the crop at rest and moved, as a camera would see both.

    Raises
    ------
    SettingsError
        Where the field folds.
    """
    grid = pixel_grid((crop.shape[0], crop.shape[1]))
    shift = rng.normal(0, settings.shift, 2).astype(np.float32)
    moved = sample_picture(crop, trace_back(field, grid, left=-MARGIN, top=-MARGIN) - shift)
    noise, blur = rng.uniform(0, settings.noise), rng.uniform(0, settings.blur)
    light = np.exp(rng.normal(0, settings.light))
    seen = []
    for picture, gain in ((crop.astype(np.float32), 1.0), (moved, light)):
        if blur > 0.3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)
        picture = picture * np.float32(gain) + rng.normal(0, 1, picture.shape).astype(np.float32) * np.float32(noise)
        seen.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return seen[0], seen[1]


def measured_images(
    faces: Sequence[Face], settings: FilmSettings, *, seed: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Flow images of moved portraits, by every method in turn.

    Returns
    -------
    images
        (count, 28, 28, 3) uint8.
    truth
        (count, units, 2) int64 as `movements.Movement.truth`.
    """
    images, truth = [], []
    for image, known in _measured(faces, settings, seed=seed):
        images.append(image)
        truth.append(known)
        if len(images) % 1000 == 0:
            log.info("%d of %d portraits moved and measured", len(images), settings.count)
    return np.stack(images), np.stack(truth)


MOVED = "moved_portraits.npz"
"""Kept in the folder of a training, so that it need not be measured again."""


def kept_images(
    data: Path, folder: Path, settings: FilmSettings, *, seed: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return `measured_images` of training people, kept in a folder.

    Raises
    ------
    DataError
        Where the folder has those of other settings, or a portrait is missing.
    """
    kept = folder / MOVED
    if not kept.exists():
        images, truth = measured_images(read_faces(data, "train", seed=seed), settings, seed=seed + 1)
        with atomic_path(kept) as temporary, temporary.open("wb") as file:
            np.savez(file, images=images, truth=truth)
    with np.load(kept) as stored:
        images, truth = stored["images"], stored["truth"]
    if len(images) != settings.count:
        raise DataError(f"{settings.count} moved portraits", f"{len(images)} in {kept}", "Remove it.")
    return images, truth


def _measured(
    faces: Sequence[Face], settings: FilmSettings, *, seed: int
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]]:
    rng = np.random.default_rng(seed)
    low, high = np.log(settings.peak)
    done = 0
    for turn, face in enumerate(faces):
        fields = unit_fields(face.points)
        until = settings.count * (turn + 1) // len(faces)
        while done < until:
            movement = draw(settings.movement, rng)
            peak = float(np.exp(rng.uniform(low, high)))
            image = image_of(
                face, fields, movement, peak, settings.methods[done % len(settings.methods)], settings, rng
            )
            if image is not None:
                yield image, movement.truth
                done += 1


def image_of(
    face: Face,
    fields: npt.NDArray[np.float32],
    movement: Movement,
    peak_percent_iod: float,
    method: FlowMethod,
    settings: FilmSettings,
    rng: np.random.Generator,
) -> Grey | None:
    """Return the measured flow image of one movement; None where its field folds, as on a face that is turned."""
    peak_px = peak_percent_iod / 100 * face_frame(face.points).iod
    try:
        onset, apex = filmed(face.crop, displacement(fields, movement, peak_px=peak_px), settings, rng)
    except SettingsError:
        return None
    return flow_image(expression_flow(onset, apex, method=method)[0])
