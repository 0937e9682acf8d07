"""Folders of numbered images, as high-speed cameras and the data sets of the field store their clips."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Generator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import VideoError
from fleeting.reading import reading
from fleeting.records import VideoInfo
from fleeting.settings import LimitSettings
from fleeting.video import trouble
from fleeting.video.declared import decoded
from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation
from fleeting.video.stream import VideoReader

Image = npt.NDArray[np.uint8]


class StoredPicture:
    """An image file, read when its values are asked for.

    Parameters
    ----------
    path
        The file.
    size
        Width and height that it must have; None before the first is known.
    first
        Name of the file that set the size.
    orientation
        How it is turned after it was read.
    limits
        See `settings.LimitSettings`.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int] | None = None,
        first: str = "",
        orientation: Orientation | None = None,
        *,
        limits: LimitSettings | None = None,
    ) -> None:
        self.path, self._size, self._first, self._limits = path, size, first, limits
        self._orientation = orientation or Orientation()

    def grey(self) -> Image:
        """(h, w) uint8."""
        image = self._orientation.apply(self.read())
        return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)

    def rgb(self) -> Image:
        """(h, w, 3) uint8 RGB."""
        image = self._orientation.apply(self.read())
        turn = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(image, turn), np.uint8)

    def read(self) -> Image:
        """(h, w) grey or (h, w, 3) BGR, uint8; turned as its EXIF entry says, alpha dropped, 16 bits scaled to 8.

        Raises
        ------
        VideoError
            Where it cannot be read, claims more pixels than the limits allow, or has another size than the first.
        """
        try:
            data = np.fromfile(self.path, np.uint8)
        except PermissionError as error:
            raise trouble.unreadable(self.path) from error
        except OSError as error:
            raise VideoError("readable images", f"{self.path.name} ({error.strerror})", "Check the disk.") from error
        with reading(self.path.name, "readable images", "Copy it again.", error=VideoError):
            image = decoded(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR, limits=self._limits)
        if image is None:
            trouble.check_no_photo(self.path)
            raise VideoError("readable images", f"{self.path.name}, which is damaged or no image", "Copy it again.")
        if image.dtype == np.uint16:
            image = np.rint(image / 257.0).astype(np.uint8)
        if image.dtype != np.uint8:
            raise VideoError("images of 8 or 16 bits", f"{self.path.name} of {image.dtype}", "Convert them to .png.")
        size = (image.shape[1], image.shape[0])
        if self._size is not None and size != self._size:
            raise VideoError(
                "images of one size",
                f"{self._first} of {self._size[0]} x {self._size[1]} and {self.path.name} of {size[0]} x {size[1]}",
                "Move images that are not of this clip elsewhere.",
            )
        return np.asarray(image, np.uint8)


