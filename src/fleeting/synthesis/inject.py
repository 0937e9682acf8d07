"""Putting expressions into a real video, with exact truth.

The video is read twice and never held: first the face's landmarks are measured in the frames in which something is to
move, then every frame is written, those of the movements warped, all others as they are. The displacement field belongs
to the face as it was when the movement began and is carried along by a similarity fitted to the landmarks, smoothed in
time: single landmarks jitter by as much as a micro-expression moves, and what the person does meanwhile stays theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fleeting.errors import FleetingWarning, NoFaceError, SettingsError
from fleeting.faces.align import ANCHOR_WEIGHTS, ANCHORS, fit_similarity
from fleeting.records import LID_KINDS
from fleeting.synthesis.face.action_units import displacement_field
from fleeting.synthesis.face.frame import Grid, face_frame, pixel_grid
from fleeting.synthesis.face.movement import Movement
from fleeting.synthesis.face.profile import START
from fleeting.synthesis.face.warp import sample_picture, trace_back
from fleeting.synthesis.truth import TruthRow
from fleeting.video.frame import Frame
from fleeting.video.stream import VideoReader
from fleeting.video.writer import VideoWriter

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]

SMOOTHING_S = 0.08
"""Standard deviation in seconds of the smoothing of the face's place; heads move slowly."""


class PointSource(Protocol):
    """Finds the landmarks of the face that is to move, frame after frame in order of time."""

    def __call__(self, frame: Frame) -> npt.NDArray[np.floating] | None:
        """Return (68, 2) landmarks in pixels of the frame, or None where the face is not seen."""


class DetectedFace:
    """Landmarks of the largest face by the shipped networks: found once, then followed."""

    def __init__(self) -> None:
        from fleeting.faces.detect import FaceDetector
        from fleeting.faces.landmarks import LandmarkNet

        self._detector, self._net = FaceDetector(), LandmarkNet()
        self._last: tuple[int, Any] | None = None

    def __call__(self, frame: Frame) -> npt.NDArray[np.floating] | None:
        """Return (68, 2) landmarks, or None."""
        points: Any = None
        if self._last is not None and frame.index - self._last[0] == 1:
            followed = self._net.from_points(frame.grey, [self._last[1]])[0]
            points = followed.points if followed.score >= 0.5 else None
        if points is None:
            found = self._detector(frame.grey)
            points = found[0][1].points if found else None
        self._last = None if points is None else (frame.index, points)
        return None if points is None else np.asarray(points, np.float64)


class Injection:
    """Expressions in a video.

    Parameters
    ----------
    reader
        The video.
    movements
        Expressions, in seconds of the video; no two may overlap, blinks are not among them.
    points
        Where the face is; `DetectedFace` where None.

    Attributes
    ----------
    rows
        Truth of the movements that were put in; ``file`` is the name of the video that was read. A movement during
        which the face is lost is left out, with a `FleetingWarning`.
    frame_count
        Frames of the video.

    Raises
    ------
    SettingsError
        For blinks or overlaps.
    """

    def __init__(
        self, reader: VideoReader, movements: Sequence[Movement], *, points: PointSource | None = None
    ) -> None:
        ordered = sorted(movements, key=lambda m: m.profile.first_s)
        if any(m.kind in LID_KINDS for m in ordered):
            raise SettingsError("expressions to inject", "a blink", "Leave blinks to the person in the video.")
        for first, second in zip(ordered, ordered[1:], strict=False):
            if second.profile.first_s <= first.profile.last_s:
                raise SettingsError(
                    "movements that do not overlap",
                    f"one that begins at {second.profile.first_s:.2f} s, before {first.profile.last_s:.2f} s",
                    "Move one of them.",
                )
        self._reader = reader
        self.rows: list[TruthRow] = []
        self.frame_count = 0
        self._anchors: dict[int, Floats] = {}
        self._by_frame: dict[int, Movement] = {}
        self._measure(ordered, points or DetectedFace())

    def _measure(self, movements: list[Movement], points: PointSource) -> None:
        seen: list[list[tuple[int, float, npt.NDArray[np.floating] | None]]] = [[] for _ in movements]
        last_s = 0.0
        for frame in self._reader:
            self.frame_count, last_s = frame.index + 1, frame.time_s
            for movement, frames in zip(movements, seen, strict=True):
                if movement.profile.first_s < frame.time_s < movement.profile.last_s:
                    frames.append((frame.index, frame.time_s, points(frame)))
        for movement, frames in zip(movements, seen, strict=True):
            self._keep(movement, frames, last_s)

    def _keep(
        self, movement: Movement, frames: list[tuple[int, float, npt.NDArray[np.floating] | None]], last_s: float
    ) -> None:
        strong = [f for f in frames if movement.profile(f[1]) >= START]
        reason = ""
        if movement.profile.first_s < 0 or movement.profile.last_s > last_s:
            reason = f"the video lasts from 0 to {last_s:.2f} s"
        elif not strong:
            reason = "no frame falls into it"
        elif any(f[2] is None for f in frames):
            reason = "the face is not seen all the time"
        if reason:
            p = movement.profile
            warnings.warn(
                f"The movement from {p.onset_s:.2f} to {p.offset_s:.2f} s was left out: {reason}.",
                FleetingWarning,
                stacklevel=2,
            )
            return
        measured = np.stack([np.asarray(f[2], np.float64) for f in frames])
        for (index, _, _), anchors in zip(frames, carried(measured, np.array([f[1] for f in frames])), strict=True):
            self._anchors[index], self._by_frame[index] = anchors, movement
        apex = max(strong, key=lambda f: movement.profile(f[1]))
        self.rows.append(
            TruthRow(
                file=self._reader.path.name,
                onset=strong[0][0],
                apex=apex[0],
                offset=strong[-1][0],
                kind=movement.kind,
                emotion=movement.emotion,
                onset_s=strong[0][1],
                apex_s=apex[1],
                offset_s=strong[-1][1],
                action_units=movement.action_units,
                side=movement.side,
                peak_percent_iod=movement.peak_percent_iod,
                fps=self._reader.info.fps,
            )
        )

    def field(self, frame: Frame) -> tuple[Grid, int, int] | None:
        """Known displacement of a frame against the frame as it was filmed, with its left column and top row.

        Returns None where nothing moves; else (h, w, 2) float32 pixels, and 0 outside this window.
        """
        movement = self._by_frame.get(frame.index)
        if movement is None:
            return None
        points = self._anchors[frame.index]
        face = face_frame(points)
        reach = 0.7 * face.iod
        left, top = np.floor(points.min(axis=0) - reach).astype(int).tolist()
        right, bottom = np.ceil(points.max(axis=0) + reach).astype(int).tolist()
        peak = movement.peak_percent_iod * movement.profile(frame.time_s)
        shape = (bottom - top, right - left)
        whole = displacement_field(points, shape, movement.activations, peak_percent_iod=peak, left=left, top=top)
        return whole, left, top

    def draw(self, frame: Frame) -> Picture:
        """Return a frame (h, w, 3) uint8 RGB with its movement; as it is where nothing moves."""
        known = self.field(frame)
        picture = frame.rgb
        if known is None:
            return picture
        field, left, top = known
        moving = np.argwhere(np.abs(field).max(axis=-1) > 0)
        if not len(moving):
            return picture
        # Everything that moves ends inside the support of the field, so only this box can change.
        low, high = moving.min(axis=0), moving.max(axis=0) + 1
        rows = slice(max(low[0] + top, 0), min(high[0] + top, picture.shape[0]))
        columns = slice(max(low[1] + left, 0), min(high[1] + left, picture.shape[1]))
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        if min(shape) <= 0:
            return picture
        grid = pixel_grid(shape, left=columns.start, top=rows.start)
        source = trace_back(field, grid, left=left, top=top)
        # A copy, since readers may hand out the same picture again.
        drawn = picture.copy()
        sampled = sample_picture(picture, source)
        drawn[rows, columns] = np.clip(np.rint(sampled), 0, 255).astype(np.uint8)
        return drawn

    def frames(self) -> Iterator[tuple[Frame, Picture]]:
        """Read the video again and yield every frame with its picture, (h, w, 3) uint8 RGB."""
        for frame in self._reader:
            yield frame, self.draw(frame)


