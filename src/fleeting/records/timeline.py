"""A recording, all that was found in it, and the pictures of it that a report shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleeting.errors import InputError
from fleeting.files import require_pandas
from fleeting.records.calibration import Calibration
from fleeting.records.events import Event, EventKind
from fleeting.records.faces import ExpressionCurve, FaceTrack, Signals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    turn
        Those among them that the file does not ask for: they were added because the faces lay on their side, or because
        the user said so.
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
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one shot ends and another begins; nothing is measured across it.

    Attributes
    ----------
    frame, time_s
        First frame of the new shot, and its seconds.
    onset_frame
        First frame that is no longer wholly the old shot: `frame` itself, or the beginning of a dissolve. From there to
        `frame` nothing is measured.
    """

    frame: int
    time_s: float
    onset_frame: int


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
        The panel of `fleeting probe`: measured values by name (see `quality.meter`).
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
    cuts
        Where the film goes on with another shot, in order.
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
    cuts: tuple[Cut, ...] = ()

    def of_kind(self, kind: EventKind) -> tuple[Event, ...]:
        """Events of one kind, in order of onset."""
        return tuple(e for e in self.events if e.kind == kind)

    def to_dataframe(self) -> Any:
        """Events as a pandas data frame with the columns of ``events.csv``.

        Raises
        ------
        MissingExtraError
            Without the extra ``tables``.
        """
        require_pandas("data frames")
        import pandas as pd

        rows = [[*(getattr(e, c) for c in EVENT_COLUMNS[:8]), *_tail(e)] for e in self.events]
        return pd.DataFrame(rows, columns=list(EVENT_COLUMNS))

    def plot(
        self,
        *,
        face: int | None = None,
        start: float | None = None,
        end: float | None = None,
        ax: Axes | None = None,
        width_mm: float = 180.0,
    ) -> Figure:
        """Draw one face's curve and events as a figure for a journal: millimetres, text of 7 points, safe colours.

        Parameters
        ----------
        face
            Id of the face; the first analysed one where None.
        start, end
            Seconds to begin and end with; the whole recording where None.
        ax
            Axes of your own figure, whose place is used.
        width_mm
            Width of the figure in millimetres, where there is no `ax`. A journal's column has about 88, its page 180.

        Returns
        -------
        The matplotlib figure: ``timeline.plot().savefig("timeline.pdf")``.

        Raises
        ------
        MissingExtraError
            Without the extra ``plots``.
        InputError
            For a face that was not analysed, a span without a length, or a width that leaves no room.
        """
        from fleeting.records.figure import draw

        faces = [s.face for s in self.signals] or [e.face for e in self.events]
        if face is not None and face not in faces:
            raise InputError(f"an analysed face ({', '.join(map(str, faces)) or 'none'})", str(face), "Choose one.")
        face = face if face is not None else next(iter(faces), 0)
        return draw(
            next((s for s in self.signals if s.face == face), None),
            [e for e in self.events if e.face == face],
            (0.0 if start is None else start, self.duration_s if end is None else end),
            width_mm=width_mm,
            ax=ax,
        )


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
    "speaking",
    "action_units",
    "action_unit_probabilities",
)


def _tail(event: Event) -> list[Any]:
    regions = "+".join(event.regions)
    chances = "+".join(f"{p:.4f}" for p in event.action_unit_probabilities)
    measured = [event.emotion, event.probability, regions, event.displacement_percent_iod, event.confidence]
    return [*measured, event.speaking, event.action_units_text, chances]


@dataclass(frozen=True, slots=True)
class EventMedia:
    """Pictures of one event as the report shows them: bytes of WebP files, compressed once (`analysis.pictures`).

    Attributes
    ----------
    onset, apex, offset
        Canonical crops (`faces.align`) at these frames.
    movement
        The apex in grey, tinted where the flow onset -> apex is large.
    arrows, gain
        The flow as an SVG path in a field of 140 x 170, and the factor by which its arrows are longer than the
        movement.
    loop
        The event with its motion magnified: `count` pictures of `width` x `height` pixels, side by side in rows of
        `columns`. Empty where there is none.
    columns, count, width, height
        Of `loop`.
    loop_fps
        Frames per second at which the loop is shown.
    magnification
        Factor by which the loop's motion is enlarged.
    face
        The whole face at the apex in grey, tinted where covering it lowers the probability of `expression`
        (`naming.occlusion`); empty where it was not read.
    expression, expression_probability
        Most probable expression at the apex, and its probability.
    outlines
        The landmarks at onset, apex and offset as SVG paths in a field of 140 x 170, to be shown instead of the face;
        empty where they are not known.
    """

    onset: bytes
    apex: bytes
    offset: bytes
    movement: bytes
    arrows: str
    gain: float
    loop: bytes
    columns: int
    count: int
    width: int
    height: int
    loop_fps: float
    magnification: float
    face: bytes = b""
    expression: str = ""
    expression_probability: float = math.nan
    outlines: tuple[str, ...] = ()
