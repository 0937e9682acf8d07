"""From the manifest's frames to the pictures on disk.

Unlike `video.folder`, which refuses a folder with a hole in its numbering, since the time between its images is
unknown, folders of data sets may lack some images: published sets do, and their tables say when the others were taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleeting.datasets.manifest import ManifestRow
from fleeting.errors import DataError, VideoError
from fleeting.video.trouble import IMAGE_SUFFIXES

MOST_MISSING = 0.2
"""Share of a clip's images that may be missing; neither the onset nor a known apex."""


def images_of(folder: Path) -> dict[int, Path]:
    """Return a folder's images by the last number in their names (5562 of ``006_05562.jpg``), in order.

    Raises
    ------
    VideoError
        Where there are no images, an image has no number, or two have the same.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            raise VideoError("numbered images", f"{path}, which has no number", "Move it elsewhere.")
        other = found.setdefault(int(numbers[-1]), path)
        if other is not path:
            raise VideoError("each number once", f"{other.name} and {path.name} in {folder}", "Keep one of them.")
    if not found:
        raise VideoError("numbered images", f"none in {folder}", "Check the path.")
    return dict(sorted(found.items()))


def image_numbers(folder: Path) -> list[int]:
    """Return the numbers of a folder's images, in order.

    Raises
    ------
    VideoError
        As `images_of`.
    """
    return list(images_of(folder))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip lies within its pictures.

    Attributes
    ----------
    onset, offset
        Places of the first and the last picture, both included.
    apex
        None where it is unknown.
    note
        What is not as the table says, in a sentence; empty where all is.
    """

    onset: int
    apex: int | None
    offset: int
    note: str = ""


def place_in(row: ManifestRow, numbers: Sequence[int] | None) -> Place:
    """Find a clip within its pictures.

    Parameters
    ----------
    row
        With onset and offset.
    numbers
        Numbers of the folder's images in order; None for a video file, whose frames are those of the source video.

    Raises
    ------
    DataError
        Where the images are not those of the clip, or too many are missing (`MOST_MISSING`).
    """
    assert row.onset is not None
    assert row.offset is not None
    if numbers is None:
        return Place(row.onset, row.apex, row.offset)
    first, last = row.onset + row.first_number, row.offset + row.first_number
    apex = None if row.apex is None else row.apex + row.first_number
    at = {number: index for index, number in enumerate(numbers)}
    here = [number for number in numbers if first <= number <= last]
    length = last - first + 1
    if first in at and (apex is None or apex in at) and len(here) >= (1 - MOST_MISSING) * length:
        note = f"{length - len(here)} images are missing." if len(here) < length else ""
        return Place(at[first], None if apex is None else at[apex], at[here[-1]], note)
    if len(numbers) == length:
        # Copies of a set that are cut to onset..offset are often numbered anew from 0 or 1.
        place = None if apex is None else apex - first
        return Place(0, place, length - 1, "The images are numbered anew; they were taken in order.")
    raise DataError(
        f"images {first} to {last} of {row.id}",
        f"{len(numbers)} images {numbers[0]} to {numbers[-1]} in {row.path}, {len(here)} of them between",
        "Unpack the frames anew, or correct the table.",
    )