def carried(points: Floats, times_s: Floats) -> Floats:
    """Carry the first landmarks (68, 2) through time by similarities.

    Parameters
    ----------
    points
        (n, 68, 2) measured landmarks.
    times_s
        (n,) seconds.

    Returns
    -------
    numpy.ndarray
        (n, 68, 2): shape of the mean face of the first frames, place, turn and size of each frame, smoothed with
        `SMOOTHING_S`.
    """
    # Local linear regression: a plain weighted mean would lag behind a moving face at both ends.
    apart = (times_s[None] - times_s[:, None]) / SMOOTHING_S
    near = np.exp(-0.5 * apart**2)
    s1, s2 = ((near * apart**k).sum(axis=1, keepdims=True) for k in (1, 2))
    weights = near * (s2 - apart * s1) + 1e-9 * near  # the last term is for a single frame, where s2 is 0
    weights /= weights.sum(axis=1, keepdims=True)
    smooth = np.einsum("ij,jkl->ikl", weights, points)
    first = smooth[0]
    matrices = [fit_similarity(first[ANCHORS], p[ANCHORS], ANCHOR_WEIGHTS) for p in smooth]
    return np.stack([first @ m[:, :2].T + m[:, 2] for m in matrices])


def inject(
    reader: VideoReader,
    path: str | Path,
    movements: Sequence[Movement],
    *,
    points: PointSource | None = None,
    crf: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[TruthRow]:
    """Write a video with expressions put in, and return its truth; sound is not kept.

    Parameters
    ----------
    reader, movements, points
        See `Injection`.
    path
        Its suffix chooses the container; ``.mkv`` with ``crf=0`` loses nothing but half of the colour's resolution.
    crf
        Constant-rate factor of H.264.
    progress
        Told the number of frames done, and of all frames.

    Raises
    ------
    NoFaceError
        Where every movement had to be left out.
    OutputError
        Where the disk refuses.
    SettingsError
        As `Injection`, or where a field folds.
    """
    from dataclasses import replace

    injection = Injection(reader, movements, points=points)
    if movements and not injection.rows:
        raise NoFaceError(
            f"a face in view during at least one of {len(movements)} movements",
            f"none in {reader.path.name}",
            "Choose a video that shows a face for longer, or another --seed.",
        )
    info = reader.info
    odd = info.width % 2 or info.height % 2
    with VideoWriter(
        path,
        fps=info.fps,
        size=(info.width, info.height),
        crf=16 if crf is None else crf,
        pixel_format="yuv444p" if odd else None,
    ) as film:
        for frame, picture in injection.frames():
            film.write(picture, time_s=frame.time_s if info.variable_frame_rate else None)
            if progress:
                progress(frame.index + 1, injection.frame_count)
    return [replace(row, file=Path(path).name) for row in injection.rows]
