"""The judge of candidates: how probable it is that a movement is a micro-expression, a blink, or neither."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.spotting.candidates import Candidate

NOTHING, MICRO, BLINK = 0, 1, 2


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
        given = {
            "window": np.stack([c.window for c in candidates]),
            "scalars": np.stack([c.scalars for c in candidates]),
        }
        probabilities, times = self._session.run(None, given)
        return probabilities, times
