"""Sets of films with their truth on disk, made once: what `synthesis.film_plan` draws, of several people."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleeting.files import csv_text, make_folder, write_text
from fleeting.synthesis.face.disturbances import Span
from fleeting.synthesis.film_plan import SetSettings, Sitter, draw_draft
from fleeting.synthesis.render import clip_truth, render_clip
from fleeting.synthesis.truth import TruthRow, write_truth

PRESET = "veryfast"
"""Of x264: about what cameras and calls spend on a picture, and three times as fast as its default."""

DISTURBANCES_NAME = "disturbances.csv"
_SET_NAME = "set.json"
_VERSION = 3  # of the drawing: raise it where the same seed gives other films


def make_set(
    folder: str | Path,
    people: Sequence[Sitter],
    settings: SetSettings,
    *,
    on_film: Callable[[Path, str, list[TruthRow]], None] | None = None,
) -> Path:
    """Film a set, unless the folder holds the same one already; what was interrupted, or is to be longer, is continued.

    Writes ``00.mp4`` and so on, ``truth.csv``, ``disturbances.csv`` (file, kind, first_s, last_s), and ``set.json``.

    Parameters
    ----------
    folder
        Made where it is missing.
    people
        Who sits; film ``i`` shows person ``i % len(people)``.
    settings
        What is filmed.
    on_film
        Told each film's path, person and truth when it has been made.

    Returns
    -------
    Path
        The truth file.
    """
    folder = make_folder(folder)
    described: dict[str, Any] = {"version": _VERSION, "settings": asdict(settings) | {"iod_px": [*settings.iod_px]}}
    described["people"] = [people[i % len(people)].name for i in range(settings.clips)]
    stored, truth = folder / _SET_NAME, folder / "truth.csv"
    before = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else None
    if before != described:
        truth.unlink(missing_ok=True)
        # Films of other settings must not pass for those of this set, not even after an interruption.
        for path in folder.glob("[0-9]*.mp4") if before is None or not _begins(before, described) else ():
            path.unlink()
        write_text(stored, json.dumps(described, indent=2) + "\n")
    if truth.exists():
        return truth
    rows: list[TruthRow] = []
    spans: list[tuple[str, Span]] = []
    for index in range(settings.clips):
        sitter, seed = people[index % len(people)], settings.seed + index
        quiet = index % settings.quiet_every == settings.quiet_every - 1
        draft = draw_draft(settings, seed=seed, quiet=quiet)
        clip = draft.film(sitter, seed=seed)
        path = folder / f"{index:0{max(len(str(settings.clips - 1)), 2)}d}.mp4"
        made = clip_truth(clip, path.name)
        if not path.exists():
            render_clip(clip, path, crf=draft.crf, preset=PRESET)
            if on_film is not None:
                on_film(path, sitter.name, made)
        rows += made
        spans += [(path.name, span) for span in draft.spans]
    write_disturbances(folder / DISTURBANCES_NAME, spans)
    return write_truth(truth, rows)


def _begins(shorter: dict[str, Any], longer: dict[str, Any]) -> bool:
    """Whether a set is the first films of another: their numbers have the same digits, and their people agree."""
    few, many = shorter["settings"].get("clips", 0), longer["settings"]["clips"]
    if not 0 < few <= many or len(str(max(few - 1, 10))) != len(str(max(many - 1, 10))):
        return False
    same = shorter | {"settings": shorter["settings"] | {"clips": many}, "people": longer["people"]}
    return same == longer and bool(shorter["people"] == longer["people"][:few])


def write_disturbances(path: Path, spans: Sequence[tuple[str, Span]]) -> Path:
    """Write the table of what disturbs: file, kind, first and last instant in seconds."""
    rows = ((name, s.kind, f"{s.first_s:.4f}", f"{s.last_s:.4f}") for name, s in spans)
    return write_text(path, csv_text(("file", "kind", "first_s", "last_s"), rows))


def read_disturbances(path: Path) -> dict[str, list[Span]]:
    """Read the table of `write_disturbances`, by file."""
    found: dict[str, list[Span]] = {}
    with path.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            span = Span(row["kind"], float(row["first_s"]), float(row["last_s"]))
            found.setdefault(row["file"], []).append(span)
    return found
