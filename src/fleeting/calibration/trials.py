"""The trials of a calibration: the recording measured once, then movements put in, measured, and looked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fleeting.analysis.first_look import Progress, depth_for, staged
from fleeting.calibration import plan
from fleeting.calibration.injected_trial import LEAD_S, TAIL_S, Recording, Window, judge, measure, put_in, window_of
from fleeting.calibration.psychometric import DetectionFit, fit_detection
from fleeting.calibration.quiet_moments import Quiet
from fleeting.errors import NoFaceError
from fleeting.faces.track import Follower, Tracker
from fleeting.records import CalibrationTrial, FaceTrack
from fleeting.settings import AnalyseSettings, FaceSettings
from fleeting.spotting.measurements import MeasurementLog, Measurements
from fleeting.spotting.region_motion import RegionMotion
from fleeting.spotting.spot import spot
from fleeting.synthesis.face.movement import Movement
from fleeting.video.stream import VideoReader

SECONDS_PER_TRIAL = 10.0
"""Seconds of the recording for each movement that is looked for in one go: 3 % of the time do not change its noise."""

SIDE_BY_SIDE = 2
"""Trials that are measured at the same time; each holds a handful of frames."""

APART_S = 1.0
"""Seconds between two of them: more than the rest position of either looks around (`spotting.spot.MICRO_REST_S`)."""


class Told:
    """Tells the frames done, of a number that is an estimate until the end."""

    def __init__(self, progress: Progress | None, frames: int, trials: int, fps: float) -> None:
        window_s = float(np.mean(LEAD_S)) + float(np.mean(plan.DURATION_S)) * 1.2 + TAIL_S
        self._progress, self._done = progress, 0
        self._total = frames + round(trials * window_s * fps)

    def frames(self, count: int) -> None:
        """Tell that some frames more are done."""
        before, self._done = self._done, self._done + count
        if self._progress is not None and self._done // 16 > before // 16:
            self._progress(min(self._done, self._total - 1), self._total)

    def finish(self) -> None:
        """Tell that all is done."""
        if self._progress is not None:
            self._progress(self._total, self._total)


def _follower(settings: FaceSettings) -> Follower:
    if settings.landmarker == "mediapipe":
        from fleeting.faces.mediapipe_landmarks import MediaPipeLandmarker

        return MediaPipeLandmarker()
    from fleeting.faces.landmarks import LandmarkNet

    return LandmarkNet()


def measured_once(reader: VideoReader, settings: AnalyseSettings, track: FaceTrack, told: Told) -> Recording:
    """Measure the recording as it is, and keep the landmarks of the face (half a kilobyte a frame)."""
    motion, log = RegionMotion(settings.motion), MeasurementLog(track.id)
    times: list[float] = []
    points: list[npt.NDArray[np.float32]] = []
    nowhere = np.full((68, 2), np.nan, np.float32)
    depth = depth_for(reader.info.width, reader.info.height)
    with closing(staged(reader, Tracker(settings.faces), depth=depth)) as steps:
        for frame, seen in steps:
            times.append(frame.time_s)
            points.append(nowhere)
            for one in seen:
                if one.track == track.id:
                    sample = motion.update(frame.time_s, frame.grey, one.landmarks, one.segment)
                    log.add(frame.index, one.landmarks, sample)
                    points[-1] = np.asarray(one.landmarks.points, np.float32)
            told.frames(1)
    if not len(log):
        raise NoFaceError(
            f"face {track.id} of the timeline in {reader.path}", "a video without it", "Analyse the video again."
        )
    return Recording(reader, log.collect(np.array(times)), np.stack(points), settings, _follower(settings.faces))


@dataclass(frozen=True, slots=True)
class _Measured:
    """A movement with what was measured where it was put in; None where the face was lost."""

    movement: Movement
    window: Window
    there: Measurements | None


class Trials:
    """Puts movements in and keeps what became of them."""

    def __init__(self, recording: Recording, quiet: Quiet, rng: np.random.Generator, told: Told) -> None:
        self.recording, self.quiet, self._rng, self._told = recording, quiet, rng, told
        self._runs = list(recording.measured.runs())
        self.done: list[CalibrationTrial] = []

    def run(self, movements: list[Movement]) -> None:
        """Place, measure and look for movements; what became of them is added to `done`, in the same order."""
        placed = [self._place(m) for m in movements]  # before any thread runs, so that the seed decides
        measured: list[_Measured] = []
        with ThreadPoolExecutor(SIDE_BY_SIDE, "fleeting-trial") as pool:
            try:
                for trial, there in zip(placed, pool.map(lambda t: measure(self.recording, *t), placed), strict=True):
                    measured.append(_Measured(*trial, there))
                    self._told.frames(trial[1].last - trial[1].first + 1)
            finally:
                pool.shutdown(cancel_futures=True)
        found: dict[int, tuple[bool, bool]] = {}
        for group in self._groups(measured):
            found |= self._look([measured[i] for i in group], group)
        self.done += [_trial(m.movement, found.get(i, (False, False))) for i, m in enumerate(measured)]

    def fit(self) -> DetectionFit:
        """Fit all trials so far."""
        return fit_detection(np.array([t.percent for t in self.done]), np.array([t.found for t in self.done]))

    def _place(self, draft: Movement) -> tuple[Movement, Window]:
        time_s = self.recording.measured.time_s
        movement, stretch = plan.place(draft, self.quiet, time_s, self._rng)
        frame = self.quiet.stretches[stretch][0]
        run = next(r for r in self._runs if r.start <= frame < r.stop)
        return movement, window_of(time_s, movement, run=run, lead_s=float(self._rng.uniform(*LEAD_S)))

    def _groups(self, measured: list[_Measured]) -> list[list[int]]:
        """Trials that are looked for together: far apart, and so few that they do not change the recording's noise.

        Each goes into the first group that has room for it.
        """
        time_s = self.recording.measured.time_s
        most = max(1, int((time_s[-1] - time_s[0]) / SECONDS_PER_TRIAL))
        groups: list[list[int]] = []
        for i, trial in enumerate(measured):
            if trial.there is None:
                continue
            span = time_s[trial.window.first] - APART_S, time_s[trial.window.last] + APART_S
            for group in groups:
                others = [measured[j].window for j in group]
                if len(group) < most and all(time_s[w.last] < span[0] or time_s[w.first] > span[1] for w in others):
                    group.append(i)
                    break
            else:
                groups.append([i])
        return groups

    def _look(self, trials: list[_Measured], names: list[int]) -> dict[int, tuple[bool, bool]]:
        whole = self.recording.measured
        for trial in trials:
            if trial.there is not None:
                whole = put_in(whole, trial.there, trial.window)
        events, _ = spot(whole, self.recording.settings.spotting)
        apex = [int(np.argmin(np.abs(whole.time_s - t.movement.profile.apex_s))) for t in trials]
        return {n: judge(events, t.window, a) for n, t, a in zip(names, trials, apex, strict=True)}


def _trial(movement: Movement, answer: tuple[bool, bool]) -> CalibrationTrial:
    profile = movement.profile
    return CalibrationTrial(
        percent=movement.peak_percent_iod,
        found=answer[0],
        noticed=answer[1],
        onset_s=profile.onset_s,
        duration_s=profile.offset_s - profile.onset_s,
        emotion=movement.emotion,
        side=movement.side,
    )
