"""What to say about paths and files that are no usable video."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleeting.errors import VideoError
from fleeting.files import printable

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm"})

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".3gp", ".flv"}
    | {".ogv", ".mxf", ".gif"}
)

PHOTO_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}
"""Major brands of the files in which phones store photos."""

TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
"""FFmpeg's formats that paint text files as pictures."""


def check_rate(fps: float | None) -> None:
    """Raise `VideoError` for a frame rate that is given and impossible."""
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise VideoError("a positive number of frames per second", f"{fps:g}", "Give the camera's rate: --fps 200.")


def check_path(path: Path) -> None:
    """Raise `VideoError` for a path that is missing, unreadable or empty."""
    if not _encodes(str(path)):
        raise VideoError("a path in UTF-8", printable(str(path)), "Rename it.")
    try:
        exists = path.exists()
    except OSError as error:
        raise VideoError("a path that the disk knows", f"{path} ({error.strerror})", "Check the path.") from error
    if not exists and path.is_symlink():
        raise VideoError("a file or a folder", f"{path}, a link that leads nowhere", "Give the file.")
    if not exists:
        raise VideoError("a file or a folder", f"{path}, which does not exist", _similar(path))
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise unreadable(path)
    if path.is_dir():
        return
    if not path.is_file():
        raise VideoError("a file or a folder", f"{path}, which is neither", "Record it to a file first.")
    if path.stat().st_size == 0:
        raise VideoError("a video", f"{path.name}, a file of 0 bytes", "Copy or record it again.")


def _encodes(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Make sure that a video stays the same while the block lasts; what goes wrong in it may come from that.

    Raises
    ------
    VideoError
        Where it was removed, replaced or written to meanwhile.
    """
    before = _state(path)
    try:
        yield
    except Exception as error:
        if before and _state(path) != before:
            raise _changed(path) from error
        raise
    if before and _state(path) != before:
        raise _changed(path)


def _state(path: Path) -> list[tuple[str, int, int, int]]:
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        return [(f.name, s.st_ino, s.st_size, s.st_mtime_ns) for f in files for s in (f.stat(),)]
    except OSError:
        return []


def _changed(path: Path) -> VideoError:
    return VideoError(
        "a video that stays as it is while it is read",
        f"{path}, which was removed, replaced or written to meanwhile",
        "Analyse it again when it is whole.",
    )


def _similar(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.iterdir()]
    except OSError:
        return f"Check the path: there is no folder {path.parent}."
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"Did you mean '{path.with_name(near[0])}'?" if near else "Check the path."


def unreadable(path: Path) -> VideoError:
    """Error for a file that may not be read."""
    return VideoError("a readable file", f"{path}, without permission to read it", "Change its permissions.")


def not_a_video(path: Path, reason: str) -> VideoError:
    """Error for a file that FFmpeg cannot open; `reason` is FFmpeg's own."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        head = b""
    if b"ftyp" in head[:16]:
        return VideoError(
            "a finished video",
            f"{path.name}, whose index is missing or cut off",
            "The recording or the copy was stopped early: copy it again, or repair it with a tool such as untrunc.",
        )
    return VideoError(
        "a video",
        f"{path.name}, which FFmpeg cannot read ({reason})",
        "Check that it plays in a video player; convert it to .mp4 if it does.",
    )


def check_no_photo(path: Path) -> None:
    """Raise `VideoError` for a photo of the HEIF family, whatever its name says.

    ISO/IEC 23008-12: the major brand of the file's first box tells. Sequences of pictures have other brands.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return
    kind = PHOTO_BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
    if kind is not None:
        raise VideoError(
            "a picture or a video that can be read",
            f"{path.name}, which is a {kind} photo, whatever its name says",
            f"Convert it: heif-convert {path.name} {path.stem}.png, or save it as JPEG with the program that shows it.",
        )


def still_picture(path: Path, kind: str) -> VideoError:
    """Error for a file with a single picture."""
    return VideoError(
        "a video with at least 2 frames",
        f"{path.name}, a still picture ({kind})",
        "A micro-expression is a movement: give a video, or a folder of numbered images with --fps.",
    )


def no_picture_stream(path: Path, *, has_audio: bool) -> VideoError:
    """Error for a file without pictures that move."""
    if has_audio:
        return VideoError("a file with a video stream", f"{path.name}, which holds sound only", "Give the video.")
    return not_a_video(path, "it holds no video stream")


def no_decoder(path: Path, tag: str) -> VideoError:
    """Error for pictures that are stored in a way that FFmpeg does not know."""
    return VideoError(
        "a codec that FFmpeg knows",
        f"{path.name}, stored as '{tag}'",
        "Convert it with the camera's own software, to .mp4 or .mkv.",
    )


def cut_off(path: Path) -> VideoError:
    """Error for a file of which hardly the header is left."""
    return VideoError(
        "a whole video",
        f"{path.name}, which is cut off after its first frame",
        "The recording or the copy was stopped early: copy it again.",
    )


def nothing_decoded(path: Path, codec: str) -> VideoError:
    """Error for a stream of which no picture can be decoded."""
    return VideoError(
        "at least one picture that can be decoded",
        f"{path.name} ({codec}), of which none can",
        "The file is damaged or was cut off near its beginning: copy it again.",
    )
