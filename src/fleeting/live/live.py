"""Events while they happen: the analysis of a recording's last seconds, again and again.

Everything up to the displacement of the cells is that of `analyse_video`. Spotting looks at a window of the last
seconds; what is found there is told once, when enough of what follows it was seen: rest is known from both sides of a
movement, so an event that has just ended could still become another one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fleeting.analysis.analyse import describe_models, expression_network, package_version
from fleeting.analysis.chosen_faces import analysed_tracks, check_faces, remarks_on_faces
from fleeting.analysis.first_look import FirstLook
from fleeting.errors import NoFaceError
from fleeting.faces.cuts import CutFinder
from fleeting.faces.looks import sightings
from fleeting.faces.track import Sighting
from fleeting.faces.upright import make_upright
from fleeting.live.faces import KeptFaces
from fleeting.motion.flow_image import expression_flow, flow_image
from fleeting.naming.action_units import ActionUnitNet
from fleeting.naming.recogniser import Recogniser
from fleeting.naming.whole_face import ExpressionMeter, named, with_surroundings
from fleeting.quality.meter import QualityMeter
from fleeting.records import LID_KINDS, REGIONS, Event, Signals, Timeline, VideoInfo
from fleeting.records.digits import rounded
from fleeting.settings import AnalyseSettings, FaceSettings, to_dict
from fleeting.spotting.cells import CELL_REGION
from fleeting.spotting.curves import of_regions
from fleeting.spotting.spot import spot
from fleeting.video.ahead import ahead
from fleeting.video.frame import Frame
from fleeting.video.live_source import LiveSource, Playback

WINDOW_S = 12.0
"""Seconds that are spotted in: longer than the rest of macro-expressions (8 s) and the longest one (4 s)."""

SETTLED_S = 0.8
"""An event is told so long after its offset: beyond the half window (0.65 s) of the rest of micro-expressions."""

SPOT_EVERY_S = 0.25

SPOT_SHARE = 1.0
"""Spotting waits at least this many times as long as it took the last time, so that frames get half of the time."""

AHEAD = 2
"""Frames that may wait for their motion to be measured."""

LEAST_SEEN_S = 2.0
"""Nothing is told before so much was seen."""

LEAST_RATE = 20.0
"""Frames a second around a micro-expression, below which it is not told: of a movement of 0.2 s three would be left."""

RATE_MARGIN_S = 0.5

SHOWN_REST = 45
"""Frames whose median is the rest of the curves that run along."""

FACES_AT_ONCE = 4
"""Faces that go through the expression network together: a second's readings, so that no frame waits long for them."""

SAME = 0.3
"""Two findings that share more than this of the shorter one are one event."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its place in time when it was told.

    Attributes
    ----------
    event
        Frames are counted among those that were analysed; seconds are those of the recording.
    delay_s
        Seconds from its offset to the moment of telling.
    """

    event: Event
    delay_s: float


def stand_upright(source: LiveSource, settings: FaceSettings) -> None:
    """Turn a source as the settings say; where they ask the faces, a file is looked at first, and a camera stays."""
    if isinstance(source, Playback):
        make_upright(source.reader, settings)
        source.info = source.reader.info
    elif settings.turn != "auto":
        source.turn(int(settings.turn))


def steps(source: LiveSource, analysis: LiveAnalysis) -> Generator[tuple[Frame, list[Sighting]]]:
    """Yield the frames of a source with their faces, which are found in a thread of its own.

    The source is asked for frames there, so it notices at once where they come too fast.
    """

    def seen() -> Generator[tuple[Frame, list[Sighting]]]:
        with closing(source.frames()) as frames:
            yield from sightings(frames, analysis.tracker, cuts=CutFinder(analysis.tracker.detector))

    return ahead(seen(), depth=AHEAD)


