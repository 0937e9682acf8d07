"""The judge of candidates: how probable it is that a movement is a micro-expression, a blink, or neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.spotting.candidates import SAMPLES, STEP_S, Candidate, mirrored

NOTHING, MICRO, BLINK = 0, 1, 2

SHIFTS = (-2, -1, 0, 1, 2)
"""Samples by which a window is moved on. The apex that it is centred on is known to some hundredths of a second only,
and a face has no side that counts more: so each candidate is judged in all these places, and mirrored, and the mean of
the answers changes less between two copies of a film than any one of them."""


class Judge:
    """The shipped network of that purpose.

    Parameters
    ----------
    threads
        Of ONNX Runtime.

    Raises
    ------
    WeightsError
        Where the network or its card is missing or damaged.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._session = weights.session("spotter", threads=threads)

    def __call__(self, candidates: Sequence[Candidate]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Judge candidates; there may be none.

        Returns
        -------
        probabilities
            (n, 3) of nothing, micro-expression, blink; rows sum to 1.
        times
            (n, 3) onset, apex and offset of the micro-expression, if it is one, in seconds after the candidate's apex.
        """
        if not candidates:
            return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32)
        windows, scalars = np.stack([c.window for c in candidates]), np.stack([c.scalars for c in candidates])
        probabilities: list[npt.NDArray[np.float32]] = []
        times: list[npt.NDArray[np.float32]] = []
        for shift in SHIFTS:
            shown = windows[..., np.clip(np.arange(SAMPLES) + shift, 0, SAMPLES - 1)]
            for window in (shown, mirrored(shown)):
                judged, placed = self._session.run(None, {"window": window, "scalars": scalars})
                probabilities.append(judged)
                times.append(placed + np.float32(shift * STEP_S))
        return np.mean(probabilities, axis=0), np.mean(times, axis=0)
