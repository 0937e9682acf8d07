"""The judge of candidates: how probable it is that a movement is a micro-expression, a blink, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.spotting.candidates import SAMPLES, STEP_S, Candidate, mirrored
from fleeting.weights.runtime import open_network

NOTHING, MICRO, BLINK = 0, 1, 2

SHIFTS = (-2, 2)
"""Samples by which a window is moved on, beside the one that is centred on the apex. The apex is known to some
hundredths of a second only, and a face has no side that counts more: so a candidate is judged in all three places, and
mirrored, and the mean of the answers changes less between two copies of a film than any one of them."""

AT_ONCE = 256
"""Candidates that are judged at once, to bound the memory: each is 24 kB, which are needed several times."""

SURELY_NOTHING = 0.8
"""Probability from which on the first place is enough."""


class Judge:
    """The shipped network of that purpose.

    Parameters
    ----------
    threads
        Of ONNX Runtime.
    network
        Another network of the same inputs and outputs; None for the shipped one.

    Raises
    ------
    WeightsError
        Where the network or its card is missing or damaged.
    """

    def __init__(self, *, threads: int = 1, network: Path | None = None) -> None:
        self._session = (
            weights.session("spotter", threads=threads) if network is None else open_network(network, threads=threads)
        )

    def __call__(self, candidates: Sequence[Candidate]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Judge candidates; there may be none.

        Returns
        -------
        probabilities
            (n, 3) of nothing, micro-expression, blink; rows sum to 1.
        times
            (n, 3) onset, apex and offset of the micro-expression, if it is one, in seconds after the candidate's apex.
        """
        none = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32))
        parts = [self._judged(candidates[i : i + AT_ONCE]) for i in range(0, len(candidates), AT_ONCE)]
        probabilities, times = (np.concatenate(column) for column in zip(none, *parts, strict=True))
        return probabilities, times

    def _judged(self, candidates: Sequence[Candidate]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        windows, scalars = np.stack([c.window for c in candidates]), np.stack([c.scalars for c in candidates])
        probabilities, times = self._both_sides(windows, scalars, 0)
        # Most candidates are nothing at first sight, and need no second look.
        doubtful = np.flatnonzero(probabilities[:, NOTHING] < SURELY_NOTHING)
        if len(doubtful):
            looks = [(probabilities[doubtful], times[doubtful])]
            looks += [self._both_sides(windows[doubtful], scalars[doubtful], shift) for shift in SHIFTS]
            probabilities[doubtful] = np.mean([look[0] for look in looks], axis=0)
            times[doubtful] = np.mean([look[1] for look in looks], axis=0)
        return probabilities, times

    def _both_sides(
        self, windows: npt.NDArray[np.float32], scalars: npt.NDArray[np.float32], shift: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Judge moved windows and their mirror images; give the means."""
        shown = windows[..., np.clip(np.arange(SAMPLES) + shift, 0, SAMPLES - 1)]
        seen, other = (
            self._session.run(None, {"window": window, "scalars": scalars}) for window in (shown, mirrored(shown))
        )
        return (seen[0] + other[0]) / 2, (seen[1] + other[1]) / 2 + np.float32(shift * STEP_S)