class FolderReader(VideoReader):
    """A folder of numbered images at a given rate; see `VideoReader` and `open_video`.

    Raises
    ------
    VideoError
        Where the folder holds no clip: no images or one, no numbers, a hole in the numbering, mixed sizes (the first,
        the middle and the last are compared at once, all others when they are read), or where no rate was given.
    """

    def __init__(self, path: Path, *, fps: float | None = None, limits: LimitSettings | None = None) -> None:
        super().__init__(path)
        self._limits = limits
        self._files = numbered_images(path)
        if fps is None:
            raise VideoError(
                f"a frame rate for the image folder {path.name}",
                "none",
                "Give the camera's rate: --fps 200 (in Python: fps=200).",
            )
        self._fps = fps
        image = StoredPicture(self._files[0], limits=limits).read()
        self._size = (image.shape[1], image.shape[0])
        for index in (len(self._files) // 2, -1):
            self._picture(index).read()
        self.info = VideoInfo(
            path=str(path),
            name=path.resolve().name,
            container="images",
            codec=self._files[0].suffix.lower().lstrip("."),
            pixel_format="gray" if image.ndim == 2 else "rgb24",
            width=self._size[0],
            height=self._size[1],
            fps=fps,
            frame_count=len(self._files),
            duration_s=len(self._files) / fps,
        )

    def _picture(self, index: int) -> StoredPicture:
        return StoredPicture(
            self._files[index], self._size, self._files[0].name, self._orientation, limits=self._limits
        )

    def times(self, known: npt.NDArray[np.float64] | None = None) -> npt.NDArray[np.float64]:
        """Return the (n,) seconds of every frame."""
        return np.arange(len(self._files)) / self._fps

    def _stream(self) -> Generator[Frame]:
        yield from self._between(0, len(self._files) - 1)

    def _between(self, first: int, last: int) -> Generator[Frame]:
        if last >= len(self._files):
            raise ValueError(f"Expected frames up to {len(self._files) - 1}; got {last}.")
        for index in range(first, last + 1):
            yield Frame(index, index / self._fps, self._picture(index))


def videos_in(folder: Path, *, without: Path | None = None) -> list[Path]:
    """Return the videos below a folder, by name; hidden files and folders are left out, and so is `without`.

    A folder that holds images is a clip of its own, whatever else lies in it: there are none.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        return []
    if any(p.suffix.lower() in trouble.IMAGE_SUFFIXES and not p.name.startswith(".") for p in folder.iterdir()):
        return []
    return files_below(folder, trouble.VIDEO_SUFFIXES, without=without)


def files_below(folder: Path, suffixes: Collection[str], *, without: Path | None = None) -> list[Path]:
    """Return the files below a folder that have one of the suffixes, by name; as `videos_in` leaves them out."""
    left_out = None if without is None else Path(os.path.realpath(without))

    def wanted(file: Path) -> bool:
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        ours = left_out is not None and Path(os.path.realpath(file)).is_relative_to(left_out)
        return file.suffix.lower() in suffixes and file.is_file() and not hidden and not ours

    return sorted(file for file in folder.rglob("*") if wanted(file))


def numbered_images(folder: Path) -> list[Path]:
    """Return the images of a folder in the order of their numbers (the last number in each name).

    A constant step between numbers is allowed: a clip may keep every second image of a recording.

    Raises
    ------
    VideoError
        Where there are fewer than two images, names without a number, a number twice, or a hole.
    """
    names = [p for p in folder.iterdir() if not p.name.startswith(".")]
    images = [p for p in names if p.suffix.lower() in trouble.IMAGE_SUFFIXES and p.is_file()]
    if not images:
        videos = [p.name for p in names if p.suffix.lower() in trouble.VIDEO_SUFFIXES]
        hint = f"It holds videos: fleeting analyse {folder} analyses them one by one." if videos else "Check the path."
        raise VideoError("a folder of numbered images", f"{folder}, which holds none", hint)
    if len(images) == 1:
        raise trouble.still_picture(images[0], "the only image of its folder")
    numbers: dict[int, Path] = {}
    for path in sorted(images):
        found = re.findall(r"\d+", path.stem)
        if not found:
            raise VideoError("numbered images", f"{path.name}, which has no number", "Move it elsewhere or number it.")
        number = int(found[-1])
        if number in numbers:
            raise VideoError(
                "each number once",
                f"{numbers[number].name} and {path.name}",
                "Keep one clip to a folder, in one image format.",
            )
        numbers[number] = path
    _check_holes(numbers)
    return [numbers[n] for n in sorted(numbers)]


def _check_holes(numbers: dict[int, Path]) -> None:
    ordered = sorted(numbers)
    steps = [b - a for a, b in zip(ordered, ordered[1:], strict=False)]
    step = Counter(steps).most_common(1)[0][0]
    for number, gap in zip(ordered, steps, strict=False):
        if gap != step:
            after = numbers[number + gap].name
            raise VideoError(
                "images numbered without a hole",
                f"{numbers[number].name} followed by {after}",
                "Add the missing images, or split the folder there: the time between them is unknown.",
            )
