"""A made-up but realistic timeline with pictures, for the tests of report and export and for looking at a report."""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import fields
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.analysis.pictures import Views, compressed
from fleeting.export.timeline_json import to_json
from fleeting.faces.align import canonical_points
from fleeting.records import (
    REGIONS,
    Event,
    EventKind,
    EventMedia,
    ExpressionCurve,
    FaceBox,
    FaceSegment,
    FaceTrack,
    Signals,
    Timeline,
    VideoInfo,
)
from fleeting.settings import AnalyseSettings, to_dict

FPS = 200.0
SECONDS = 15.0
HEIGHT, WIDTH = 170, 140
SPEAKS_S = (6.0, 8.0)

# kind, onset s, apex s, offset s, regions, peak % of the inter-ocular distance, emotion, its probability, confidence
PLAN: tuple[tuple[EventKind, float, float, float, tuple[str, ...], float, str | None, float | None, float], ...] = (
    ("blink", 0.90, 0.98, 1.12, ("left_lid", "right_lid"), 6.0, None, None, 0.99),
    ("micro", 2.10, 2.24, 2.45, ("left_brow", "right_brow", "left_lid"), 1.9, "surprise", 0.71, 0.97),
    ("blink", 3.70, 3.79, 3.92, ("right_lid", "left_lid"), 5.6, None, None, 0.99),
    ("micro", 5.00, 5.11, 5.32, ("between_brows", "nose"), 0.8, "unsure", 0.44, 0.58),
    ("micro", 6.80, 6.95, 7.20, ("left_mouth_corner", "right_mouth_corner", "left_cheek"), 2.4, "positive", 0.83, 0.99),
    ("blink", 8.40, 8.47, 8.60, ("left_lid", "right_lid"), 6.2, None, None, 0.99),
    ("macro", 9.20, 10.10, 11.30, ("right_mouth_corner", "left_mouth_corner", "lower_lip"), 9.0, "positive", 0.92, 1.0),
    ("blink", 12.10, 12.18, 12.30, ("left_lid", "right_lid"), 5.9, None, None, 0.99),
    ("micro", 13.20, 13.31, 13.49, ("right_mouth_corner", "upper_lip"), 1.2, "negative", 0.66, 0.86),
)


def make_timeline(*, faces: int = 1, name: str = "interview", seconds: float = SECONDS, seed: int = 0) -> Timeline:
    """A timeline with 4 micro-expressions, 1 macro-expression and 4 blinks for every face."""
    rng = np.random.default_rng(seed)
    n = round(seconds * FPS)
    time_s = np.arange(n) / FPS
    events = sorted(
        (_event(face, 0.4 * face, *row) for face in range(faces) for row in PLAN if row[3] + 0.4 * face < seconds),
        key=lambda e: (e.onset_frame, e.face),
    )
    probability = {"negative": 0.0, "positive": 0.0, "surprise": 0.0}
    return Timeline(
        video=VideoInfo(
            path=f"recordings/{name}.mp4",
            name=name,
            container="mov,mp4,m4a,3gp,3g2,mj2",
            codec="h264",
            pixel_format="yuv420p",
            width=1280,
            height=720,
            fps=FPS,
            frame_count=n,
            duration_s=n / FPS,
        ),
        frame_count=n,
        duration_s=n / FPS,
        tracks=tuple(
            FaceTrack(i, _segments(i, n), 96.4 - 12 * i, FaceBox(480.0 + 300 * i, 210.0, 190.0, 236.0, 0.98))
            for i in range(faces)
        ),
        events=tuple(events),
        signals=tuple(_signals(face, time_s, events, rng) for face in range(faces)),
        quality={
            "frame_rate": {
                "value": 200.0,
                "unit": "frames/s",
                "verdict": "good",
                "advice": "A movement of 0.2 s covers 40 frames.",
            },
            "face_size": {"value": 96.4, "unit": "px between the eyes", "verdict": "good", "advice": ""},
            "noise": {
                "value": 2.31,
                "unit": "grey levels",
                "verdict": "fair",
                "advice": "Use more light or a lower ISO setting.",
            },
            "blur": {"value": 0.42, "unit": "", "verdict": "poor", "advice": "Focus on the eyes and lock the focus."},
        },
        warnings=("The video breaks off at 15.0 s; it was analysed up to there.",),
        models={
            "landmarks": {"name": "landmarks", "version": "1", "scores": {"nme68": 0.046, "found": 0.995}},
            "recogniser": {
                "name": "fleeting",
                "version": "1",
                "labels": list(probability),
                "scores": {
                    "protocol": "leave-one-subject-out over 40 subjects, predictions pooled",
                    "uf1": 0.781,
                    "uar": 0.795,
                    "uf1_interval": [0.72, 0.83],
                },
                "limits": "Trained on posed and spontaneous clips of two laboratories.",
            },
        },
        settings=to_dict(AnalyseSettings()),
        version="0.1.0",
        expressions=tuple(_expressions(face, n) for face in range(faces)),
    )


