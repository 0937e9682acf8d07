"""What a measured quality means for finding micro-expressions, and what to do, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MICRO_S = 0.2
"""A micro-expression of middling length, in seconds, for the examples."""


SMOOTHED_BELOW = 0.25
"""Grey levels; rounding to 8 bits alone makes 0.29, so less noise than that was taken away by compression."""

_SMOOTHED = "Compression took the noise away, and perhaps the smallest movements with it. A higher bit rate keeps them."


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentences need beside the value itself.

    Attributes
    ----------
    fps, frames, variable
        Frame rate, number of frames, whether the rate varies.
    min_iod_px
        Smallest face that is analysed.
    grid_hz
        Power grid of the flicker; 0 where there is none.
    lossy
        Whether the pictures were compressed with loss.
    """

    fps: float
    frames: int
    variable: bool
    min_iod_px: float
    grid_hz: float
    lossy: bool


def smoothed(noise: float | None, *, lossy: bool) -> bool:
    """Whether there is less noise than any camera makes, because compression took it away."""
    return noise is not None and lossy and noise < SMOOTHED_BELOW


def say(name: str, value: float | None, verdict: str, facts: Facts) -> str:
    """Return the advice on a measure; empty where it is good and there is nothing to add."""
    if name == "frame_rate":
        return _frame_rate(facts, verdict)
    if value is None:
        return _UNKNOWN.get(name, "")
    if name == "noise" and smoothed(value, lossy=facts.lossy):
        return _SMOOTHED
    if verdict == "good":
        return ""
    return _ADVICE[name](value, facts)


def _frame_rate(facts: Facts, verdict: str) -> str:
    covers = MICRO_S * facts.fps
    text = f"A movement of {MICRO_S} s covers {covers:.2g} frame{'' if f'{covers:.2g}' == '1' else 's'}"
    if verdict == "poor":
        text += ": too few to be found reliably. Film at 100 frames/s or more."
    elif verdict == "fair":
        text += ": onset and offset are only as exact as one frame. Use 100 frames/s or more if the camera can."
    else:
        text += "."
    if facts.variable:
        text += " The rate varies; true times are used, but switch the camera to a constant rate if it allows."
    return text


def _dropped(value: float, facts: Facts) -> str:
    missing = "1 frame is missing in a gap" if value == 1 else f"{value:.0f} frames are missing in gaps"
    return (
        f"{missing} between the timestamps: movements there are lost. "
        "Record to a faster disk, or at a lower resolution."
    )


def _repeated(value: float, facts: Facts) -> str:
    share = value / max(facts.frames, 1)
    if share > 0.95:
        return "All frames show the same picture: a still picture or a frozen recording, in which nothing can move."
    if share > 0.1:
        true = facts.fps * (1 - share)
        return (
            f"{100 * share:.0f} % of the frames repeat the one before: the true rate is about {true:.0f} frames/s. "
            "Use the camera's original file instead of a converted one."
        )
    repeat = "1 frame repeats" if value == 1 else f"{value:.0f} frames repeat"
    return f"{repeat} the one before: the camera or the recorder could not keep up."


def _face_size(value: float, facts: Facts) -> str:
    one_percent = f"a movement of 1 % of this distance is {value / 100:.1f} px"
    if value < facts.min_iod_px:
        return f"Too small to be analysed (at least {facts.min_iod_px:.0f} px): film from closer by."
    return f"Small: {one_percent}. Film from closer by or at a higher resolution, for 80 px or more."


def _face_in_view(value: float, facts: Facts) -> str:
    if value == 0:
        return "No face was found. Film the face from the front, unobscured and well lit."
    return f"No face was found in {100 - value:.0f} % of the frames that were looked at; nothing can be said of these."


def _noise(value: float, facts: Facts) -> str:
    return "Noise hides small movements. Use more light, a lower ISO setting or a larger aperture."


def _blur(value: float, facts: Facts) -> str:
    return "The face is out of focus or blurred by motion. Focus on the eyes, lock the focus, use a shorter exposure."


def _clipped(value: float, facts: Facts) -> str:
    return "Black or white patches have no texture to follow. Correct the exposure, or soften the light."


def _brightness(value: float, facts: Facts) -> str:
    return "The face is dark: use more light." if value < 100 else "The face is too bright: expose less."


def _blockiness(value: float, facts: Facts) -> str:
    return "Compression blocks move by themselves. Record at a higher bit rate; avoid copies from messengers and calls."


def _flicker(value: float, facts: Facts) -> str:
    period = 2 * facts.grid_hz
    return (
        f"Lamps on the {facts.grid_hz:.0f} Hz grid make the picture pulse at {period:.0f} Hz. "
        "Use daylight, or lamps for video that do not flicker."
    )


_ADVICE: dict[str, Callable[[float, Facts], str]] = {
    "dropped_frames": _dropped,
    "repeated_frames": _repeated,
    "face_size": _face_size,
    "face_in_view": _face_in_view,
    "noise": _noise,
    "blur": _blur,
    "clipped": _clipped,
    "brightness": _brightness,
    "blockiness": _blockiness,
    "flicker": _flicker,
}

_UNKNOWN = {
    "face_size": "No face was found. Film the face from the front, unobscured and well lit.",
    "noise": "Nothing changes between frames, so noise cannot be told.",
    "blur": "No edges of a face to measure at.",
    "flicker": "Cannot be seen at this frame rate or in so short a time.",
}
