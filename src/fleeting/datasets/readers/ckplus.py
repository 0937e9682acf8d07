"""CK+: 593 posed sequences of 123 people from neutral to the peak of an expression; 327 of them have an emotion.

Lucey et al., "The extended Cohn-Kanade dataset (CK+)", CVPR workshops, 2010. Pictures
``cohn-kanade-images/S005/001/S005_001_00000001.png``, at 30 frames/s; ``Emotion/S005/001/*_emotion.txt`` (0 neutral, 1
anger, 2 contempt, 3 disgust, 4 fear, 5 happy, 6 sadness, 7 surprise); ``FACS/S005/001/*_facs.txt`` (unit, intensity 0
to 5). The first picture is neutral, the last one the apex. Macro-expressions, not micro-expressions.

Traps: an empty or missing emotion file means that the sequence has no emotion; numbers are written as 3.0000000e+00.
"""

from __future__ import annotations

from pathlib import Path

from fleeting.datasets.folders import existing
from fleeting.datasets.frames import image_numbers
from fleeting.datasets.manifest import Manifest
from fleeting.datasets.rows import LEFT_OUT, RawClip, Rows
from fleeting.errors import DataError, VideoError
from fleeting.reading import reading

FPS = 30.0
CODES: tuple[str, ...] = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


def read(path: Path) -> Manifest:
    """Read the folder that holds ``cohn-kanade-images``, ``Emotion`` and, where it is there, ``FACS``.

    Raises
    ------
    DataError
        Where there are no pictures, or an emotion has no known code.
    """
    root = existing(path)
    images = next((p for p in (root / "cohn-kanade-images", root) if any(p.glob("S[0-9]*/[0-9]*"))), None)
    if images is None:
        raise DataError(f"cohn-kanade-images/S005/001 in {root}", "no such folders", "Unpack the pictures there.")
    rows = Rows("ckplus", root)
    for number, folder in enumerate(sorted(p for p in images.glob("S[0-9]*/[0-9]*") if p.is_dir()), start=1):
        subject, clip = folder.parent.name, folder.name
        try:
            numbers = image_numbers(folder)
        except VideoError as error:
            rows.correct(f"{subject}/{clip}", "(folder)", str(folder), LEFT_OUT, str(error))
            continue
        rows.add(
            RawClip(
                number=number,
                subject=subject,
                clip=clip,
                path=str(folder),
                fps=FPS,
                onset=str(numbers[0]),
                apex=str(numbers[-1]),
                offset=str(numbers[-1]),
                emotion=_emotion(root / "Emotion" / subject / clip),
                units=_units(root / "FACS" / subject / clip),
                type="macro",
                first_number=numbers[0],
            )
        )
    return rows.manifest()


def _emotion(folder: Path) -> str:
    for file in sorted(folder.glob("*_emotion.txt")):
        with reading(file, "a code of 0 to 7", "Fetch the file again."):
            text = file.read_text(encoding="ascii").strip()
        if not text:
            return ""
        try:
            return CODES[int(float(text))]
        except (ValueError, IndexError) as error:
            raise DataError("a code of 0 to 7", f"'{text}' in {file}", "Fetch the file again.") from error
    return ""


def _units(folder: Path) -> str:
    """``4B+12C`` of lines "4 2" and "12 3"; intensity 0 was not coded."""
    found: list[str] = []
    for file in sorted(folder.glob("*_facs.txt")):
        with reading(file, "action units with their intensities", "Fetch the file again."):
            lines = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
            rows = [cells for cells in lines if len(cells) >= 2]
            found += [f"{int(float(unit))}{('', *'ABCDE')[int(float(degree))]}" for unit, degree, *_ in rows]
    return "+".join(found)
