"""From the manifest's frames to the pictures on disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleeting.datasets.manifest import ManifestRow
from fleeting.errors import DataError
from fleeting.video.folder import numbered_images


def image_number(path: Path) -> int:
    """Return the last number in an image's name: 5562 of ``006_05562.jpg``."""
    return int(re.findall(r"\d+", path.stem)[-1])


def image_numbers(folder: Path) -> list[int]:
    """Return the numbers of a folder's images, in order.

    Raises
    ------
    VideoError
        As `video.folder.numbered_images`.
    """
    return [image_number(p) for p in numbered_images(folder)]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip lies within its folder or video, as frames of `video.reader.open_video`.

    Attributes
    ----------
    onset, offset
        Both included.
    apex
        None where it is unknown.
    renumbered
        Whether the images have other numbers than the data set's table says.
    """

    onset: int
    apex: int | None
    offset: int
    renumbered: bool = False


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
        Where the images are not those of the clip.
    """
    assert row.onset is not None
    assert row.offset is not None
    if numbers is None:
        return Place(row.onset, row.apex, row.offset)
    at = {number: index for index, number in enumerate(numbers)}
    wanted = [None if f is None else f + row.first_number for f in (row.onset, row.apex, row.offset)]
    found = [None if n is None else at.get(n) for n in wanted]
    if found[0] is not None and found[2] is not None and (wanted[1] is None) == (found[1] is None):
        return Place(found[0], found[1], found[2])
    if len(numbers) == row.offset - row.onset + 1:
        # Copies of a set cut to onset..offset are often numbered anew from 0 or 1.
        return Place(0, None if row.apex is None else row.apex - row.onset, len(numbers) - 1, renumbered=True)
    raise DataError(
        f"images {wanted[0]} to {wanted[2]} of {row.id}",
        f"{len(numbers)} images {numbers[0]} to {numbers[-1]} in {row.path}",
        "Unpack the frames anew, or correct the table.",
    )