def _expressions(face: int, n: int) -> ExpressionCurve:
    """A neutral face that smiles from 8 s on, read four times a second."""
    frame = np.arange(0, n, round(FPS / 4)).astype(np.int32)
    happy = np.clip((frame / FPS - 8.0) / 1.5, 0.04, 0.9)
    rest = np.array([0.1, 0.02, 0.03, 0.0, 0.1, 0.05, 0.7])
    shares = rest / rest.sum() * (1 - happy[:, None])
    shares[:, 3] = happy
    return ExpressionCurve(face, frame, frame / FPS, shares.astype(np.float32))


def make_media(
    timeline: Timeline,
    *,
    portrait: npt.NDArray[np.uint8] | None = None,
    kinds: tuple[str, ...] = ("micro", "macro"),
    loop_frames: int = 24,
) -> dict[int, EventMedia]:
    """Pictures of the events, compressed."""
    views = make_views(timeline, portrait=portrait, kinds=kinds, loop_frames=loop_frames)
    return {index: compressed(one, quality=78) for index, one in views.items()}


def make_views(
    timeline: Timeline,
    *,
    portrait: npt.NDArray[np.uint8] | None = None,
    kinds: tuple[str, ...] = ("micro", "macro"),
    loop_frames: int = 24,
) -> dict[int, Views]:
    """Pictures of the events, warped from a portrait (h, w, 3) or a drawn face."""
    face = drawn_face() if portrait is None else cv2.resize(portrait, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    views = {}
    for index, event in enumerate(timeline.events):
        if event.kind not in kinds:
            continue
        field = _field(event)
        swing = 0.5 - 0.5 * np.cos(np.linspace(0, 2 * math.pi, loop_frames, endpoint=False))
        views[index] = Views(
            onset=face,
            apex=_warp(face, field),
            offset=_warp(face, 0.15 * field),
            loop=np.stack([_warp(face, 6 * s * field) for s in swing]),
            loop_fps=20.0,
            flow=field,
            magnification=6.0,
            face=cv2.resize(face, (192, 192), interpolation=cv2.INTER_AREA),
            saliency=_saliency(),
            expression="happy",
            expression_probability=0.87,
            landmarks=(canonical_points(), canonical_points() + 0.5, canonical_points()),
        )
    return views


def _saliency() -> npt.NDArray[np.float32]:
    """A map around the mouth."""
    y, x = np.mgrid[0:48, 0:48]
    return (0.4 * np.exp(-(((x - 24) / 10) ** 2) - ((y - 36) / 5) ** 2) - 0.02).astype(np.float32)


def drawn_face() -> npt.NDArray[np.uint8]:
    """(170, 140, 3) uint8 RGB drawing of a face that fills the canonical crop."""
    picture = np.full((HEIGHT, WIDTH, 3), (88, 96, 110), np.uint8)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    skin = np.clip(205 - 0.35 * np.abs(x - 70) - 0.12 * np.abs(y - 80), 90, 255)
    inside = ((x - 70) / 78) ** 2 + ((y - 78) / 108) ** 2 < 1
    for channel, tint in enumerate((1.0, 0.82, 0.72)):
        picture[..., channel] = np.where(inside, skin * tint, picture[..., channel])
    for cx in (37, 103):
        cv2.ellipse(picture, (cx, 47), (14, 6), 0, 0, 360, (245, 245, 245), -1, cv2.LINE_AA)
        cv2.circle(picture, (cx, 47), 5, (60, 45, 40), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (cx, 30), (22, 8), 0, 195, 345, (70, 50, 40), 4, cv2.LINE_AA)
    cv2.ellipse(picture, (70, 98), (12, 6), 0, 10, 170, (150, 105, 90), 2, cv2.LINE_AA)
    cv2.ellipse(picture, (70, 122), (29, 9), 0, 5, 175, (165, 75, 75), 4, cv2.LINE_AA)
    return picture


_CENTRES = {
    "left_brow": (107, 24), "right_brow": (33, 24), "between_brows": (70, 28), "left_lid": (103, 44),
    "right_lid": (37, 44), "nose": (70, 85), "left_cheek": (112, 90), "right_cheek": (28, 90),
    "left_mouth_corner": (100, 124), "right_mouth_corner": (40, 124), "upper_lip": (70, 115), "lower_lip": (70, 134),
    "chin": (70, 158),
}  # fmt: skip


def _event(face: int, shift: float, *row: Any) -> Event:
    kind, onset, apex, offset, regions, peak, emotion, probability, confidence = row
    frames = [round((t + shift) * FPS) for t in (onset, apex, offset)]
    rest = {} if probability is None else _probabilities(emotion, probability)
    return Event(
        face=face,
        kind=kind,
        onset_frame=frames[0],
        apex_frame=frames[1],
        offset_frame=frames[2],
        onset_s=frames[0] / FPS,
        apex_s=frames[1] / FPS,
        offset_s=frames[2] / FPS,
        regions=regions,
        displacement_percent_iod=peak,
        confidence=confidence,
        emotion=emotion,
        probability=probability,
        probabilities=rest,
        surroundings={} if kind == "blink" else _around(onset),
        contradicts=emotion == "negative",
        speaking=SPEAKS_S[0] <= onset < SPEAKS_S[1],
    )


def _around(onset: float) -> dict[str, float]:
    happy = 0.82 if onset > 8 else 0.04
    rest = {"angry": 0.1, "disgust": 0.02, "fear": 0.03, "sad": 0.1, "surprise": 0.05, "neutral": 0.7}
    return {name: p * (1 - happy) for name, p in rest.items()} | {"happy": happy}


def _probabilities(emotion: str, probability: float) -> dict[str, float]:
    names = ("negative", "positive", "surprise")
    best = emotion if emotion in names else "negative"
    other = [name for name in names if name != best]
    return {best: probability, other[0]: 0.7 * (1 - probability), other[1]: 0.3 * (1 - probability)}


def _segments(face: int, n: int) -> tuple[FaceSegment, ...]:
    if face == 0:
        return (FaceSegment(0, n - 1),)
    return (FaceSegment(0, n // 2), FaceSegment(n // 2 + 100, n - 1))


def _signals(face: int, time_s: npt.NDArray[np.float64], events: list[Event], rng: np.random.Generator) -> Signals:
    n, r = len(time_s), len(REGIONS)
    noise = rng.uniform(0.06, 0.14, r).astype(np.float32)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4.0) ** 2)
    raw = rng.normal(size=(n, r))
    smooth = np.stack([np.convolve(raw[:, i], kernel, "same") for i in range(r)], axis=1)
    motion = np.abs(smooth / smooth.std()) * noise
    eyes = 0.30 + 0.004 * rng.normal(size=(n, 2))
    for event in (e for e in events if e.face == face):
        span = np.arange(event.onset_frame, min(event.offset_frame + 1, n))
        rise = np.clip((span - event.onset_frame) / max(event.apex_frame - event.onset_frame, 1), 0, 1)
        fall = np.clip((event.offset_frame - span) / max(event.offset_frame - event.apex_frame, 1), 0, 1)
        shape = np.sin(0.5 * math.pi * np.minimum(rise, fall)) ** 2
        for rank, region in enumerate(event.regions):
            motion[span, REGIONS.index(region)] += event.displacement_percent_iod * 0.75**rank * shape
        # As the spotter defines it, without the noise.
        motion[event.apex_frame, REGIONS.index(event.regions[0])] = event.displacement_percent_iod
        if event.kind == "blink":
            eyes[span] -= 0.26 * shape[:, None]
    pose = np.stack([4 * np.sin(0.6 * time_s), 2 * np.sin(0.4 * time_s + 1), np.sin(0.3 * time_s)], axis=1)
    mouth = 0.02 + 0.003 * rng.normal(size=n)
    speaking = ((time_s >= SPEAKS_S[0]) & (time_s < SPEAKS_S[1])).astype(np.float32)
    if face > 0:  # the second face leaves for half a second
        gap = slice(n // 2 + 1, n // 2 + 100)
        for values in (motion, eyes, pose, mouth, speaking):
            values[gap] = np.nan
    return Signals(
        face=face,
        time_s=time_s,
        motion=motion.astype(np.float32),
        eye_opening=eyes.astype(np.float32),
        mouth_opening=mouth.astype(np.float32),
        pose=pose.astype(np.float32),
        noise=noise,
        speaking=speaking,
    )


def _field(event: Event) -> npt.NDArray[np.float32]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    peak = 0.95 * event.displacement_percent_iod
    for rank, region in enumerate(event.regions):
        cx, cy = _CENTRES[region]
        bump = np.exp(-(((x - cx) / 16) ** 2) - ((y - cy) / 11) ** 2) * peak * 0.8**rank
        sideways = 0.5 if "mouth_corner" in region else 0.0
        field[..., 0] += bump * sideways * np.sign(cx - 70)
        field[..., 1] -= bump
    return field


def _warp(picture: npt.NDArray[np.uint8], field: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    shift = field.astype(np.float32)
    moved = cv2.remap(picture, x - shift[..., 0], y - shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def former_json(timeline: Timeline) -> dict[str, Any]:
    """What `to_json` gave in layout 1, with the curves in it."""

    def packed(record: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {"face": record.face}
        for one in fields(record):
            array = getattr(record, one.name)
            if isinstance(array, np.ndarray):
                raw = base64.b64encode(zlib.compress(array.tobytes())).decode("ascii")
                plain[one.name] = {"dtype": array.dtype.name, "shape": list(array.shape), "zlib_base64": raw}
        return plain

    curves = {
        "signals": [packed(s) for s in timeline.signals],
        "expressions": [packed(e) for e in timeline.expressions],
    }
    return to_json(timeline) | {"schema": "fleeting-timeline/1"} | curves
