"""Is this footage fit for micro-expressions? Measured values, verdicts and advice.

`QualityMeter` is fed frame by frame, so that an analysis has its quality panel from the same pass; `quality.probe`
feeds it the beginning of a video alone. The verdicts and what they rest on:

==================  ====================  ====================  ========================================================
measure             good                  fair                  because
==================  ====================  ====================  ========================================================
frame_rate          >= 100 frames/s       >= 25 frames/s        the data sets are filmed at 100 (SMIC) to 200 (CASME II,
                                                                SAMM); at 25 a movement of 0.2 s covers 5 frames
dropped_frames      none                  one, or < 1 %         a gap hides an apex, and motion across it looks sudden
repeated_frames     none                  one, or < 1 %         as above; many mean that the true rate is lower
face_size           >= 80 px              >= 40 px              outer eye corners; SMIC's faces have about 80, and the
                                                                canonical crop about 90, so more adds little; at 40 a
                                                                movement of 1 % is 0.4 px, the reach of dense flow
face_in_view        >= 95 %               >= 70 %               nothing can be said of the rest
noise               <= 2 grey levels      <= 5                  flow loses movements below 0.3 px at 1.5 grey levels
                                                                already (2.8 ms DIS flow, 160 x 160 portraits); below
                                                                0.25 compression took it away, and it is fair
blur                <= 2 %                <= 4 %                of the inter-ocular distance, about 90 mm: 2 % is the
                                                                margin of a lid, at 4 % lashes and lid are one
clipped             <= 1 %                <= 5 %                clipped skin has no texture to follow
brightness          60..200               35..225               mean grey level of the face
blockiness          <= 1.3                <= 1.6                portraits by H.264: 1.29 at crf 38, 1.55 at 43; by JPEG:
                                                                1.36 at quality 60, 1.64 at 30 (studies/quality.py)
flicker             <= 0.5 %              <= 2 %                of the brightness; 2 % of mid-grey is 2.5 grey levels,
                                                                more than a camera's noise
==================  ====================  ====================  ========================================================
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.quality import advice
from fleeting.quality import pictures as measure
from fleeting.records import FaceTrack, VideoInfo
from fleeting.rows import Rows
from fleeting.settings import FaceSettings
from fleeting.video.frame import Frame

Verdict = Literal["good", "fair", "poor", "unknown"]
_ORDER: tuple[Verdict, ...] = ("poor", "fair", "good", "unknown")

SAMPLE_S = 0.25
"""Seconds between the frames at which noise, blur, exposure and blockiness are measured."""

LONGEST_SIDE = 960
"""Pictures of faces are halved until no side is longer, for speed."""

LOSSLESS = frozenset({"ffv1", "rawvideo", "png", "huffyuv", "ffvhuff", "utvideo", "bmp", "tif", "tiff", "pgm", "ppm"})
"""Codecs and image formats that keep what the camera gave."""

_FRAME = np.dtype([("time_s", "<f8"), ("change", "<f4"), ("brightness", "<f4")])
"""What is kept of a frame; no change is known of the first one."""

REPEATED = 0.05
"""A frame that differs from the one before by less than this share of the median difference repeats it."""


class Face(Protocol):
    """What is needed of a face; `faces.landmarks.Landmarks` is one."""

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """(68, 2) pixels of the frame."""

    @property
    def iod(self) -> float:
        """Inter-ocular distance in pixels."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured property.

    Attributes
    ----------
    value
        None where it could not be measured.
    unit
        In words.
    verdict
        ``unknown`` where the value is None.
    advice
        What it means and what to do, in plain words; empty where there is nothing to add.
    """

    value: float | None
    unit: str
    verdict: Verdict
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """All measures of a recording, by name (see the table of this module)."""

    measures: dict[str, Measure]

    @property
    def verdict(self) -> Verdict:
        """The worst of all."""
        return worst(*(m.verdict for m in self.measures.values()))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain dictionaries: name -> value, unit, verdict, advice."""
        return {
            name: {"value": m.value, "unit": m.unit, "verdict": m.verdict, "advice": m.advice}
            for name, m in self.measures.items()
        }


