"""The ground truth of MEGC 2020: ``CASME_sq_all_Info.txt`` (357 rows) and ``SAMMLV_all_Info.txt`` (502).

Li et al., "MEGC2020 - the third facial micro-expression grand challenge", FG 2020. White space between subject, video,
type, onset, apex, offset; no header, no emotions: ``s15 0401 macro-expression 557.0 572.0 608.0`` and ``006 1
macro-expression 566 648 743``. The clips are those of CAS(ME)^2 and SAMM Long Videos, so the rows carry these data
sets' names; videos may also be named as there (``anger1_1``, ``006_1_2``).

Traps: unknown offsets are the apex already or 0; some apexes lie outside of their clips, one is negative; an onset of 0
stands for a movement that began before the recording, whose frames count from 1.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fleeting.datasets.folders import existing, root_of
from fleeting.datasets.layout import Cells, Layout
from fleeting.datasets.manifest import Manifest, joined
from fleeting.datasets.readers import casme_sq, samm_long
from fleeting.datasets.rows import Rows
from fleeting.errors import DataError

LAYOUT = Layout(
    dataset="",
    tables=("*_all_Info.txt",),
    header=False,
    columns={name: (name,) for name in ("subject", "video", "type", "onset", "apex", "offset")},
    first_number=1,
    clip="{code}_{number}",
    source_video="{subject}/{code}",
    places=("{code}",),
    several_per_video=True,
)


def read(path: Path) -> Manifest:
    """Read one of the files, or all in a folder.

    Raises
    ------
    DataError
        Where there is none, its name says neither set, and as `Layout.read`.
    """
    path = existing(path)
    files = [path] if path.is_file() else sorted(path.rglob(LAYOUT.tables[0]))
    if not files:
        raise DataError(f"CASME_sq_all_Info.txt or SAMMLV_all_Info.txt in {path}", "neither", "Check the path.")
    return joined([_read(file, root_of(path)) for file in files])


def _read(file: Path, root: Path) -> Manifest:
    name = file.name.lower()
    if not name.startswith(("casme", "samm")):
        raise DataError("a file named CASME_sq... or SAMMLV...", f"{file.name}", "Give it the challenge's name.")
    find = casme_sq.VideoFinder(root, {})

    def of_casme_sq(rows: Rows, cells: Cells) -> None:
        # Where people are counted from 1, only the workbook of the set says which folder that is.
        given = cells["subject"].lower()
        subject = given if given.startswith("s") else f"subject{given.zfill(2)}"
        video = cells["video"]
        cells |= {"subject": subject, "code": find.code(video), "path": find(subject, video), "number": _number(cells)}

    def of_samm_long(rows: Rows, cells: Cells) -> None:
        subject, video = cells["subject"].zfill(3), cells["video"]
        code = samm_long.video_of(video) if "_" in video else f"{subject}_{video}"
        cells |= {"subject": subject, "code": code, "number": _number(cells)}

    of, mend = (casme_sq, of_casme_sq) if name.startswith("casme") else (samm_long, of_samm_long)
    layout = replace(LAYOUT, dataset=of.LAYOUT.dataset, fps=of.LAYOUT.fps, mend=mend)
    return layout.manifest(layout.table(file), root)


def _number(cells: Cells) -> str:
    return cells["onset"].removesuffix(".0")
