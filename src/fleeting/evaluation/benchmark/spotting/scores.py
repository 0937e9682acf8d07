"""The content of ``metrics.json`` of a spotting benchmark: MEGC's F1 of micro, macro and all, in two conventions.

Conventions
-----------
- ``right``: `megc.spotting_scores`, the rule of MEGC 2020. ``public_script``: the counts of `megc.public_script`, for
  comparison with published figures; its first three differences concern spotting.
- Counts are pooled over all films of all people of a seed; ``all`` pools micro and macro. What a data set does not mark
  (macro-expressions in a table of micro-expressions) is not scored in its films.
- ``pooled`` is the mean over seeds, ``spread`` the standard deviation over seeds (n - 1; 0 for one seed). ``interval``:
  95 % percentiles over bootstrap samples of people (the same ones for every seed), of the mean over seeds. Counts of
  different people add up in both conventions, so a sample is a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.evaluation.megc import KINDS, Marked, public_script, spotting_scores
from fleeting.evaluation.spotting import Counts

COUNTS = ("true_positives", "false_positives", "false_negatives")
ALL = (*KINDS, "all")

Scorer = Callable[[Sequence[Marked], Sequence[Marked], str], Mapping[str, Any]]


def _right(truth: Sequence[Marked], spotted: Sequence[Marked], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = spotting_scores(truth, spotted)[kind]
    return found


def _public(truth: Sequence[Marked], spotted: Sequence[Marked], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = public_script(truth, spotted, kind=kind)["spotting"]
    return found


CONVENTIONS: dict[str, Scorer] = {"right": _right, "public_script": _public}


def spotting_metrics(
    truth: Sequence[Marked], spotted: Mapping[int, Sequence[Marked]], *, draws: int = 2000
) -> dict[str, Any]:
    """Return the scores in both conventions.

    Parameters
    ----------
    truth
        All marked intervals of all films.
    spotted
        All spotted intervals, by seed.
    draws
        Bootstrap samples of people; 0 for no intervals.
    """
    people = sorted({m.subject for some in (truth, *spotted.values()) for m in some})
    marked = [[m for m in truth if m.subject == person] for person in people]
    found: dict[str, Any] = {}
    for name, scorer in CONVENTIONS.items():
        counts = np.zeros((len(spotted), len(people), len(ALL), len(COUNTS)), np.int64)
        for s, some in enumerate(spotted.values()):
            for p, person in enumerate(people):
                own = [m for m in some if m.subject == person]
                for k, kind in enumerate(KINDS):
                    one = scorer(marked[p], own, kind)
                    counts[s, p, k] = [one[part] for part in COUNTS]
        counts[:, :, -1] = counts[:, :, :-1].sum(2)
        drawn = _drawn(counts, draws) if draws and len(people) > 1 else None
        found[name] = {kind: _summary(counts[:, :, k], list(spotted), drawn, k) for k, kind in enumerate(ALL)}
    return found


def _summary(
    counts: npt.NDArray[np.int64], seeds: Sequence[int], drawn: npt.NDArray[np.float64] | None, place: int
) -> dict[str, Any]:
    per_seed = [Counts(*map(int, row)).to_dict() for row in counts.sum(1)]
    values = [row["f1"] for row in per_seed]
    known = np.array([v for v in values if v is not None])
    if drawn is not None:
        drawn = drawn[:, place][~np.isnan(drawn[:, place])]
    return {
        "f1": float(known.mean()) if len(known) else None,
        "interval": None if drawn is None or not len(drawn) else [float(q) for q in np.quantile(drawn, (0.025, 0.975))],
        "spread": float(known.std(ddof=1)) if len(known) > 1 else 0.0,
        "per_seed": dict(zip(map(str, seeds), per_seed, strict=True)),
    }


def _drawn(counts: npt.NDArray[np.int64], draws: int) -> npt.NDArray[np.float64]:
    """F1 (draws, kinds), mean over seeds, of drawn people; NaN where nothing is to be counted."""
    people = counts.shape[1]
    rng = np.random.default_rng(0)
    times = np.stack([np.bincount(rng.integers(0, people, people), minlength=people) for _ in range(draws)])
    sums = np.einsum("dp,spkc->dskc", times, counts)
    hits, total = 2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2]
    f1 = np.where(total > 0, hits / np.maximum(total, 1), np.nan)
    return np.asarray(f1.mean(1))
