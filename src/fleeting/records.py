"""The records that the parts of Fleeting hand to each other.

The frame convention, stated here and only here: frames are counted from 0 in presentation order; onset, apex and offset
are frames; an interval includes both its onset and its offset frame, so it covers ``offset - onset + 1`` frames. Times
are seconds from the first presented frame, taken from the true presentation timestamps. Displacements are percent of
the inter-ocular distance (outer eye corners, iBUG points 36 and 45) of the same face. A data set's own numbering is
converted at the door.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

EventKind = Literal["micro", "macro", "blink"]
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)

REGIONS: tuple[str, ...] = (
    "left_brow",
    "right_brow",
    "between_brows",
    "left_lid",
    "right_lid",
    "nose",
    "left_cheek",
    "right_cheek",
    "left_mouth_corner",
    "right_mouth_corner",
    "upper_lip",
    "lower_lip",
    "chin",
)
"""Face regions of the motion signal; left and right are the person's own."""


class FaceBox(NamedTuple):
    """A face box in pixels of the frame: left, top, width, height, and the finder's score in 0..1."""

    x: float
    y: float
    width: float
    height: float
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Interval:
    """Frames from ``onset`` to ``offset``, both included."""

    onset: int
    offset: int

    def __post_init__(self) -> None:
        if not 0 <= self.onset <= self.offset:
            raise ValueError(f"Expected 0 <= onset <= offset; got onset {self.onset}, offset {self.offset}.")

    def __len__(self) -> int:
        return self.offset - self.onset + 1

    def iou(self, other: Interval) -> float:
        """Intersection over union with another interval, in frames, both ends included."""
        shared = min(self.offset, other.offset) - max(self.onset, other.onset) + 1
        return max(shared, 0) / (len(self) + len(other) - max(shared, 0))


@dataclass(frozen=True, slots=True)
class SystemAnswer:
    """What one of several systems says of an event.

    Attributes
    ----------
    system
        Its name.
    emotion, probability
        Its class (``unsure`` where no class is probable enough), and the probability of its best class.
    probabilities
        Of every class of this system.
    """

    system: str
    emotion: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True)
class Event:
    """One facial movement, with its onset, apex and offset.

    Attributes
    ----------
    face
        Id of the `FaceTrack` that shows it.
    kind
        ``micro`` (at most half a second), ``macro`` (longer) or ``blink``.
    onset_frame, apex_frame, offset_frame
        Frames; `onset_s`, `apex_s`, `offset_s` the same in seconds.
    regions
        Regions (`REGIONS`) that moved, the strongest first.
    displacement_percent_iod
        Largest regional displacement at the apex, head motion removed, in percent of the inter-ocular distance.
    confidence
        In 0..1. micro: the judge's probability that it is one; macro: how far it stands out of this recording's own
        noise; blink: the share by which the eyes closed. Not the probability of an emotion.
    emotion, probability
        Recognised class (``unsure`` where no class is probable enough) and its calibrated probability; None where no
        recogniser was run (blinks).
    probabilities
        Probability of every class of the recogniser.
    systems
        Where several systems were asked, what each of them says; the first one's answer is `emotion` (of a
        macro-expression only where its whole face was not read).
    surroundings
        Mean probability of every class of `labels.SEVEN_CLASSES` over the face just before and after the event; empty
        where the whole face was not read.
    contradicts
        Whether a micro-expression says the opposite of the face around it (`inference.expressions.contradiction`).
    """

    face: int
    kind: EventKind
    onset_frame: int
    apex_frame: int
    offset_frame: int
    onset_s: float
    apex_s: float
    offset_s: float
    regions: tuple[str, ...] = ()
    displacement_percent_iod: float = math.nan
    confidence: float = math.nan
    emotion: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    systems: tuple[SystemAnswer, ...] = ()
    surroundings: dict[str, float] = field(default_factory=dict)
    contradicts: bool = False

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise ValueError(f"Expected an event kind of {EVENT_KINDS}; got {self.kind!r}.")
        if not 0 <= self.onset_frame <= self.apex_frame <= self.offset_frame:
            raise ValueError(
                "Expected 0 <= onset <= apex <= offset; "
                f"got {self.onset_frame}, {self.apex_frame}, {self.offset_frame}."
            )

    @property
    def interval(self) -> Interval:
        """The frames of the event."""
        return Interval(self.onset_frame, self.offset_frame)

    @property
    def duration_s(self) -> float:
        """Seconds from onset to offset."""
        return self.offset_s - self.onset_s

    @property
    def surrounding(self) -> str | None:
        """Most probable expression of the face around the event; None where the whole face was not read."""
        return max(self.surroundings, key=self.surroundings.__getitem__) if self.surroundings else None

    @property
    def surrounding_probability(self) -> float | None:
        """Mean probability of `surrounding`."""
        return max(self.surroundings.values()) if self.surroundings else None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file or folder says of itself.

    Attributes
    ----------
    path, name
        As given, and the stem that names the results.
    container, codec, pixel_format
        FFmpeg's names; ``images`` as container of an image folder.
    width, height
        Pixels as shown, after the rotation is applied.
    rotation
        Degrees clockwise that were applied, one of 0, 90, 180, 270.
    fps
        Average frames per second as a float (29.97 stays 29.97).
    variable_frame_rate
        Whether gaps between timestamps differ by more than rounding does.
    frame_count
        Number of frames that the header claims; None where it does not say.
    duration_s
        Seconds that the header claims; None where it does not say.
    bit_depth
        Bits per sample of the stored pictures.
    """

    path: str
    name: str
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    fps: float
    rotation: int = 0
    variable_frame_rate: bool = False
    frame_count: int | None = None
    duration_s: float | None = None
    bit_depth: int = 8


@dataclass(frozen=True, slots=True)
class FaceSegment:
    """A stretch of frames in which a track's face was seen without a gap."""

    onset_frame: int
    offset_frame: int


