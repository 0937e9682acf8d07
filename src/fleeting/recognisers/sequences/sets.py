"""Sequences to learn from where no video data set is at hand: real motion on portraits, and action units on portraits.

- *transferred*: every flow image of the composite set, animated on portraits (`synthesis.face.motion_transfer`).
Label and
  subject are those of the flow image. Each subject has portraits of its own (`deal`), so a split by subject is a split
  by portrait too, and neither the motion nor the face of a test clip was seen in training.
- *micro* and *macro*: action units (`synthesis.face.emotions`) on portraits of people who are nobody's in the
transferred
  set.

People of the test part (`training.people`) appear in none of them. A set is drawn once and kept as a file of
``fleeting prepare``, so that ``fleeting benchmark --data prepared=FILE`` and the trainings read it like a real one.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.datasets import composite
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.manifest import ManifestRow
from fleeting.datasets.prepare import Prepared
from fleeting.datasets.readers import prepared
from fleeting.datasets.registry import TRANSFERRED
from fleeting.errors import DataError, SettingsError
from fleeting.faces.align import crop_size
from fleeting.files import make_folder, write_text
from fleeting.labels import THREE_CLASSES
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.motion.interpolation import interpolate
from fleeting.recognisers.sequences.portraits import Portrait, deal, read_portraits
from fleeting.synthesis import plan
from fleeting.synthesis.crop_film import CropFilmSettings, Plate, film_crop
from fleeting.synthesis.face import emotions, profile
from fleeting.synthesis.face.action_units import displacement_field
from fleeting.synthesis.face.motion_transfer import motion_field
from fleeting.training.recipe import Count, Range, check

log = logging.getLogger(__name__)

SetName = Literal["transferred", "micro", "macro"]
Made = tuple[ManifestRow, dict[str, npt.NDArray[np.uint8]]]
Maker = Callable[[], Made]
VERSION = 1  # of the drawing: raise it where the same seed gives other sequences

FPS: dict[str, float] = {"casme2": 200.0, "smic": 100.0}
"""Frames per second of the cameras of the data sets whose motion is transferred."""
MICRO_FPS, MACRO_FPS = 200.0, 30.0


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """How sequences are drawn.

    Attributes
    ----------
    length
        Frames of each sequence, by temporal interpolation from onset to offset.
    width
        Of the stored crops in pixels, at most that of the film.
    copies
        Sequences of each flow image, on different portraits where the subject has several.
    portraits
        Portraits of each subject.
    peak_px
        Smallest and largest peak displacement of a transferred movement, in pixels of a crop of 112; drawn evenly on a
        logarithmic scale.
    count
        Sequences of action units.
    seed
        Of all draws.
    film
        How the crop is filmed.
    """

    length: Annotated[int, Range(2)] = 64
    width: int = 112
    copies: Count = 2
    portraits: Count = 4
    peak_px: tuple[float, float] = (1.0, 3.0)
    count: Count = 900
    seed: int = 0
    film: CropFilmSettings = field(default_factory=CropFilmSettings)

    def __post_init__(self) -> None:
        check(self)
        if not 0 < self.peak_px[0] <= self.peak_px[1]:
            raise SettingsError("0 < smallest <= largest peak", f"{self.peak_px} px", "Correct the recipe.")
        if not 28 <= self.width <= self.film.width:
            raise SettingsError(f"a width of 28 to {self.film.width}", f"{self.width}", "Correct the recipe.")


def transferred_set(
    images: FlowImages, dealt: Mapping[str, Sequence[Portrait]], settings: SequenceSettings
) -> Prepared:
    """Animate the portraits of each subject with the subject's flow images."""
    makers: list[Maker] = []
    for row in range(len(images)):
        own = dealt[str(images.subject[row])]
        first = zlib.crc32(str(images.clip[row]).encode())
        for copy in range(settings.copies):
            makers.append(partial(_transfer, images, row, copy, own[(first + copy) % len(own)].plate, settings))
    return _drawn(makers)


def _transfer(images: FlowImages, row: int, copy: int, plate: Plate, settings: SequenceSettings) -> Made:
    dataset, clip = str(images.clip[row]).split("/", 1)
    subject = str(images.subject[row]).split("/", 1)[1]
    seed = zlib.crc32(f"{settings.seed}/{images.clip[row]}/{copy}".encode())
    rng = np.random.default_rng(seed)
    peak = float(np.exp(rng.uniform(*np.log(settings.peak_px)))) * settings.film.width / 112
    movement = motion_field(images.flow[row], peak_px=peak, width=settings.film.width)
    described = ManifestRow(
        dataset=TRANSFERRED + dataset,
        subject=subject,
        clip=f"{clip}-{copy + 1}",
        source_video=f"{subject}/{clip}",
        path="",
        fps=FPS.get(dataset, MICRO_FPS),
        emotion=THREE_CLASSES[int(images.label[row])],
    )
    return _filmed(plate, movement, profile.draw("micro", rng, onset_s=0.1), settings, seed, described)


