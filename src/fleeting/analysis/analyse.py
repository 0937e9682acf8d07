"""One video in, one timeline out: decode, follow faces, measure motion, spot, recognise, in bounded memory.

The frames stream by once; only numbers are kept of them, on the disk. A second look at the frames of each event gives
its pictures and its class.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting import weights
from fleeting.analysis.chosen_faces import analysed_tracks, check_faces, fully_measured, remarks_on_faces
from fleeting.analysis.event_media import open_networks
from fleeting.analysis.first_look import FirstLook, Progress, first_look
from fleeting.analysis.kept_look import KeptLook, KeptPart
from fleeting.analysis.second_look import second_look
from fleeting.errors import FleetingWarning, VideoError
from fleeting.faces.upright import open_upright
from fleeting.motion.learned_flow import NAME as FLOW_NETWORK
from fleeting.naming import expression_net as expression
from fleeting.naming.action_units import NAME as ACTION_UNITS
from fleeting.naming.action_units import ActionUnitNet
from fleeting.naming.systems import System, open_systems
from fleeting.naming.whole_face import ExpressionMeter, with_surroundings
from fleeting.quality.meter import Measure, QualityMeter
from fleeting.records import Event, EventMedia, ExpressionCurve, FaceTrack, Signals, Timeline
from fleeting.records.digits import rounded
from fleeting.settings import AnalyseSettings, ExpressionSettings, in_range, to_dict
from fleeting.spotting.measurements import StoredMeasurements
from fleeting.spotting.spot import spot
from fleeting.spotting.voice import voice_share
from fleeting.threads import one_blas_thread
from fleeting.video.stream import VideoReader
from fleeting.video.trouble import unchanged

log = logging.getLogger(__name__)

LEAST_STILL_S = 0.3
"""For so long a face that lives moves visibly; over a few frames it may look like a still picture."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What `analyse_video` gives.

    Attributes
    ----------
    timeline
        All that was found.
    media
        Pictures of micro- and macro-expressions, by place in ``timeline.events``.
    faces
        A (96, 96, 3) RGB picture of each face, by id.
    """

    timeline: Timeline
    media: Mapping[int, EventMedia]
    faces: Mapping[int, npt.NDArray[np.uint8]] = field(default_factory=dict)


@one_blas_thread()
def analyse_video(
    path: str | Path,
    *,
    settings: AnalyseSettings | None = None,
    fps: float | None = None,
    progress: Progress | None = None,
    pictures: bool = True,
    kept: KeptLook | None = None,
    folder: Path | None = None,
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
    kept
        Where the first look is kept while it is under way, and taken up again; nowhere where None.
    folder
        Where what grows with the film lies meanwhile; with the system's temporary files where None.

    Raises
    ------
    VideoError
        Where the path is no usable video.
    NoFaceError
        Where no face, none large enough, or not the one that is asked for is in view.
    SettingsError
        Where one face and all of them are asked for; for a system of recognition that is not known or not there, or an
        impossible number of readings a second.
    """
    settings = in_range(settings or AnalyseSettings())
    check_faces(settings.faces)
    systems = open_systems(settings.recognition)
    network = expression_network(settings.expressions)
    units = ActionUnitNet()
    with (
        unchanged(Path(path)),
        open_upright(path, fps=fps, settings=settings.faces, limits=settings.limits) as reader,
        ThreadPoolExecutor(1, "fleeting-early") as early,
    ):
        early.submit(open_networks, settings.motion)
        notes: list[str] = []
        chosen, seen, meter, shown = chosen_faces_in(reader, settings, network, progress, kept, folder)
        time_s = seen.time_s
        notes += remarks_on_faces(seen, chosen, settings)
        events: list[Event] = []
        signals: list[Signals] = []
        measured: dict[int, StoredMeasurements] = {}
        voice = voice_share(reader.sound(), time_s)
        for track in chosen:
            measured[track.id] = StoredMeasurements(seen.logs.pop(track.id), time_s)
            found, curves = spot(measured[track.id], settings.spotting, voice=voice, folder=folder)
            events += found
            signals.append(curves)
        events.sort(key=lambda e: (e.onset_frame, e.face, e.offset_frame))
        events, media = second_look(
            reader, events, measured, settings, systems, network, units, pictures=pictures, folder=folder
        )
        shown = {track.id: shown[track.id] for track in chosen if track.id in shown}
        events = with_surroundings(events, shown, settings.expressions, cuts=seen.tracker.cuts)
        quality = meter.quality(chosen[0])
        notes += _remarks(quality.measures["frame_rate"], seen, time_s)
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
        quality=quality.to_dict(),
        warnings=tuple(dict.fromkeys([*reader.warnings, *notes])),
        models=describe_models(settings, systems, network),
        settings=to_dict(settings),
        version=package_version(),
        expressions=tuple(shown.values()),
        cuts=tuple(seen.tracker.cuts),
    )
    if not pictures:
        return Analysis(rounded(timeline), media)
    return Analysis(rounded(timeline), media, seen.portraits.pictures())


