"""Neutral portraits to animate, and dealing them so that no two subjects share one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.errors import DataError, NoFaceError
from fleeting.synthesis.crop_film import Plate, make_plate
from fleeting.synthesis.synthesise import find_points
from fleeting.training.face_data import Picture, grey_of, person_of, read_pictures
from fleeting.training.people import Part, part_of

MOST_TURNED = 0.12
"""Of the nose from the middle between the eyes, in eye distances: motion is transferred between frontal faces."""
MOST_OPEN = 0.08
"""Of the inner lips, in mouth widths: an open mouth is no neutral one."""
LEAST_IOD_PX = 30.0


@dataclass(frozen=True, slots=True)
class Portrait:
    """A neutral frontal face.

    Attributes
    ----------
    person
        Id, as `people.part_of` takes it.
    plate
        Its canonical crop.
    """

    person: str
    plate: Plate


def found_faces(
    source: str, data: Path, parts: Sequence[Part], *, most: int | None = None
) -> Iterator[tuple[str, Picture, npt.NDArray[np.floating]]]:
    """Yield person, grey picture (h, w) and 68 points of portraits in which the shipped networks find a face.

    Parameters
    ----------
    source
        ``congress`` or ``interfaces``.
    data
        Folder of the archives.
    parts
        Whose portraits.
    most
        Portraits to look at; None for all. Their order depends on the names alone.

    Raises
    ------
    DataError
        Where the archive is missing.
    """
    named = [(person_of(source, name), picture) for name, picture in read_pictures(source, data)]
    named = sorted((n for n in named if part_of(n[0]) in parts), key=lambda n: zlib.crc32(n[0].encode()))
    for person, picture in named[:most]:
        try:
            points = find_points(picture, name=person)
        except NoFaceError:
            continue
        yield person, grey_of(picture), points


def read_portraits(data: Path, *, most: int, width: int) -> list[Portrait]:
    """Read neutral frontal portraits, one per person, of people who are trained or validated on.

    The portraits without an owner (``interfaces``) come first, then those of the US congress; both in an order that
    depends on their names alone. Several of the latter may show one person under different names.

    Parameters
    ----------
    data
        Folder of the archives.
    most
        Portraits to read.
    width
        Of the crops in pixels.

    Raises
    ------
    DataError
        Where an archive is missing, or there are fewer.
    """
    found: list[Portrait] = []
    for source in ("interfaces", "congress"):
        for person, grey, marks in found_faces(source, data, ("train", "validation")):
            points = np.asarray(marks, np.float64)
            if is_neutral(points):
                found.append(Portrait(person, make_plate(grey, points, width=width)))
            if len(found) == most:
                return found
    raise DataError(f"{most} neutral portraits", f"{len(found)}", "Lower portraits in the recipe.")


def is_neutral(points: npt.NDArray[np.floating]) -> bool:
    """Whether 68 landmarks are those of a frontal face, large enough, with its mouth closed."""
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    across = left - right
    turned = abs((points[30] - right) @ across / (across @ across) - 0.5)
    mouth = np.linalg.norm(points[62] - points[66]) / max(float(np.linalg.norm(points[54] - points[48])), 1e-6)
    iod = np.linalg.norm(points[45] - points[36])
    return bool(turned < MOST_TURNED and mouth < MOST_OPEN and iod >= LEAST_IOD_PX)


def deal(portraits: Sequence[Portrait], subjects: Iterable[str], *, each: int, seed: int) -> dict[str, list[Portrait]]:
    """Give every subject `each` portraits that no other subject has.

    Returns
    -------
    dict
        By subject; the portraits that are left over under the empty name.

    Raises
    ------
    DataError
        Where there are too few portraits, or one person twice.
    """
    names = sorted(set(subjects))
    people = [p.person for p in portraits]
    if len(set(people)) != len(people):
        raise DataError("one portrait per person", "a person twice", "Leave one out.")
    if len(portraits) < each * len(names):
        raise DataError(f"{each * len(names)} portraits", f"{len(portraits)}", "Lower portraits in the recipe.")
    order = np.random.default_rng([seed, 5]).permutation(len(portraits))
    dealt = {name: [portraits[i] for i in order[k * each : (k + 1) * each]] for k, name in enumerate(names)}
    return dealt | {"": [portraits[i] for i in order[each * len(names) :]]}
