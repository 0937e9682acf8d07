"""One video in, one timeline out: decode, follow faces, measure motion, spot, recognise, in bounded memory.

The frames stream by once; only numbers are kept of them (about 450 bytes a frame and face). A second look at the frames
of each event gives its pictures and its class.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fleeting import weights
from fleeting.errors import FleetingWarning, NoFaceError, SettingsError, VideoError
from fleeting.faces import expression
from fleeting.inference.expressions import ExpressionMeter, with_surroundings
from fleeting.inference.first_look import FirstLook, Progress, first_look
from fleeting.inference.quality import QualityMeter
from fleeting.inference.second_look import second_look
from fleeting.inference.systems import System, open_systems
from fleeting.records import Event, EventMedia, FaceTrack, Signals, Timeline
from fleeting.records.digits import rounded
from fleeting.settings import AnalyseSettings, ExpressionSettings, to_dict
from fleeting.spotting.measurements import Measurements
from fleeting.spotting.spot import spot
from fleeting.threads import one_blas_thread
from fleeting.video.reader import VideoReader, open_video

log = logging.getLogger(__name__)

LEAST_STILL_S = 0.3
"""For so long a face that lives moves visibly; over a few frames it may look like a still picture."""

MICRO_FPS = 25.0
"""Below this frame rate a movement of half a second covers too few frames to be told from noise."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What `analyse_video` gives.

    Attributes
    ----------
    timeline
        All that was found.
    media
        Pictures of micro- and macro-expressions, by place in ``timeline.events``.
    """

    timeline: Timeline
    media: Mapping[int, EventMedia]


@one_blas_thread()
def analyse_video(
    path: str | Path,
    *,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
    pictures: bool = True,
) -> Analysis:
    """Analyse one video.

    Parameters
    ----------
    path
        A video file, or a folder of numbered images.
    settings
        See `settings.AnalyseSettings`.
    fps
        Frames per second of an image folder.
    progress
        Called now and then.
    pictures
        Whether to make the pictures of each event; the classes are the same without.

    Raises
    ------
    VideoError
        Where the path is no usable video.
    NoFaceError
        Where no face, or none large enough, is in view.
    SettingsError
        For a system of recognition that is not known or not there, or an impossible number of readings a second.
    """
    settings = settings or AnalyseSettings()
    systems = open_systems(settings.recognition)
    network = expression_network(settings.expressions)
    with open_video(path, fps=fps) as reader:
        notes: list[str] = []
        meter = QualityMeter(reader.info, settings=settings.faces)
        readings = None if network is None else ExpressionMeter(network, per_second=settings.expressions.per_second)
        try:
            seen = first_look(reader, settings, meter, progress, expressions=readings)
        finally:
            shown = {} if readings is None else readings.curves()
        if not seen.times:
            raise VideoError("a video with frames", f"{path} without any", "Check the file in a player.")
        time_s = seen.time_s
        tracks = _usable_tracks(seen, settings, str(path))
        chosen = analysed_tracks(seen, settings, str(path))
        if len(tracks) > 1 and not settings.faces.all_faces:
            notes.append(
                f"{len(tracks)} faces in view; the largest (face {chosen[0].id}) was analysed. --all-faces takes all."
            )
        events: list[Event] = []
        signals: list[Signals] = []
        measured: dict[int, Measurements] = {}
        for track in chosen:
            measured[track.id] = seen.logs.pop(track.id).collect(time_s)
            found, curves = spot(measured[track.id], settings.spotting)
            events += found
            signals.append(curves)
        events.sort(key=lambda e: (e.onset_frame, e.face, e.offset_frame))
        events, media = second_look(reader, events, measured, settings, systems, network, pictures=pictures)
        shown = {track.id: shown[track.id] for track in chosen if track.id in shown}
        events = with_surroundings(events, shown, settings.expressions)
        notes += _remarks(reader, seen, time_s)
    for note in notes:
        warnings.warn(note, FleetingWarning, stacklevel=2)
    duration = float(time_s[-1] + (np.median(np.diff(time_s)) if len(time_s) > 1 else 0.0))
    timeline = Timeline(
        video=reader.info,
        frame_count=len(time_s),
        duration_s=duration,
        tracks=tuple(sorted(seen.tracks, key=lambda t: t.id)),
        events=tuple(events),
        signals=tuple(signals),
        quality=meter.quality(tracks[0]).to_dict(),
        warnings=tuple(dict.fromkeys([*reader.warnings, *notes])),
        models=describe_models(systems, network),
        settings=to_dict(settings),
        version=package_version(),
        expressions=tuple(shown.values()),
    )
    return Analysis(rounded(timeline), media)


def describe_models(
    systems: Mapping[str, System] | None = None, network: expression.ExpressionNet | None = None
) -> dict[str, Any]:
    """Card summary of each network that an analysis uses, by role.

    The system that decides is the ``recogniser`` (the shipped one where None); those beside it have their own names.
    What reads whole faces, if anything does, is the ``expression``.
    """
    whole = {} if network is None else {"expression": card_summary(network.card)}
    found = {name: card_summary(weights.card(name)) for name in ("face_finder", "landmarks")}
    if systems is None:
        return found | {"recogniser": card_summary(weights.card("recogniser"))} | whole
    for place, (name, system) in enumerate(systems.items()):
        found[name if place else "recogniser"] = card_summary(system.card)
    return found | whole


def card_summary(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results say of a network that made them."""
    return {key: card[key] for key in ("name", "version", "scores", "limits", "labels", "sha256") if key in card}


