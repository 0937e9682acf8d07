"""The classical spotter to compare with: feature difference analysis, on the motion that Fleeting measures.

Moilanen, Zhao, Pietikäinen, "Spotting rapid facial movements from videos using appearance-based feature difference
analysis", ICPR 2014. The features of a block are here the displacement of a cell of the face without the head's motion,
in place of a histogram of local binary patterns: it differs from Fleeting in how it decides, not in what it sees. The
difference of a frame to the mean of those half an interval before and after is averaged over the third of the cells
where it is largest. Its contrast is what is left without the mean of the same half an interval before and after. What
exceeds mean + p (largest - mean) of the film's contrast is spotted, one interval around each peak. The share p is
chosen on the training people, for micro- and macro-expressions apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.evaluation.benchmark.spotting.spotters import Spot, TrainingFilm
from fleeting.evaluation.megc import KINDS, Marked, spotting_scores
from fleeting.evaluation.spotting import Counts
from fleeting.records import Event, EventKind
from fleeting.scale.job import Result
from fleeting.spotting.measurements import Measurements

INTERVAL_S = {"micro": 0.5, "macro": 2.0}
"""Longest movement that is looked for."""

SHARES: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Values of p."""

COUNTS = ("true_positives", "false_positives", "false_negatives")


class FeatureDifference:
    """See the head of the module."""

    name = "feature-difference"
    learns = True

    def settings(self) -> dict[str, Any]:
        """Return intervals and shares."""
        return {"interval_s": dict(INTERVAL_S), "shares": list(SHARES)}

    def prepare(self, films: Sequence[TrainingFilm]) -> Result:
        """Return (kinds, shares, 3) counts of one person: true positives, false ones, misses."""
        found = np.zeros((len(KINDS), len(SHARES), len(COUNTS)), np.int64)
        for one in films:
            truth = one.film.marked()
            for i, kind in enumerate(KINDS):
                contrast = contrasts(one.measured, kind)
                for j, share in enumerate(SHARES):
                    spotted = [
                        Marked(one.film.person, one.film.id, one.film.frame(onset), one.film.frame(offset), "", kind)
                        for onset, _, offset in peaks(contrast, one.measured, kind, share)
                    ]
                    scores = spotting_scores(truth, spotted)[kind]
                    found[i, j] += [scores[name] for name in COUNTS]
        return {"counts": found}

    def fit(
        self, train: Mapping[str, Result], validation: Mapping[str, Result], *, seed: int
    ) -> tuple[Spot, dict[str, Any]]:
        """Choose p by the F1 of the training people."""
        total = np.sum([part["counts"] for part in (*train.values(), *validation.values())], axis=0)
        best = {}
        for kind, rows in zip(KINDS, total, strict=True):
            scores = np.nan_to_num([Counts(hits, false, misses).f1 for hits, false, misses in rows.tolist()])
            best[kind] = SHARES[int(np.argmax(scores))]

        def spot(measured: Measurements) -> list[Event]:
            kinds: tuple[EventKind, ...] = ("micro", "macro")
            events = [e for kind in kinds for e in _events(measured, kind, best[kind])]
            return sorted(events, key=lambda e: (e.onset_frame, e.offset_frame))

        return spot, {"share": best}


def contrasts(measured: Measurements, kind: str) -> npt.NDArray[np.float64]:
    """Return (n,) the contrast of every frame; 0 where no face is seen half an interval around it."""
    n, half = len(measured.time_s), _half(measured, kind)
    at = np.arange(n)
    before, after = np.clip(at - half, 0, n - 1), np.clip(at + half, 0, n - 1)
    moved = measured.displacement.astype(np.float64)
    difference = np.linalg.norm(moved - (moved[before] + moved[after]) / 2, axis=2)
    run = measured.run
    difference[(run < 0) | (run != run[before]) | (run != run[after])] = 0
    largest = np.sort(np.nan_to_num(difference), axis=1)[:, -max(difference.shape[1] // 3, 1) :].mean(axis=1)
    return np.asarray(np.maximum(largest - (largest[before] + largest[after]) / 2, 0))


def peaks(
    contrast: npt.NDArray[np.float64], measured: Measurements, kind: str, share: float
) -> list[tuple[int, int, int]]:
    """Return onset, apex and offset in frames of what exceeds the threshold."""
    middle, top = float(contrast.mean()), float(contrast.max())
    above = np.flatnonzero(contrast > middle + share * (top - middle))
    half, last = _half(measured, kind), len(contrast) - 1
    found = []
    for group in np.split(above, np.flatnonzero(np.diff(above) > half) + 1):
        if len(group):
            apex = int(group[np.argmax(contrast[group])])
            found.append((max(apex - half // 2, 0), apex, min(apex + half // 2, last)))
    return found


def _half(measured: Measurements, kind: str) -> int:
    period = float(np.median(np.diff(measured.time_s))) if len(measured.time_s) > 1 else 1.0
    return max(round(INTERVAL_S[kind] / 2 / period), 1)


def _events(measured: Measurements, kind: EventKind, share: float) -> list[Event]:
    contrast, time_s = contrasts(measured, kind), measured.time_s.tolist()
    top = float(contrast.max()) or 1.0
    return [
        Event(
            face=measured.face,
            kind=kind,
            onset_frame=onset,
            apex_frame=apex,
            offset_frame=offset,
            onset_s=time_s[onset],
            apex_s=time_s[apex],
            offset_s=time_s[offset],
            confidence=float(contrast[apex]) / top,
        )
        for onset, apex, offset in peaks(contrast, measured, kind, share)
    ]