class LiveAnalysis:
    """Takes frames as they happen, gives events as soon as they are sure.

    Parameters
    ----------
    info
        What is filmed.
    settings
        See `settings.AnalyseSettings`.
    late_s
        Says how many seconds have passed since a moment of the recording: `video.live_source.LiveSource.late_s`.
    """

    def __init__(
        self, info: VideoInfo, *, settings: AnalyseSettings | None = None, late_s: Callable[[float], float]
    ) -> None:
        self.settings = settings or AnalyseSettings()
        check_faces(self.settings.faces)
        self._info, self._late_s = info, late_s
        self._meter = QualityMeter(info, settings=self.settings.faces)
        expressions = self.settings.expressions
        self._network = expression_network(expressions)
        self._readings: ExpressionMeter | None = None
        if self._network is not None:
            self._readings = ExpressionMeter(self._network, per_second=expressions.per_second, batch=FACES_AT_ONCE)
        self._look = FirstLook(self.settings, self._meter, expressions=self._readings)
        self.tracker = self._look.tracker
        self._told: list[Event] = []
        self._silent: list[Event] = []
        self._curves: list[tuple[Event, npt.NDArray[np.float32]]] = []
        self._kept = KeptFaces(seconds=WINDOW_S, crop_width=self.settings.motion.crop_width)
        self._next_spot_s = LEAST_SEEN_S
        self._recogniser: Recogniser | None = None
        self._units = ActionUnitNet()

    def add(self, frame: Frame, seen: list[Sighting]) -> list[Told]:
        """Take the next frame with its faces; give the events that have become sure."""
        self._look.add(frame, seen)
        self._kept.add(frame, self._look.logs)
        if frame.time_s < self._next_spot_s:
            return []
        began = self._late_s(0.0)
        told = self._tell(frame.time_s - SETTLED_S)
        took = self._late_s(0.0) - began
        self._next_spot_s = frame.time_s + max(SPOT_EVERY_S, SPOT_SHARE * took)
        return told

    def displacement(self) -> dict[int, npt.NDArray[np.float64]]:
        """Return by face in the last frame the displacement of each region of `REGIONS`, to be shown while it runs.

        (13,), percent of the inter-ocular distance, against the median of the last `SHOWN_REST` frames.
        """
        found = {}
        for face, log in self._look.logs.items():
            if log.last_frame == len(self._look.times) - 1:
                rows = log.rows[-SHOWN_REST:]["values"][:, : 2 * len(CELL_REGION)].reshape(-1, len(CELL_REGION), 2)
                found[face] = of_regions(np.linalg.norm(rows[-1:] - np.median(rows, axis=0), axis=2))[0]
        return found

    def end(self) -> list[Told]:
        """Give the events that were not yet sure when the recording ended."""
        return self._tell(np.inf) if self._look.times else []

    def timeline(self, *, dropped: int = 0) -> Timeline:
        """Return all that was told, with the curves behind it.

        Parameters
        ----------
        dropped
            Frames that were left out because this machine was too slow.

        Raises
        ------
        NoFaceError
            Where no face, or none large enough, was in view.
        """
        self._look.finish()
        if not self._look.times:
            raise NoFaceError("a recording", "no frame", "Check the camera.")
        chosen = [t for t in analysed_tracks(self._look, self.settings, self._info.path) if t.id in self._look.logs]
        told_of = {e.face for e in self._told} - {t.id for t in chosen}
        chosen += [t for t in self._look.tracks if t.id in told_of]
        shown = {} if self._readings is None else self._readings.curves()
        time_s = self._look.time_s
        # The curves of the whole recording; at an event, what was seen of it when it was told.
        signals: list[Signals] = [
            spot(self._look.logs[track.id].collect(time_s), self.settings.spotting)[1] for track in chosen
        ]
        of_face = {curves.face: curves for curves in signals}
        for event, motion in sorted(self._curves, key=lambda told: -told[0].duration_s):
            if event.face in of_face:
                rows = [REGIONS.index(name) for name in event.regions]
                of_face[event.face].motion[event.onset_frame : event.offset_frame + 1, rows] = motion[:, rows]
        notes = remarks_on_faces(self._look, chosen, self.settings)
        if dropped:
            share = dropped / (dropped + len(time_s))
            notes.append(
                f"{dropped} of {dropped + len(time_s)} frames ({share:.0%}) came faster than this machine could take "
                "them and were left out. A smaller picture or a lower frame rate helps."
            )
        if self._silent:
            notes.append(
                f"{len(self._silent)} possible micro-expressions were not told: fewer than {LEAST_RATE:g} frames a "
                "second were analysed around them. Analyse the recording afterwards with fleeting analyse."
            )
        gap = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
        timeline = Timeline(
            video=replace(self._info, variable_frame_rate=self._info.variable_frame_rate or dropped > 0),
            frame_count=len(time_s),
            duration_s=float(time_s[-1] + gap),
            tracks=tuple(sorted(self._look.tracks, key=lambda t: t.id)),
            events=tuple(sorted(self._told, key=lambda e: (e.onset_frame, e.face, e.offset_frame))),
            signals=tuple(signals),
            quality=self._meter.quality(chosen[0]).to_dict(),
            warnings=tuple(notes),
            models=describe_models(self.settings, network=self._network),
            settings=to_dict(self.settings),
            version=package_version(),
            expressions=tuple(shown[track.id] for track in chosen if track.id in shown),
            cuts=tuple(self.tracker.cuts),
        )
        return rounded(timeline)

    def _tell(self, until_s: float) -> list[Told]:
        found: list[Told] = []
        for face in self._faces():
            for event, motion in self._window_events(face):
                known = any(
                    e.face == face and (e.kind in LID_KINDS) == (event.kind in LID_KINDS) and _shared(e, event) > SAME
                    for e in [*self._told, *self._silent]
                )
                if known or event.offset_s > until_s:
                    continue
                if event.kind == "micro" and self._rate_around(event) < LEAST_RATE:
                    self._silent.append(event)
                    continue
                if event.kind not in LID_KINDS:
                    event = self._beside_the_face(self._recognised(event))
                event = rounded(event)
                self._told.append(event)
                self._curves.append((event, motion))
                found.append(Told(event, self._late_s(event.offset_s)))
        return found

    def _rate_around(self, event: Event) -> float:
        """Frames a second that were analysed around an event."""
        times = self._look.time_s
        first, last = max(event.onset_s - RATE_MARGIN_S, times[0]), min(event.offset_s + RATE_MARGIN_S, times[-1])
        within = int(np.searchsorted(times, last, "right") - np.searchsorted(times, first))
        return (within - 1) / max(float(last - first), 1e-6)

    def _faces(self) -> list[int]:
        """Faces that are told of: the one that was largest and longest in view in the window, the named one, or all."""
        self._look.finish()
        times, logs = self._look.time_s, self._look.logs
        first = int(np.searchsorted(times, times[-1] - WINDOW_S))
        sizes = {t.id: t.median_iod_px for t in self._look.tracks if t.id in logs}
        area = {
            face: size**2 * (len(logs[face]) - logs[face].place(first))
            for face, size in sizes.items()
            if size >= self.settings.faces.min_iod_px
        }
        known = sorted((face for face, there in area.items() if there > 0), key=lambda face: -area[face])
        one = not self.settings.faces.all_faces and self.settings.faces.face < 0
        return known[:1] if one else known

    def _window_events(self, face: int) -> list[tuple[Event, npt.NDArray[np.float32]]]:
        """Events of the last seconds of one face, with frames and seconds of the recording, and their curves."""
        times = self._look.time_s
        first = int(np.searchsorted(times, times[-1] - WINDOW_S))
        part = self._look.logs[face].since(first)
        if not len(part):
            return []
        events, signals = spot(part.collect(times[first:]), self.settings.spotting)
        # What the window cuts off at its beginning was told before, or is not known whole.
        whole = [e for e in events if first == 0 or e.onset_s > times[first] + SETTLED_S]
        return [
            (
                replace(
                    e,
                    onset_frame=e.onset_frame + first,
                    apex_frame=e.apex_frame + first,
                    offset_frame=e.offset_frame + first,
                ),
                signals.motion[e.onset_frame : e.offset_frame + 1].copy(),
            )
            for e in whole
        ]

    def _recognised(self, event: Event) -> Event:
        onset, apex = (self._kept.at(event.face, frame) for frame in (event.onset_frame, event.apex_frame))
        if onset is None or apex is None:
            return event
        flow, _ = expression_flow(onset.crop, apex.crop, method=self.settings.motion.event_flow)
        recogniser = self._recogniser = self._recogniser or Recogniser()
        image = flow_image(flow)
        row = recogniser(image[None])[0]
        label, probability = recogniser.name(row)
        event = replace(
            event,
            emotion=label,
            probability=float(probability),
            probabilities={name: float(p) for name, p in zip(recogniser.labels, row, strict=True)},
            action_units=self._units.of_flow_image(image),
        )
        if event.kind == "micro" or self._network is None:
            return event
        shown, before = self._network(np.stack([apex.whole, onset.whole]))
        return named(event, shown, before, least=self.settings.expressions.min_probability)

    def _beside_the_face(self, event: Event) -> Event:
        """Return an event with what the whole face showed around it, as far as that was seen by now."""
        if self._readings is None:
            return event
        return with_surroundings(
            [*self._told, event], self._readings.so_far(), self.settings.expressions, cuts=self.tracker.cuts
        )[-1]


def _shared(a: Event, b: Event) -> float:
    """Share of the shorter one that both cover."""
    both = min(a.offset_s, b.offset_s) - max(a.onset_s, b.onset_s)
    return both / max(min(a.offset_s - a.onset_s, b.offset_s - b.onset_s), 1e-6)
