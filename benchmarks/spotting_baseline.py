"""A simple spotter, to compare with: landmarks once, DIS flow over 0.2 s, similarity removed, z-score per region."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np

from fleeting.errors import NoFaceError
from fleeting.faces.align import CANONICAL_POINTS, crop_size, fit_similarity
from fleeting.faces.detect import FaceDetector
from fleeting.motion.flow import dense_flow
from fleeting.motion.regions import signal_regions
from fleeting.records import REGIONS, Event, Timeline
from fleeting.video.reader import open_video

LAG_S = 0.2
THRESHOLD = 6.0  # robust standard deviations; best F1 on the clean films of the validation people
JOIN_S = 0.2  # the flow over the lag is small again in the middle of a movement; chosen there, too
LIDS = ("left_lid", "right_lid")


def spot_simply(path: Path, fps: float | None = None) -> Timeline:
    """Spot micro- and macro-expressions and blinks in one video.

    Raises
    ------
    NoFaceError
        Where the first frame shows none.
    """
    signals, times = [], []
    with open_video(path, fps=fps) as reader:
        info = reader.info
        lag = max(round(LAG_S * info.fps), 1)
        kept: deque[np.ndarray] = deque(maxlen=lag + 1)
        for frame in reader:
            if not times:
                faces = FaceDetector()(frame.grey)
                if not faces:
                    raise NoFaceError("a face in the first frame", f"none in {path}", "Cut the video.")
                to_crop = fit_similarity(faces[0][1].points, CANONICAL_POINTS)
                points = faces[0][1].points @ to_crop[:, :2].T + to_crop[:, 2]
                height, width = crop_size()
                masks = _masks(points, (height, width))
                grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)[::6, ::6].reshape(-1, 2)
            times.append(frame.time_s)
            kept.append(cv2.warpAffine(frame.grey, to_crop, (width, height), flags=cv2.INTER_AREA))
            flow = dense_flow(kept[0], kept[-1], method="dis")
            rigid = fit_similarity(grid, grid + flow[::6, ::6].reshape(-1, 2))
            here = np.einsum("rhw,hwc->rc", masks, flow)
            middles = np.einsum("rhw,hwc->rc", masks, np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1))
            signals.append(np.linalg.norm(here - (middles @ rigid[:, :2].T + rigid[:, 2] - middles), axis=1))
    events = _events(np.array(signals), np.array(times), lag)
    return Timeline(info, len(times), times[-1] + 1 / info.fps, events=tuple(events))


def _masks(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    polygons = signal_regions(points)
    masks = np.zeros((len(REGIONS), *shape), np.float32)
    for mask, name in zip(masks, REGIONS, strict=True):
        cv2.fillPoly(mask, [np.rint(polygons[name]).astype(np.int32)], 1.0)
    return masks / np.maximum(masks.sum(axis=(1, 2), keepdims=True), 1)


def _events(signal: np.ndarray, times: np.ndarray, lag: int) -> list[Event]:
    middle = np.median(signal, axis=0)
    z = (signal - middle) / (1.4826 * np.median(np.abs(signal - middle), axis=0) + 1e-9)
    above = np.flatnonzero(z.max(axis=1) > THRESHOLD)
    events = []
    for group in np.split(above, np.flatnonzero(np.diff(times[above]) > JOIN_S) + 1):
        if len(group) < 2:
            continue
        # The flow over the lag sees a movement from its onset until one lag after its offset.
        onset, offset = int(group[0]), max(int(group[-1]) - lag, int(group[0]) + 1)
        strongest = REGIONS[int(np.argmax(z[group].max(axis=0)))]
        kind = "micro" if times[offset] - times[onset] <= 0.5 else "macro"
        kind = "blink" if strongest in LIDS else kind
        apex = (onset + offset) // 2
        seconds = (float(times[i]) for i in (onset, apex, offset))
        events.append(Event(0, kind, onset, apex, offset, *seconds, (strongest,)))
    return events
