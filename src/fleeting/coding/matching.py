"""Events of two sides matched one to one, so that the sum of the IoU is the largest there is.

Pairs whose IoU is below a threshold are none (``>=`` counts; frames with both ends, see `records`). To take pairs in
order of their IoU could leave an event alone that has a partner in the best matching; the assignment problem is solved
exactly (J. Munkres, "Algorithms for the assignment and transportation problems", J. SIAM 5, 1957; shortest augmenting
paths as R. Jonker and A. Volgenant, Computing 38, 1987). Events that overlap in no chain are solved apart, which keeps
the problems small however long the film is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fleeting.records import Event

IOU = 0.5
"""The threshold of the MEGC challenges (Li et al., FG 2020, section III)."""

Pairs = list[tuple[int, int]]


def match(first: Sequence[Event], second: Sequence[Event], *, iou: float = IOU, same_kind: bool = True) -> Pairs:
    """Return the places of the events that belong together, in order of the first side.

    Parameters
    ----------
    first, second
        Events of one film; only those of the same face can be a pair.
    iou
        Smallest IoU of a pair, above 0.
    same_kind
        Whether a pair must be of one kind.
    """
    weights = np.zeros((len(first), len(second)))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            apart = b.onset_frame > a.offset_frame or b.offset_frame < a.onset_frame
            if not apart and a.face == b.face and (a.kind == b.kind or not same_kind):
                overlap = a.interval.iou(b.interval)
                weights[i, j] = overlap if overlap >= iou else 0.0
    return best_pairs(weights)


def best_pairs(weights: npt.NDArray[np.float64]) -> Pairs:
    """Return pairs of a row and a column, each at most once, with the largest sum of their weights.

    Parameters
    ----------
    weights
        (n, m), 0 where there is no pair.
    """
    pairs: Pairs = []
    for rows, columns in _islands(weights > 0):
        cost = -weights[np.ix_(rows, columns)]
        turned = len(rows) > len(columns)
        found = _assign(cost.T if turned else cost)
        for a, b in enumerate(found):
            i, j = (rows[b], columns[a]) if turned else (rows[a], columns[b])
            if weights[i, j] > 0:
                pairs.append((i, j))
    return sorted(pairs)


def _islands(linked: npt.NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that hang together."""
    left = set(np.flatnonzero(linked.any(axis=1)).tolist())
    islands = []
    while left:
        rows, columns = {min(left)}, set[int]()
        while True:
            wider = set(np.flatnonzero(linked[sorted(rows)].any(axis=0)).tolist())
            more = set(np.flatnonzero(linked[:, sorted(wider)].any(axis=1)).tolist())
            if wider == columns and more == rows:
                break
            rows, columns = more, wider
        left -= rows
        islands.append((sorted(rows), sorted(columns)))
    return islands


def _assign(cost: npt.NDArray[np.float64]) -> list[int]:
    """Column of every row, for (n, m) costs with n <= m: the smallest sum, by shortest augmenting paths."""
    n, m = cost.shape
    row_price, column_price = np.zeros(n + 1), np.zeros(m + 1)
    row_of = np.zeros(m + 1, np.int64)  # counted from 1; 0 is nobody
    for row in range(1, n + 1):
        row_of[0] = row
        column = 0
        least = np.full(m + 1, np.inf)
        before = np.zeros(m + 1, np.int64)
        used = np.zeros(m + 1, bool)
        while row_of[column] != 0:
            used[column] = True
            here = row_of[column]
            reduced = cost[here - 1] - row_price[here] - column_price[1:]
            better = ~used[1:] & (reduced < least[1:])
            least[1:][better] = reduced[better]
            before[1:][better] = column
            column = int(np.argmin(np.where(used, np.inf, np.where(np.arange(m + 1) > 0, least, np.inf))))
            step = least[column]
            row_price[row_of[used]] += step
            column_price[used] -= step
            least[~used] -= step
        while column:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    answer = [0] * n
    for column in range(1, m + 1):
        if row_of[column]:
            answer[row_of[column] - 1] = column - 1
    return answer