def judge(value: float | None, good: float, fair: float) -> Verdict:
    """Return the verdict on a value; where `good` is the larger bound, more is better. Bounds are included."""
    if value is None:
        return "unknown"
    sign = 1.0 if good > fair else -1.0
    if sign * value >= sign * good:
        return "good"
    return "fair" if sign * value >= sign * fair else "poor"


def worst(*verdicts: Verdict) -> Verdict:
    """Return the worst verdict; an unknown one counts only where there is no other."""
    return min(verdicts, key=_ORDER.index, default="unknown")


class QualityMeter:
    """Measures a video while its frames stream by; keeps 16 bytes a frame on the disk, and one frame.

    Parameters
    ----------
    info
        The video.
    settings
        For the smallest face that is analysed.
    folder
        As for `rows.Rows`.
    """

    def __init__(self, info: VideoInfo, *, settings: FaceSettings | None = None, folder: Path | None = None) -> None:
        self._info, self._settings = info, settings or FaceSettings()
        self._frames = Rows(_FRAME, folder=folder)
        self._previous: npt.NDArray[np.uint8] | None = None
        self._next_sample_s = 0.0
        self._samples: dict[str, array[float]] = {}
        self._looked = self._seen = 0

    def wants_faces(self, frame: Frame) -> bool:
        """Whether this frame, about to be added, is one at which faces are measured."""
        return frame.time_s >= self._next_sample_s

    def add(self, frame: Frame, faces: Sequence[Face] = ()) -> None:
        """Measure the next frame.

        Parameters
        ----------
        frame
            In order.
        faces
            All faces in it; may be left out where `wants_faces` says no.
        """
        grey = frame.grey
        previous, self._previous = self._previous, grey
        change = np.nan
        if previous is not None and previous.shape == grey.shape:
            change = cv2.norm(previous, grey, cv2.NORM_L1) / grey.size
        self._frames.append((frame.time_s, change, cv2.mean(grey[::4, ::4])[0]))
        if not self.wants_faces(frame):
            return
        self._next_sample_s = frame.time_s + SAMPLE_S
        self._looked += 1
        largest = max(faces, key=lambda face: face.iod, default=None)
        if largest is not None:
            self._seen += 1
            self._keep("face_size", float(largest.iod))
        self._sample(grey, previous, largest)

    def _sample(self, grey: npt.NDArray[np.uint8], previous: npt.NDArray[np.uint8] | None, face: Face | None) -> None:
        if previous is not None and previous.shape == grey.shape:
            self._keep("noise", measure.temporal_noise(previous, grey))
        self._keep("blockiness", measure.blockiness(grey))
        picture = grey if face is None else _around(grey, face)
        if picture.size == 0:
            return
        self._keep("clipped", 100.0 * measure.clipped_share(picture))
        self._keep("brightness", float(picture.mean()))
        if face is not None:
            scale = 1.0
            while max(picture.shape) > LONGEST_SIDE:
                picture = np.asarray(cv2.pyrDown(picture), np.uint8)
                scale *= 2.0
            blur = measure.edge_blur(picture)
            self._keep("blur", None if blur is None else 100.0 * blur * scale / face.iod)

    def _keep(self, name: str, value: float | None) -> None:
        if value is not None:
            self._samples.setdefault(name, array("d")).append(value)

    def _median(self, name: str) -> float | None:
        values = self._samples.get(name)
        return float(np.median(values)) if values else None

    def quality(self, track: FaceTrack | None = None) -> Quality:
        """Return the verdicts on all frames so far.

        Parameters
        ----------
        track
            The face that was analysed; its size stands for that of the largest face in view.
        """
        fps = self._info.fps
        dropped, repeated = self._gaps(), self._repeats()
        frames = len(self._frames)
        size = self._median("face_size") if track is None else track.median_iod_px
        view = 100.0 * self._seen / self._looked if self._looked else None
        noise, blur, clipped = self._median("noise"), self._median("blur"), self._median("clipped")
        brightness, blocks = self._median("brightness"), self._median("blockiness")
        flicker = self._flicker()
        depth = flicker[0] if flicker else None
        light = worst(judge(brightness, 60, 35), judge(brightness, 200, 225))
        lossy = self._info.codec not in LOSSLESS
        grain: Verdict = "fair" if advice.smoothed(noise, lossy=lossy) else judge(noise, 2, 5)
        missing: Verdict = "poor" if self._looked and not self._seen else judge(size, 80, 40)
        if size is not None and size < self._settings.min_iod_px:
            missing = "poor"
        rows: list[tuple[str, float | None, str, Verdict]] = [
            ("frame_rate", fps, "frames/s", judge(fps, 100, 25)),
            ("dropped_frames", dropped, _frames(dropped), _share_verdict(dropped, frames)),
            ("repeated_frames", repeated, _frames(repeated), _share_verdict(repeated, frames)),
            ("face_size", size, "px between the outer eye corners", missing),
            ("face_in_view", view, "% of the time", judge(view, 95, 70)),
            ("noise", noise, "grey levels", grain),
            ("blur", blur, "% of the inter-ocular distance", judge(blur, 2, 4)),
            ("clipped", clipped, "% of the face" if self._seen else "% of the picture", judge(clipped, 1, 5)),
            ("brightness", brightness, "of 255 grey levels", light),
            ("blockiness", blocks, "times the difference within blocks", judge(blocks, 1.3, 1.6)),
            ("flicker", depth, "% of the brightness", judge(depth, 0.5, 2)),
        ]
        facts = advice.Facts(
            fps=fps,
            frames=frames,
            variable=self._info.variable_frame_rate,
            min_iod_px=self._settings.min_iod_px,
            grid_hz=flicker[1] if flicker else 0.0,
            lossy=lossy,
        )
        return Quality(
            {name: Measure(v, unit, verdict, advice.say(name, v, verdict, facts)) for name, v, unit, verdict in rows}
        )

    def _gaps(self) -> float | None:
        """Frames that are missing in gaps of at least one and a half times the median gap."""
        if len(self._frames) < 3:
            return None
        gaps = np.diff(self._frames.column("time_s"))
        typical = float(np.median(gaps))
        if typical <= 0:
            return None
        long = gaps[gaps > 1.5 * typical]
        return float(np.sum(np.rint(long / typical) - 1))

    def _repeats(self) -> float | None:
        """Frames that show the same picture as the one before."""
        changes = self._frames.column("change")
        changes = changes[~np.isnan(changes)]
        if len(changes) < 2:
            return None
        return float(np.sum((changes == 0) | (changes < REPEATED * float(np.median(changes)))))

    def _flicker(self) -> tuple[float, float] | None:
        if self._info.variable_frame_rate or (self._gaps() or 0) > 0.01 * len(self._frames):
            return None
        return measure.flicker_depth(self._frames.column("brightness").astype(np.float64), self._info.fps)


def _frames(count: float | None) -> str:
    return "frame" if count == 1 else "frames"


def _share_verdict(count: float | None, frames: int) -> Verdict:
    """Return the verdict on frames that are missing or repeated; a single one hides an instant of any film."""
    if count == 1:
        return "fair"
    return "unknown" if count is None else judge(count / max(frames, 1), 0.0, 0.01)


def _around(grey: npt.NDArray[np.uint8], face: Face) -> npt.NDArray[np.uint8]:
    """Cut the face out by the box of its landmarks, which leaves background and hair outside."""
    height, width = grey.shape
    left, top = np.floor(face.points.min(axis=0)).astype(int)
    right, bottom = np.ceil(face.points.max(axis=0)).astype(int)
    return grey[max(top, 0) : min(bottom + 1, height), max(left, 0) : min(right + 1, width)]


def quality_rows(quality: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, value with its unit, verdict and advice of each measure of `quality.meter.Quality.to_dict`."""
    for name, found in quality.items():
        value = found["value"]
        said = "not measured" if value is None else f"{value:.3g} {found['unit']}"
        yield name.replace("_", " "), said, found["verdict"], found["advice"]