@dataclass(frozen=True, slots=True)
class FaceTrack:
    """One face over time.

    Attributes
    ----------
    id
        Counts from 0 in order of first appearance.
    segments
        Stretches in which it was seen; between them there are no values, none are interpolated.
    median_iod_px
        Median inter-ocular distance (outer eye corners) in pixels of the frame.
    median_box
        Median face box.
    """

    id: int
    segments: tuple[FaceSegment, ...]
    median_iod_px: float
    median_box: FaceBox

    @property
    def frame_count(self) -> int:
        """Number of frames in which the face was seen."""
        return sum(s.offset_frame - s.onset_frame + 1 for s in self.segments)


@dataclass(frozen=True, slots=True)
class Signals:
    """Per-frame measurements of one face; NaN where it was not seen.

    Attributes
    ----------
    face
        Id of the track.
    time_s
        (n,) seconds of each frame.
    motion
        (n, r) displacement magnitude of every region of `REGIONS` against its local rest, head motion removed, percent
        of the inter-ocular distance.
    eye_opening
        (n, 2) opening of the left and right eye, lid distance over eye width.
    mouth_opening
        (n,) inner lip distance over mouth width.
    pose
        (n, 3) yaw, pitch, roll of the head in degrees.
    noise
        (r,) this recording's own noise of each region's motion, same unit as `motion` (robust standard deviation).
    """

    face: int
    time_s: npt.NDArray[np.float64]
    motion: npt.NDArray[np.float32]
    eye_opening: npt.NDArray[np.float32]
    mouth_opening: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]
    noise: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.time_s)
        shapes = {
            "motion": (n, len(REGIONS)),
            "eye_opening": (n, 2),
            "mouth_opening": (n,),
            "pose": (n, 3),
            "noise": (len(REGIONS),),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Expected {name} of shape {shape}; got {getattr(self, name).shape}.")


ABSENT_STEPS = 2.5
"""Readings of an expression further apart than so many usual steps have an absence between them."""


@dataclass(frozen=True, slots=True)
class ExpressionCurve:
    """The expression of one face, read from some of the frames.

    Attributes
    ----------
    face
        Id of the track.
    frame
        (m,) int32, the frames that were read, rising; `time_s` the same in seconds, (m,) float64.
    probabilities
        (m, 7) float32, calibrated probabilities of `labels.SEVEN_CLASSES`, rows summing to 1.
    """

    face: int
    frame: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        m = len(self.frame)
        for name, shape in {"frame": (m,), "time_s": (m,), "probabilities": (m, 7)}.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"Expected {name} of shape {shape}; got {getattr(self, name).shape}.")

    @property
    def step_s(self) -> float:
        """Usual time between two readings in seconds; there must be two."""
        return float(np.median(np.diff(self.time_s)))

    @property
    def absences(self) -> npt.NDArray[np.bool_]:
        """(m - 1,) whether the face was away between a reading and the next: for longer than `ABSENT_STEPS` of them."""
        return np.asarray(np.diff(self.time_s) > ABSENT_STEPS * self.step_s)