def action_unit_set(
    portraits: Sequence[Portrait], kind: Literal["micro", "macro"], settings: SequenceSettings
) -> Prepared:
    """Show the action units of emotions on portraits, each of the three classes equally often.

    Parameters
    ----------
    portraits
        Of people who are in no other set.
    kind
        ``micro`` (0.2 to 0.5 s, small) or ``macro`` (0.8 to 3 s, large).
    settings
        How, and how many.

    Raises
    ------
    DataError
        Without portraits.
    """
    if not portraits:
        raise DataError("portraits that are left over", "none", "Lower portraits in the recipe.")
    return _drawn([partial(_action_unit, portraits, kind, index, settings) for index in range(settings.count)])


def _action_unit(
    portraits: Sequence[Portrait], kind: Literal["micro", "macro"], index: int, settings: SequenceSettings
) -> Made:
    seed = zlib.crc32(f"{settings.seed}/{kind}/{index}".encode())
    rng = np.random.default_rng(seed)
    portrait = portraits[index // len(THREE_CLASSES) % len(portraits)]
    wanted = THREE_CLASSES[index % len(THREE_CLASSES)]
    words = [word for word in emotions.EMOTION_ACTION_UNITS if emotions.three_class(word) == wanted]
    activations, _ = emotions.draw(words[int(rng.integers(len(words)))], rng)
    percent = float(np.exp(rng.uniform(*np.log(plan.PERCENT[kind]))))
    movement = displacement_field(
        portrait.plate.points, crop_size(settings.film.width), activations, peak_percent_iod=percent
    )
    described = ManifestRow(
        dataset="action-units",
        subject=portrait.person,
        clip=f"{kind}-{index:05d}",
        source_video=f"{kind}-{index:05d}",
        path="",
        fps=MICRO_FPS if kind == "micro" else MACRO_FPS,
        emotion=wanted,
        type=kind,
    )
    return _filmed(portrait.plate, movement, profile.draw(kind, rng, onset_s=0.1), settings, seed, described)


def _filmed(
    plate: Plate,
    movement: npt.NDArray[np.float32],
    course: profile.Profile,
    settings: SequenceSettings,
    seed: int,
    row: ManifestRow,
) -> Made:
    frames, apex = film_crop(plate, movement, course, fps=row.fps, settings=settings.film, seed=seed)
    flow, _ = expression_flow(frames[0], frames[apex])
    size = crop_size(settings.width)[::-1]
    frames = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
    sequence = np.clip(np.rint(interpolate(frames, settings.length)), 0, 255).astype(np.uint8)
    placed = replace(row, onset=0, apex=apex, offset=len(frames) - 1)
    return placed, {"flow": flow_image(flow), "sequence": sequence}


def _drawn(makers: Sequence[Maker]) -> Prepared:
    """Draw all sequences, several at a time: most of the work is OpenCV's, which lets other threads run."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as pool:
        made = list(pool.map(lambda make: make(), makers))
    return Prepared(tuple(row for row, _ in made), tuple(result for _, result in made))


def make_sets(data: Path, folder: Path, settings: SequenceSettings, *, flow: str) -> dict[SetName, Path]:
    """Draw the three sets, unless the folder holds the same ones already.

    Parameters
    ----------
    data
        Folder of the flow images and the portraits.
    folder
        Of the files: ``transferred.npz``, ``micro.npz``, ``macro.npz`` and ``sequences.json``.
    settings
        How they are drawn.
    flow
        Name of the file of flow images.

    Returns
    -------
    dict
        Path of each set.

    Raises
    ------
    DataError
        Where data is missing.
    OutputError
        Where the disk refuses.
    """
    paths: dict[SetName, Path] = {name: folder / f"{name}.npz" for name in ("transferred", "micro", "macro")}
    stored = folder / "sequences.json"
    asked = json.dumps({"version": VERSION, "flow": flow} | asdict(settings), indent=1) + "\n"
    if stored.exists() and stored.read_text(encoding="utf-8") == asked and all(p.exists() for p in paths.values()):
        return paths
    images = composite.read(data / flow)
    subjects = sorted(set(map(str, images.subject)))
    own = settings.portraits * len(subjects)
    portraits = read_portraits(data, most=own + max(own // 2, 30), width=settings.film.width)
    dealt = deal(portraits, subjects, each=settings.portraits, seed=settings.seed)
    log.info("drawing sequences on %d portraits", len(portraits))
    make_folder(folder)
    stored.unlink(missing_ok=True)
    sets: dict[SetName, Callable[[], Prepared]] = {
        "transferred": lambda: transferred_set(images, dealt, settings),
        "micro": lambda: action_unit_set(dealt[""], "micro", settings),
        "macro": lambda: action_unit_set(dealt[""], "macro", settings),
    }
    for name, make in sets.items():
        prepared.write(make(), paths[name], settings=json.loads(asked) | {"set": name})
        log.info("%s: drawn", name)
    write_text(stored, asked)
    return paths
