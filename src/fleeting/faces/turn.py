"""Which way up are the faces? A phone that films someone who lies, or that lay on its side, gives turned pictures.

The networks know faces that are tilted by up to about 40 degrees. So a picture is looked at in four turns where it
shows no face that stands upright, and the first pictures with a face vote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from fleeting.faces.landmarks import Landmarks
from fleeting.faces.track import Detector
from fleeting.records import FaceBox
from fleeting.video.frame import Frame
from fleeting.video.orientation import Orientation

TURNS = (90, 270, 180)
"""Degrees clockwise that are tried, the likely ones first."""

SURE = 0.9
"""Probability of a face from which a picture votes: chance gives turned faces .6 to .9, and upright ones .99."""

MOST_TILT = 60.0
"""Degrees by which a head that stands as it is filmed may tilt."""

LEAST_TILT = 40.0
"""Degrees by which a head may be tilted in a turned picture: one in between two turns stays as it was filmed."""

ENOUGH = 3
"""Votes that decide."""

CLOSE_S, APART_S = 0.2, 2.0
"""Seconds between two pictures that are looked at: where one has just shown a face, and where none does."""

BEGINNING_S = 0.3
"""Up to here the pictures are close to each other whatever they show."""

Grey = npt.NDArray[np.uint8]


def turn_of_picture(grey: Grey, detect: Detector) -> int | None:
    """Return the degrees clockwise by which a picture has to be turned for its face to stand upright.

    Parameters
    ----------
    grey
        (h, w) uint8.
    detect
        Finds the faces of a picture, the largest first.

    Returns
    -------
    int or None
        0, 90, 180 or 270; None where no turn shows a face for sure.
    """
    as_filmed = _upright(detect(grey), MOST_TILT)
    if as_filmed >= SURE:
        return 0
    scores = {turn: _upright(detect(Orientation.clockwise(turn).apply(grey)), LEAST_TILT) for turn in TURNS}
    best = max(TURNS, key=lambda turn: scores[turn])
    return best if scores[best] >= max(SURE, as_filmed) else None


def turn_of_film(frames: Iterable[Frame], detect: Detector) -> int:
    """Return the degrees clockwise by which a film has to be turned: what most of its first pictures with a face say.

    Only as much of the film is read as is needed: half a second where a face is in view from the beginning.

    Parameters
    ----------
    frames
        From the beginning.
    detect
        See `turn_of_picture`.

    Returns
    -------
    int
        0, 90, 180 or 270; 0 where no face is seen, or where as many pictures say so.
    """
    votes: Counter[int] = Counter()
    next_s, looked = 0.0, 0
    for frame in frames:
        if frame.time_s < next_s - 1e-6:
            continue
        looked += 1
        vote = turn_of_picture(frame.grey, detect)
        next_s = frame.time_s + (APART_S if vote is None and frame.time_s > BEGINNING_S else CLOSE_S)
        if vote is not None:
            votes[vote] += 1
            if votes[vote] == ENOUGH:
                break
    best = max(sorted(votes), key=lambda turn: votes[turn], default=0)
    # One picture among several that show nothing is chance.
    return best if votes[best] >= min(2, looked) else 0


def _upright(found: Sequence[tuple[FaceBox, Landmarks]], most: float) -> float:
    """Probability of the largest face, 0 where it is none or tilted by more than so many degrees."""
    if not found:
        return 0.0
    box, seen = found[0]
    return box.score if abs(float(seen.pose[2])) <= most else 0.0