@dataclass(frozen=True, slots=True)
class CalibrationTrial:
    """One movement that was put into a recording, and whether it was found.

    Attributes
    ----------
    percent
        Its peak displacement (the largest of any point of the skin), percent of the inter-ocular distance.
    found
        Whether a micro-expression was reported whose frames overlap it with an IoU of at least 0.5.
    noticed
        Whether a micro- or macro-expression was reported at its apex, whatever its onset and offset.
    onset_s, duration_s
        When, and from its onset to its offset.
    emotion, side
        Whose action units, and on which side of the person's face.
    """

    percent: float
    found: bool
    noticed: bool
    onset_s: float
    duration_s: float
    emotion: str
    side: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How small a movement a recording can show, measured by putting movements of known size into it.

    Displacements in percent of the inter-ocular distance, intervals at 95 %.

    Attributes
    ----------
    face
        Id of the track.
    summary
        The result in one sentence.
    percent_found_9_in_10, interval_percent
        Smallest displacement of which nine of ten are found, and its interval. NaN where nothing that was tried is
        found so often; an end of the interval is NaN where it lies outside what was tried.
    percent_found_half, lapse
        Displacement of which half are found (NaN likewise), and the share that is missed however large it is.
    tried_percent
        Smallest and largest displacement that was tried.
    curve
        Rows of displacement, rate, lowest and highest rate.
    bins
        Rows of lowest and highest displacement, trials, found, noticed, lowest and highest rate found (Wilson).
    reported_micro_per_minute
        Micro-expressions reported in the recording as it is. How many are false is not known: an upper bound.
    quiet_share
        Share of the recording, 0 to 1, in which movements could be put: the face in view, nothing else found, the head
        not in quick motion.
    limits
        What makes small movements hard to see in this recording, in sentences.
    trials
        All trials.
    seed
        Of the draw of the trials.
    """

    face: int
    summary: str
    percent_found_9_in_10: float
    interval_percent: tuple[float, float]
    percent_found_half: float
    lapse: float
    tried_percent: tuple[float, float]
    curve: tuple[tuple[float, float, float, float], ...]
    bins: tuple[tuple[float, float, int, int, int, float, float], ...]
    reported_micro_per_minute: float
    quiet_share: float
    limits: tuple[str, ...]
    trials: tuple[CalibrationTrial, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that an analysis found in one video.

    Attributes
    ----------
    video
        The recording.
    frame_count, duration_s
        Frames that were decoded, and the seconds from the first to the end of the last.
    tracks, events, signals
        Faces, movements in order of onset, and the curves behind them (one entry per analysed track).
    quality
        The panel of `fleeting probe`: measured values by name (see `inference.quality`).
    warnings
        What the user should know, in plain sentences.
    models
        Card summary of each network that was used, by role.
    settings
        Resolved settings, as plain dictionaries.
    version
        Version of Fleeting.
    calibration
        What `fleeting calibrate` measured; None where it was not run.
    expressions
        What the whole face shows over time, one curve per analysed face; empty where it was not read.
    """

    video: VideoInfo
    frame_count: int
    duration_s: float
    tracks: tuple[FaceTrack, ...] = ()
    events: tuple[Event, ...] = ()
    signals: tuple[Signals, ...] = ()
    quality: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    calibration: Calibration | None = None
    expressions: tuple[ExpressionCurve, ...] = ()

    def of_kind(self, kind: EventKind) -> tuple[Event, ...]:
        """Events of one kind, in order of onset."""
        return tuple(e for e in self.events if e.kind == kind)

    def to_dataframe(self) -> Any:
        """Events as a pandas data frame with the columns of ``events.csv``."""
        import pandas as pd

        rows = [[*(getattr(e, c) for c in EVENT_COLUMNS[:8]), *_tail(e)] for e in self.events]
        return pd.DataFrame(rows, columns=list(EVENT_COLUMNS))


EVENT_COLUMNS: tuple[str, ...] = (
    "face",
    "kind",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "onset_s",
    "apex_s",
    "offset_s",
    "emotion",
    "probability",
    "regions",
    "displacement_percent_iod",
    "confidence",
)


def _tail(event: Event) -> list[Any]:
    regions = "+".join(event.regions)
    return [event.emotion, event.probability, regions, event.displacement_percent_iod, event.confidence]


@dataclass(frozen=True, slots=True)
class EventMedia:
    """Pictures of one event for the report; all crops are canonical (`faces.align`), uint8 RGB.

    Attributes
    ----------
    onset, apex, offset
        (h, w, 3) crops at these frames.
    loop
        (t, h, w, 3) the event with its motion magnified, played to and fro.
    loop_fps
        Frames per second at which the loop is shown.
    flow
        (h, w, 2) flow onset -> apex in pixels of the crop, head motion removed.
    magnification
        Factor by which the loop's motion is enlarged.
    face
        (h, h, 3) the whole face at the apex, framed as the expression network sees it; None where it was not read.
    saliency
        (48, 48) float32: by how much the probability of `expression` falls when a place of `face` is covered
        (`explain.occlusion`); None likewise.
    expression, expression_probability
        Most probable expression at the apex, and its probability.
    """

    onset: npt.NDArray[np.uint8]
    apex: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.uint8]
    loop: npt.NDArray[np.uint8]
    loop_fps: float
    flow: npt.NDArray[np.float32]
    magnification: float
    face: npt.NDArray[np.uint8] | None = None
    saliency: npt.NDArray[np.float32] | None = None
    expression: str = ""
    expression_probability: float = math.nan


@dataclass(frozen=True, slots=True)
class Clip:
    """One annotated clip of a data set; frames counted from 0 inside the clip's source video."""

    dataset: str
    subject: str
    clip: str
    path: str
    fps: float
    onset: int
    apex: int | None
    offset: int
    label: str
    action_units: tuple[str, ...] = ()
