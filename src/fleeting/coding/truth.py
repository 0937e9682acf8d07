"""What a coder says of films as the truth that the shipped analysis is measured against."""

from __future__ import annotations

from pathlib import Path

from fleeting.coding.agreement import film_name
from fleeting.coding.coders import CONSENSUS, coder_key, coders_of, films_in, unknown_coder
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.errors import DataError, InputError
from fleeting.evaluation.spotting import Marked
from fleeting.records import CodedEvent
from fleeting.results import read_run
from fleeting.synthesis.truth import TruthRow


def is_coded(folder: str | Path) -> bool:
    """Whether a folder is one of results in which somebody has coded."""
    try:
        return any(coders_of(film) for film in films_in(folder))
    except DataError:
        return False


def coded_truth(results: str | Path, coder: str | None = None) -> dict[str, Marked]:
    """Return the films that a coder has coded, by name, with the coder's events.

    Parameters
    ----------
    results
        A film's folder of results, or a folder of such folders.
    coder
        Whose word counts; where None that of the consensus, or of the only coder.

    Raises
    ------
    InputError
        Where there is no such coder, or several and none was chosen.
    DataError
        Where a film has gone from where it was analysed.
    """
    folders = films_in(results)
    known = tuple(sorted({c for folder in folders for c in coders_of(folder)}))
    chosen = coder or (CONSENSUS if CONSENSUS in known else known[0] if len(known) == 1 else None)
    if chosen is None:
        raise InputError("one coder", ", ".join(known) or "none", "Choose one with --coder.")
    found = {}
    for folder in folders:
        if coder_key(chosen) in coders_of(folder):
            log = CodingLog(Film.open(folder), chosen)
            video, fps = _video(log.film)
            name = film_name(folder)
            found[name] = Marked(video, tuple(_row(name, event) for event in log.events), fps, log.uncodable)
    if not found:
        raise unknown_coder(chosen, Path(results), known)
    return found


def _video(film: Film) -> tuple[Path, float | None]:
    run = read_run(film.folder)
    path = Path(run["video"]["path"] if run else film.timeline.video.path)
    if not path.exists():
        raise DataError("the film where it was analysed", f"no {path}", "Put it there, or analyse it again.")
    return path, run["fps"] if run else None


def _row(name: str, event: CodedEvent) -> TruthRow:
    return TruthRow(
        file=name,
        onset=event.onset_frame,
        apex=event.apex_frame if event.apex_known else None,
        offset=event.offset_frame,
        kind=event.kind,
        emotion=event.emotion or "",
        onset_s=event.onset_s,
        apex_s=event.apex_s if event.apex_known else float("nan"),
        offset_s=event.offset_s,
        action_units=event.action_units,
        face=event.face,
    )
