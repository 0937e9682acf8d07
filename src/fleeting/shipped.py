"""Measure what is shipped on labelled data."""

from __future__ import annotations

import difflib
import logging
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fleeting import results
from fleeting.errors import InputError
from fleeting.records import Timeline

log = logging.getLogger(__name__)


def evaluate(
    model: str,
    data: str | Path,
    *,
    out: str | Path | None = None,
    fps: float | None = None,
    coder: str | None = None,
) -> dict[str, Any]:
    """Measure a shipped network, or the spotter, on labelled data.

    Parameters
    ----------
    model
        ``deep-emotion`` or ``expression`` (FER-2013, or a folder of faces by class), ``landmarks`` (an npz laid out as
        docs/how-to/evaluate.md says), ``recogniser`` (an npz of flow images), ``action-units`` (the same with units),
        ``spotting`` (a folder of videos with a ``truth.csv``, or results that somebody has coded) or ``megc`` (a folder
        with the tables of a challenge).
    data
        The labelled data.
    out
        Folder for ``metrics.json`` and a table of the rows behind it; nothing is written if None.
    fps
        Frames per second of image folders (spotting), if the truth does not say.
    coder
        Coder whose events are the truth (spotting on coded results). If None, the consensus or the only coder.

    Returns
    -------
    dict
        The content of ``metrics.json``.

    Raises
    ------
    InputError
        For an unknown model, or data that cannot be used.
    OutputError
        If the results cannot be written.
    """
    if model not in EVALUATIONS:
        near = difflib.get_close_matches(model, EVALUATIONS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
        raise InputError(f"one of {', '.join(EVALUATIONS)}", f"'{model}'", hint)
    if coder is not None and model != "spotting":
        raise InputError("a coder for spotting alone", f"'{coder}' for {model}", "Leave the coder out.")
    with tempfile.TemporaryDirectory(prefix="fleeting-") if out is None else nullcontext(out) as folder:
        results.check_writable(folder)
        if model == "spotting":
            return _evaluate_spotting(Path(data), Path(folder), fps, coder)
        return EVALUATIONS[model](Path(data), Path(folder), fps)


def _evaluate_landmarks(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.landmarks import evaluate_landmarks

    return evaluate_landmarks(data, out=out)


def _evaluate_action_units(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.action_units import evaluate_action_units

    return evaluate_action_units(data, out=out)


def _evaluate_recogniser(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.recogniser import evaluate_recogniser

    return evaluate_recogniser(data, out=out)


def _evaluate_expression(model: str) -> Callable[[Path, Path, float | None], dict[str, Any]]:
    def measure(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
        from fleeting.evaluation.expression import evaluate_expression

        return evaluate_expression(data, model=model, out=out)

    return measure


def _evaluate_spotting(data: Path, out: Path, fps: float | None, coder: str | None = None) -> dict[str, Any]:
    from fleeting.analysis.analyse import analyse_video
    from fleeting.coding.truth import coded_truth, is_coded
    from fleeting.evaluation.spotting import TRUTH_NAME, evaluate_spotting, measure_spotting, write_spotting

    def one(path: Path, own_fps: float | None) -> Timeline:
        return analyse_video(path, fps=own_fps or fps, pictures=False).timeline

    def said(name: str, place: int, count: int) -> None:
        log.info("%d of %d: %s", place + 1, count, name)

    if coder is not None or (not (data / TRUTH_NAME).exists() and is_coded(data)):
        return write_spotting(measure_spotting(coded_truth(data, coder), one, on_done=said), out)
    return write_spotting(evaluate_spotting(data, one, on_done=said), out)


def _evaluate_megc(data: Path, out: Path, fps: float | None) -> dict[str, Any]:
    from fleeting.evaluation.megc_tables import evaluate_megc

    return evaluate_megc(data, out=out)


EVALUATIONS: dict[str, Callable[[Path, Path, float | None], dict[str, Any]]] = {
    "action-units": _evaluate_action_units,
    "deep-emotion": _evaluate_expression("deep-emotion"),
    "expression": _evaluate_expression("expression"),
    "landmarks": _evaluate_landmarks,
    "megc": _evaluate_megc,
    "recogniser": _evaluate_recogniser,
    "spotting": _evaluate_spotting,
}
"""What can be evaluated: takes the data, the folder for ``metrics.json`` and the rows, and frames per second."""
