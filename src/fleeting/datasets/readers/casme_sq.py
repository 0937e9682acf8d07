"""CAS(ME)^2: 57 micro- and 300 macro-expressions of 22 people in long videos, at 30 frames/s.

Qu et al., "CAS(ME)^2: a database for spontaneous macro-expression and micro-expression spotting and recognition", IEEE
Trans. Affective Computing 9(4), 2018. Workbook ``code_final.xlsx`` of three sheets without headers: ``CASFEcode_final``
(subject 1 to 22, video "anger1_1", onset, apex, offset, action units, emotion, type, self-report), ``naming rule1``
(subject 1 to 22 is s15 to s40, a number in the last column), ``naming rule2`` ("0101" is "disgust1"). Frames
``rawpic/s15/15_0101disgustingteeth/img001.jpg``, numbered from 1.

Traps: 44 offsets are 0, which means unknown (MEGC 2020 takes the apex); one apex is 0; subjects and videos have two
names each; "0101" becomes 101 where a cell is a number.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from fleeting.datasets.folders import FrameFolders, find_table, root_of
from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import Rows
from fleeting.datasets.tables import plain, sheets_of

LAYOUT = Layout(
    dataset="casme-sq",
    tables=("*code_final*.xlsx", "*cas*.xlsx", "*.xlsx"),
    sheets=("CASFEcode_final",),
    header=False,
    columns={name: (name,) for name in ("subject", "clip", "onset", "apex", "offset", "units", "emotion", "type")},
    fps=30.0,
    first_number=1,
    source_video="{subject}/{code}",
    several_per_video=True,
    is_clip=lambda cells: plain(cells["subject"]) != "subject",  # some copies were given a header
)


def read(path: Path) -> Manifest:
    """Read the workbook, or the folder that holds it and the frames.

    Raises
    ------
    DataError
        As `Layout.read`.
    """
    book, root = find_table(path, LAYOUT.tables), root_of(path)
    names, find = _subjects(book), VideoFinder(root, _videos(book))

    def mend(rows: Rows, cells: Cells) -> None:
        given, clip = cells["subject"], cells["clip"]
        subject = names.get(given, "")
        if not subject:
            subject = f"subject{given.zfill(2)}"
            why = "The sheet 'naming rule1' does not say which of s15 to s40 this is."
            rows.correct(f"{subject}/{clip}", "subject", given, subject, why)
        cells |= {"subject": subject, "code": find.code(clip), "path": find(subject, clip)}

    return replace(LAYOUT, mend=mend).manifest(LAYOUT.table(book), root)


def video_of(clip: str) -> str:
    """``anger1`` of ``anger1_1``: the long video that an expression is in."""
    return re.sub(r"_\d+$", "", clip)


class VideoFinder:
    """Finds the folder of a long video, whose name begins with subject and code of the video: ``15_0101...``.

    Parameters
    ----------
    root
        Where to look.
    codes
        "0101" by "disgust1".
    """

    def __init__(self, root: Path, codes: dict[str, str]) -> None:
        self._folders, self._codes = FrameFolders(root), codes

    def code(self, clip: str) -> str:
        """``0101`` of a clip of "disgust1"; the name where the code is not known."""
        video = video_of(clip).lower()
        return self._codes.get(video, video)

    def __call__(self, subject: str, clip: str) -> str:
        """Path of the folder; where it is not known, the one at which it was expected."""
        code = self.code(clip)
        known = code.isdigit()
        name = f"{subject.removeprefix('s')}_{code}" if known else code
        return str(self._folders.find(subject, name, prefix=known))


def _subjects(book: Path) -> dict[str, str]:
    """``s15`` by "1"."""
    found: dict[str, str] = {}
    for row in _sheet(book, "naming rule1"):
        cells = [c.strip().lower() for c in row]
        name = next((c for c in cells if re.fullmatch(r"s\d+", c)), None)
        numbers = sorted({int(c) for c in cells if re.fullmatch(r"\d+", c)} | ({int(name[1:])} if name else set()))
        # People are counted from 1 to 22 and named from s15 to s40, so the name is always the larger number.
        if len(numbers) == 2:
            found[str(numbers[0])] = name or f"s{numbers[1]}"
    return found


def _videos(book: Path) -> dict[str, str]:
    """``0101`` by "disgust1"."""
    found: dict[str, str] = {}
    for row in _sheet(book, "naming rule2"):
        cells = [c.strip().lower() for c in row]
        code = next((c for c in cells if re.fullmatch(r"\d{3,4}", c)), None)
        video = next((c for c in cells if re.fullmatch(r"[a-z]+\d*(_\d+)?", c)), None)
        if code and video:
            found[video_of(video)] = code.zfill(4)
    return found


def _sheet(book: Path, name: str) -> list[list[str]]:
    """Rows of a sheet; none where there is no such sheet (`sheets_of` would then give all)."""
    sheets = sheets_of(book, (name,))
    return sheets[0] if len(sheets) == 1 else []