def chosen_faces_in(
    reader: VideoReader,
    settings: AnalyseSettings,
    network: expression.ExpressionNet | None = None,
    progress: Progress | None = None,
    kept: KeptLook | None = None,
    folder: Path | None = None,
) -> tuple[list[FaceTrack], FirstLook, QualityMeter, dict[int, ExpressionCurve]]:
    """Look at a video, and once more where the face that is analysed was not the largest one throughout.

    Returns
    -------
    chosen, seen, meter, shown
        Tracks to analyse, each fully measured; the look at them, the quality, and the expressions by track.

    Raises
    ------
    VideoError, NoFaceError
        As `analyse_video`.
    """
    seen, meter, shown = _looked(reader, settings, network, progress, None if kept is None else kept.part(0), folder)
    if not seen.times:
        raise VideoError("a video with frames", f"{reader.path} without any", "Check the file in a player.")
    chosen = analysed_tracks(seen, settings, str(reader.path))
    if not all(fully_measured(seen, track) for track in chosen):
        # Another face was larger for a while, so this one was left out there.
        alone = replace(settings, faces=replace(settings.faces, face=chosen[0].id))
        seen, meter, shown = _looked(reader, alone, network, progress, None if kept is None else kept.part(1), folder)
    return chosen, seen, meter, shown


def _looked(
    reader: VideoReader,
    settings: AnalyseSettings,
    network: expression.ExpressionNet | None,
    progress: Progress | None,
    kept: KeptPart | None,
    folder: Path | None,
) -> tuple[FirstLook, QualityMeter, dict[int, ExpressionCurve]]:
    meter = QualityMeter(reader.info, settings=settings.faces, folder=folder)
    with contextlib.nullcontext() if kept is None else kept:
        readings = None
        if network is not None:
            read = network if kept is None else kept.network(network)
            readings = ExpressionMeter(read, per_second=settings.expressions.per_second)
        try:
            seen = first_look(reader, settings, meter, progress, expressions=readings, kept=kept, folder=folder)
        finally:
            shown = {} if readings is None else readings.curves()
    return seen, meter, shown


def describe_models(
    settings: AnalyseSettings,
    systems: Mapping[str, System] | None = None,
    network: expression.ExpressionNet | None = None,
) -> dict[str, Any]:
    """Card summary of each network that an analysis uses, by role.

    The system that decides is the ``recogniser`` (the shipped one where None); those beside it have their own names.
    What reads whole faces, if anything does, is the ``expression``.
    """
    learned = [FLOW_NETWORK] if "learned" in (settings.motion.flow, settings.motion.event_flow) else []
    found = {name: card_summary(weights.card(name)) for name in ("face_finder", "landmarks", "spotter", *learned)}
    whole = {ACTION_UNITS: card_summary(weights.card(ACTION_UNITS))}
    whole |= {} if network is None else {"expression": card_summary(network.card)}
    if systems is None:
        return found | {"recogniser": card_summary(weights.card("fleeting"))} | whole
    for place, (name, system) in enumerate(systems.items()):
        found[name if place else "recogniser"] = card_summary(system.card)
    return found | whole


def card_summary(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results say of a network that made them."""
    return {key: card[key] for key in ("name", "version", "scores", "limits", "labels", "sha256") if key in card}


def expression_network(settings: ExpressionSettings) -> expression.ExpressionNet | None:
    """Return the network that reads whole faces; None where it is not asked for, or not part of this installation."""
    return expression.ExpressionNet() if settings.per_second and expression.available() else None


def package_version() -> str:
    """Version of Fleeting."""
    return metadata.version("fleeting")


def _remarks(rate: Measure, seen: FirstLook, time_s: Any) -> list[str]:
    """Say what makes the result doubtful although the video could be analysed."""
    lasts = time_s[-1] - time_s[0]
    notes = []
    if rate.verdict == "poor":
        notes.append(f"{rate.value:.3g} frames/s: {rate.advice[0].lower()}{rate.advice[1:]}")
    if not seen.changes and lasts >= LEAST_STILL_S:
        notes.append("All frames look the same: this is a still picture filmed as a video, so nothing can move in it.")
    if lasts < 1.0:
        notes.append(f"The video lasts {lasts:.2f} s: too short to know the face at rest. Film some seconds more.")
    return notes
