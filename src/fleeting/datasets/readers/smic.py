"""SMIC: micro-expressions in three cameras, HS (100 frames/s, 164 clips of 16 people), VIS and NIR (25, 71 of 8).

Li et al., "A spontaneous micro-expression database: inducement, collection and baseline", FG 2013. The clips lie in
``HS/s1/micro/negative/s1_ne_01/image001.bmp``, cut from onset to offset; the extended set SMIC-E has longer clips and a
table (Subject, Filename, FirstF, OnsetF, OffsetF, Emotion, and Onset2F to Offset3F for further expressions of a clip).
There is no apex.

Traps: the table's frame numbers are those of the recording (the clip's first image is FirstF); notes stand below the
table; subjects are written "1", "s1" or "s01"; some images are missing; the three cameras filmed the same people.
"""

from __future__ import annotations

import re
from pathlib import Path

from fleeting.datasets.folders import FrameFolders, existing, find_table, root_of
from fleeting.datasets.frames import image_numbers
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import LEFT_OUT, RawClip, Rows
from fleeting.datasets.tables import EXCEL, Table, read_table
from fleeting.errors import DataError, VideoError

FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
COLUMNS: dict[str, tuple[str, ...]] = {
    "subject": ("Subject",),
    "clip": ("Filename",),
    "first": ("FirstF", "First Frame"),
    "onset": ("OnsetF", "Onset Frame", "Onset"),
    "offset": ("OffsetF", "Offset Frame", "Offset"),
    "emotion": ("Emotion",),
}
EXTRA: dict[str, tuple[str, ...]] = {
    "onset2": ("Onset2F",),
    "offset2": ("Offset2F",),
    "onset3": ("Onset3F",),
    "offset3": ("Offset3F",),
}
EMOTIONS = {"ne": "negative", "po": "positive", "su": "surprise"}
"""Letters in a clip's name."""


def read_hs(path: Path) -> Manifest:
    """Read the clips of the high-speed camera; see `_read`."""
    return _read(path, "HS", "smic")


def read_vis(path: Path) -> Manifest:
    """Read the clips of the normal camera; see `_read`."""
    return _read(path, "VIS", "smic-vis")


def read_nir(path: Path) -> Manifest:
    """Read the clips of the infrared camera; see `_read`."""
    return _read(path, "NIR", "smic-nir")


def _read(path: Path, camera: str, name: str) -> Manifest:
    """Read the table where there is one, else the folders.

    Raises
    ------
    DataError
        Where there is neither, and as `tables.read_table` and `rows.Rows`.
    """
    existing(path)
    try:
        table = find_table(path, (f"*{camera}*.xlsx", f"*{camera}*.csv", "*smic*.xlsx", "*smic*.csv"))
    except DataError:
        return _of_folders(path, camera, name)
    if path.is_file() and table.suffix.lower() not in (*EXCEL, ".csv"):
        raise DataError("a table (.xlsx or .csv) or a folder", f"{path}", "Give the folder of SMIC.")
    return _of_table(
        path, read_table(table, needs=list(COLUMNS.values())).renamed(COLUMNS | EXTRA, optional=EXTRA), camera, name
    )


def subject_name(text: str) -> str:
    """``s01`` of "1", "s1" or "s01"."""
    return f"s{text.strip().lower().removeprefix('s').zfill(2)}"


def _of_table(path: Path, table: Table, camera: str, name: str) -> Manifest:
    folders = FrameFolders(root_of(path), prefer=(camera.lower(),))
    rows = Rows(name, table.path)
    for number, cells in zip(table.numbers, table.records, strict=True):
        if not re.fullmatch(r"\d+(\.0+)?", cells["onset"].strip()):
            text = " ".join(c.strip() for c in cells.values() if c.strip())
            rows.correct(f"row {number}", "(row)", text[:80], LEFT_OUT, "A note below the table, no clip.")
            continue
        subject, clip = subject_name(cells["subject"]), cells["clip"].strip()
        emotion = cells["emotion"].strip() or EMOTIONS.get(_letters(clip), "")
        # The sets of different releases write the subject's folder with and without a zero.
        places = [(s, *between, clip) for s in (subject, f"s{int(subject[1:])}") for between in _between(emotion)]
        for again in ("", "2", "3"):
            if again and not cells[f"onset{again}"].strip():
                continue
            rows.add(
                RawClip(
                    number=number,
                    subject=subject,
                    clip=f"{clip}_{again}" if again else clip,
                    path=str(folders.first(*places)),
                    fps=FPS[camera],
                    onset=cells[f"onset{again}"],
                    apex=None,
                    offset=cells[f"offset{again}"],
                    emotion=emotion,
                    source_video=f"{subject}/{clip}",
                    first_number=int(float(cells["first"])),
                )
            )
    return rows.manifest()


def _between(emotion: str) -> tuple[tuple[str, ...], ...]:
    return (), ("micro", emotion.lower()), ("micro",)


def _letters(clip: str) -> str:
    found = re.search(r"_(ne|po|su)", clip.lower())
    return found[1] if found else ""


def _one_copy(clips: list[Path], root: Path) -> list[Path]:
    """Return one folder of each clip, below raw frames where there are any, in order of subject and clip."""
    raw_first = sorted(clips, key=lambda p: ("raw" not in p.relative_to(root).as_posix().lower(), str(p)))
    found: dict[tuple[str, str], Path] = {}
    for clip in raw_first:
        found.setdefault((subject_name(clip.parents[2].name), clip.name), clip)
    return [found[key] for key in sorted(found)]


def _of_folders(path: Path, camera: str, name: str) -> Manifest:
    """Clips cut from onset to offset, one folder each, below ``micro/EMOTION``."""
    clips = [p for p in sorted(path.rglob("micro/*/*")) if p.is_dir()]
    here = [p for p in clips if camera in {part.upper() for part in p.relative_to(path).parts}]
    others = {c for c in FPS if c != camera}
    if not here:
        here = [p for p in clips if not others & {part.upper() for part in p.relative_to(path).parts}]
    if not here:
        raise DataError(
            f"a table of SMIC, or folders {camera}/s1/micro/negative/s1_ne_01 in {path}", "neither", "Check the path."
        )
    rows = Rows(name, path)
    chosen = _one_copy(here, path)
    if len(chosen) < len(here):
        why = "The set lies here more than once; frames that were not cropped come first."
        rows.correct("(set)", "(folder)", f"{len(here)} folders", f"{len(chosen)} clips", why)
    for number, clip in enumerate(chosen, start=1):
        subject = subject_name(clip.parents[2].name)
        try:
            numbers = image_numbers(clip)
        except VideoError as error:
            rows.correct(f"{subject}/{clip.name}", "(folder)", str(clip), LEFT_OUT, str(error))
            continue
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip.name,
                path=str(clip),
                fps=FPS[camera],
                onset=str(numbers[0]),
                apex=None,
                offset=str(numbers[-1]),
                emotion=clip.parent.name,
                first_number=numbers[0],
            )
        )
    return rows.manifest()