def expression_network(settings: ExpressionSettings) -> expression.ExpressionNet | None:
    """Return the network that reads whole faces; None where it is not asked for, or not part of this installation."""
    if settings.per_second < 0:
        raise SettingsError("0 or more readings a second", f"{settings.per_second:g}", "Change expressions.per_second.")
    return expression.ExpressionNet() if settings.per_second and expression.available() else None


def package_version() -> str:
    """Version of Fleeting."""
    import fleeting

    return str(fleeting.__version__)


def analysed_tracks(seen: FirstLook, settings: AnalyseSettings, path: str) -> list[FaceTrack]:
    """Return the largest face, or all that are large enough where the settings say so.

    Raises
    ------
    NoFaceError
        Where there is none.
    """
    tracks = _usable_tracks(seen, settings, path)
    return tracks if settings.faces.all_faces else tracks[:1]


def _usable_tracks(seen: FirstLook, settings: AnalyseSettings, path: str) -> list[FaceTrack]:
    """Tracks large enough to analyse, the largest (area times frames) first."""
    if not seen.tracks:
        dark = seen.brightness < 20
        raise NoFaceError(
            "a face in view",
            f"{path} with none in {len(seen.times)} frames" + (" (the picture is black or very dark)" if dark else ""),
            "More light is needed." if dark else "Film the face from the front, unobscured, at least 80 px wide.",
        )
    large = [t for t in seen.tracks if t.median_iod_px >= settings.faces.min_iod_px and t.id in seen.logs]
    if not large:
        widest = max(t.median_iod_px for t in seen.tracks)
        raise NoFaceError(
            f"a face with at least {settings.faces.min_iod_px:.0f} px between the outer eye corners",
            f"{path} with {widest:.0f} px at most",
            "Film from closer by or at a higher resolution; a small movement must cover a good part of a pixel.",
        )
    return sorted(large, key=lambda t: -(t.median_iod_px**2) * t.frame_count)


def _remarks(reader: VideoReader, seen: FirstLook, time_s: Any) -> list[str]:
    """Say what makes the result doubtful although the video could be analysed."""
    rate, lasts = reader.info.fps, time_s[-1] - time_s[0]
    notes = []
    if rate < MICRO_FPS:
        notes.append(
            f"{rate:.3g} frames/s: a micro-expression of 0.2 s covers {0.2 * rate:.1f} frames, too few to be found "
            f"reliably. Film at {MICRO_FPS:.0f} frames/s or more, better 100."
        )
    if not seen.changes and lasts >= LEAST_STILL_S:
        notes.append("All frames look the same: this is a still picture filmed as a video, so nothing can move in it.")
    if lasts < 1.0:
        notes.append(f"The video lasts {lasts:.2f} s: too short to know the face at rest. Film some seconds more.")
    return notes
