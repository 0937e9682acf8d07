"""The ground truth of MEGC 2020: ``CASME_sq_all_Info.txt`` (357 rows) and ``SAMMLV_all_Info.txt`` (502).

Li et al., "MEGC2020 - the third facial micro-expression grand challenge", FG 2020. White space between subject, video,
type, onset, apex, offset; no header, no emotions: ``s15 0401 macro-expression 557.0 572.0 608.0`` and ``006 1
macro-expression 566 648 743``. The clips are those of CAS(ME)^2 and SAMM Long Videos, so the rows carry these data
sets' names; videos may also be named as there (``anger1_1``, ``006_1_2``).

Traps: unknown offsets are the apex already or 0; some apexes lie outside of their clips, one is negative; an onset of 0
stands for a movement that began before the recording, whose frames count from 1.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets import casme_sq, samm_long
from fleeting.datasets.folders import FrameFolders, existing, root_of
from fleeting.datasets.manifest import Manifest, joined
from fleeting.datasets.rows import RawClip, Rows
from fleeting.datasets.tables import Table, read_headerless
from fleeting.errors import DataError

COLUMNS = ("subject", "video", "type", "onset", "apex", "offset")


def read(path: Path) -> Manifest:
    """Read one of the files, or all in a folder.

    Raises
    ------
    DataError
        Where there is none, its name says neither set, and as `tables.read_headerless` and `rows.Rows`.
    """
    path = existing(path)
    files = [path] if path.is_file() else sorted(path.rglob("*_all_Info.txt"))
    if not files:
        raise DataError(f"CASME_sq_all_Info.txt or SAMMLV_all_Info.txt in {path}", "neither", "Check the path.")
    return joined([_read(file, root_of(path)) for file in files])


def _read(file: Path, root: Path) -> Manifest:
    table = read_headerless(file, COLUMNS)
    name = file.name.lower()
    if name.startswith("casme"):
        return _casme_sq(table, root)
    if name.startswith("samm"):
        return _samm_long(table, root)
    raise DataError("a file named CASME_sq... or SAMMLV...", f"{file.name}", "Give it the challenge's name.")


def _casme_sq(table: Table, root: Path) -> Manifest:
    rows = Rows(casme_sq.NAME, table.path, several_per_video=True)
    find = casme_sq.VideoFinder(root, {})
    for number, cells in zip(table.numbers, table.records, strict=True):
        # Where people are counted from 1, only the workbook of the set says which folder that is.
        given = cells["subject"].lower()
        subject = given if given.startswith("s") else f"subject{given.zfill(2)}"
        path = find(subject, cells["video"])
        source = f"{subject}/{find.code(cells['video'])}"
        rows.add(_raw(number, cells, subject=subject, path=path, fps=casme_sq.FPS, source=source))
    return rows.manifest()


def _samm_long(table: Table, root: Path) -> Manifest:
    rows = Rows(samm_long.NAME, table.path, several_per_video=True)
    folders = FrameFolders(root)
    for number, cells in zip(table.numbers, table.records, strict=True):
        subject = cells["subject"].zfill(3)
        given = cells["video"]
        video = samm_long.video_of(given) if "_" in given else f"{subject}_{given}"
        path = str(folders.find(video))
        rows.add(_raw(number, cells, subject=subject, path=path, fps=samm_long.FPS, source=f"{subject}/{video}"))
    return rows.manifest()


def _raw(number: int, cells: dict[str, str], *, subject: str, path: str, fps: float, source: str) -> RawClip:
    return RawClip(
        number=number,
        subject=subject,
        clip=f"{source.partition('/')[2]}_{cells['onset'].removesuffix('.0')}",
        path=path,
        fps=fps,
        onset=cells["onset"],
        apex=cells["apex"],
        offset=cells["offset"],
        type=cells["type"],
        source_video=source,
        first_number=1,
    )
