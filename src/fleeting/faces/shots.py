"""Whether two pictures show the same shot: the same things, a little moved and lit anew, or the same face.

Two witnesses answer:

- the picture: how much of it is found again near its place. Local correlation does not mind another exposure.
- the largest face: whether it looks like a face on the other side, and whether parts of it are still in their place, as
  they are beside a hand that covers the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.faces.align import align, crop_transform
from fleeting.faces.landmarks import Landmarks
from fleeting.records import FaceBox

NEW_PICTURE = 0.35
"""Share of a picture that is not found again, from which on the faces need not be asked."""

OTHER_FACE, OTHER_FACE_GAIN = 0.85, 0.1
"""Likeness below which two faces a moment apart are not one, and by how much more where nothing else is the same."""

NEW_FACE = 0.06
"""By how much the share of a face and its surroundings that is not found again exceeds the share of the face that is
still in its place: after a cut by 0.12 or more, beside a hand by none (``benchmarks/cuts.py``)."""

MARGIN = 0.25
"""What is around a face, in widths of its box."""

BLANK = 3.0
"""Standard deviation of a picture, in grey levels, below which it shows nothing: a covered lens, black film."""

WHOLE_SIDE = 160
"""Pixels of the longer side of a picture whose blocks are looked for."""

BLOCK, REACH, FOUND, TEXTURE = 16, 12, 0.7, 6.0
"""Side of a block and how far it is looked for, pixels; correlation from which it is found; standard deviation without
which it is not looked for."""

FACE_SIDE = 48
PART, PART_REACH, PART_FOUND = 12, 3, 0.9
"""The same for the parts of a face whose box is `FACE_SIDE` wide."""

TEMPLATE_WIDTH = 35
"""Width of the aligned face by which people are told apart."""

DETAIL = 8.0
"""What is wider than this part of the aligned face is light rather than looks, and is taken out."""

Grey = npt.NDArray[np.uint8]
Template = npt.NDArray[np.float32]
Detect = Callable[[Grey], Sequence[tuple[FaceBox, Landmarks]]]


def template(grey: Grey, landmarks: Landmarks) -> Template:
    """Return the aligned face at 42 x 35 pixels without its light: the looks by which it is known.

    The mean of each pixel's neighbourhood is taken out; mean and variance of the whole are 0 and 1.
    """
    crop = align(grey, crop_transform(landmarks.points, width=TEMPLATE_WIDTH), width=TEMPLATE_WIDTH).astype(np.float32)
    crop -= cv2.GaussianBlur(crop, (0, 0), TEMPLATE_WIDTH / DETAIL)
    crop -= crop.mean()
    return np.asarray(crop / max(float(crop.std()), 1e-3), np.float32)


def likeness(one: Template, other: Template) -> float:
    """Correlation of two templates."""
    return float((one * other).mean())


def another_shot(before: Grey, after: Sequence[Grey], detect: Detect) -> bool:
    """Whether none of the later pictures shows the shot of the one before; an empty one shows no shot.

    Parameters
    ----------
    before
        (h, w) the last picture of a shot.
    after
        Pictures a moment later.
    detect
        Finds the faces of a picture.
    """
    if any(picture.shape != before.shape for picture in after):
        return True
    whole = [_whole(picture) for picture in (before, *after)]
    if any(float(w.std()) < BLANK for w in whole):
        return False
    lost = min((lost_share(whole[0], w) + lost_share(w, whole[0])) / 2 for w in whole[1:])
    return lost >= NEW_PICTURE or face_replaced(before, after, detect)


def face_replaced(before: Grey, after: Sequence[Grey], detect: Detect) -> bool:
    """Whether the largest face of a picture is gone from the later ones, and a face is there that was not before."""
    old = detect(before)
    if not old:
        return False
    box, known = old[0][0], [template(before, seen) for _, seen in old]
    gone = min(_gone(before, picture, box) for picture in after)
    if gone < NEW_FACE:
        return False
    # The less is left around a face, the more alike another one may be.
    same = OTHER_FACE + OTHER_FACE_GAIN * gone
    found = [template(picture, seen) for picture in after for _, seen in detect(picture)]
    if any(likeness(known[0], face) >= same for face in found):
        return False
    return any(all(likeness(face, one) < same for one in known) for face in found)


def _gone(before: Grey, after: Grey, face: FaceBox) -> float:
    """Share of a face and its surroundings that is not found again, less the share of the face that has not moved."""
    one, other = (_around(picture, face, margin=MARGIN) for picture in (before, after))
    return (lost_share(one, other) + lost_share(other, one)) / 2 - kept_share(before, after, face)


def lost_share(picture: Grey, other: Grey) -> float:
    """Share of the textured blocks of a picture that are not found near their place in another one of its size."""
    best = _found(picture, other, _textured(picture, BLOCK), side=BLOCK, reach=REACH)
    return float((best < FOUND).mean()) if len(best) else 0.0


def kept_share(before: Grey, after: Grey, face: FaceBox) -> float:
    """Share of the textured parts of a face that are still in their place."""
    one, other = (_around(picture, face, margin=0.0) for picture in (before, after))
    best = _found(one, other, _textured(one, PART), side=PART, reach=PART_REACH)
    return float((best >= PART_FOUND).mean()) if len(best) else 0.0


def _found(
    picture: Grey, other: Grey, places: Sequence[tuple[int, int]], *, side: int, reach: int
) -> npt.NDArray[np.float64]:
    """Best correlation of each square, by its left top corner, with the other picture around its place."""
    wide = cv2.copyMakeBorder(other, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    best: list[Any] = []
    for x, y in places:
        around = wide[y : y + side + 2 * reach, x : x + side + 2 * reach]
        best.append(cv2.matchTemplate(around, picture[y : y + side, x : x + side], cv2.TM_CCOEFF_NORMED).max())
    return np.array(best, np.float64)


def _textured(picture: Grey, side: int) -> list[tuple[int, int]]:
    """Left top corners of the squares of a picture in which there is something to find again."""
    rows, columns = (range(0, length - side + 1, side) for length in picture.shape)
    return [(x, y) for y in rows for x in columns if picture[y : y + side, x : x + side].std() >= TEXTURE]


def _around(picture: Grey, face: FaceBox, *, margin: float) -> Grey:
    """Cut a face out, with a margin in widths of its box, so that the box is `FACE_SIDE` wide."""
    edge = margin * face.width
    left, top = max(int(face.x - edge), 0), max(int(face.y - edge), 0)
    right, bottom = int(face.x + face.width + edge) + 1, int(face.y + face.height + edge) + 1
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    if part.size == 0:
        return picture[:1, :1]
    scale = FACE_SIDE / max(face.width, 1.0)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    size = tuple(max(round(side * scale), 1) for side in part.shape[::-1])
    return np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)


def _whole(picture: Grey) -> Grey:
    scale = WHOLE_SIDE / max(picture.shape)
    size = tuple(max(round(side * scale), BLOCK) for side in picture.shape[::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
