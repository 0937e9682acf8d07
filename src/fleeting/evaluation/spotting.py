"""Spotting measured against marked events, with the metric of the MEGC challenges.

Conventions
-----------
- A spotted interval is a true positive when its IoU with a marked interval of the same video and kind is at least 0.5
  (``>=``), frames counted with both ends (MEGC 2020: Li et al., "MEGC2020 - the third facial micro-expression grand
  challenge", FG 2020, section III).
- Matching is one to one. At IoU >= 0.5 a marked interval can have several candidates only if these overlap each other;
  pairs are taken in descending IoU, so the best pair counts. The other candidates are false positives.
- Counts are pooled over all videos, those without marked events included, then F1 = 2 TP / (2 TP + FP + FN).
- ``all`` pools the counts of micro and macro. Blinks and winks are counted apart and belong to none of these figures.
- Analysis is the share of right classes among spotted true positives whose emotion is marked (three classes of
  `labels.TO_THREE`; "unsure" is never right). STRS = F1 of spotting times macro F1 of analysis.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleeting.errors import DataError, FleetingError
from fleeting.files import cell_text, write_text
from fleeting.labels import THREE_CLASSES, TO_THREE
from fleeting.records import EVENT_KINDS, Event, Timeline, is_hidden
from fleeting.synthesis.truth import TruthRow, read_truth
from fleeting.video.trouble import IMAGE_SUFFIXES, VIDEO_SUFFIXES

IOU = 0.5
TRUTH_NAME = "truth.csv"
AMPLITUDE_EDGES = (0.0, 0.7, 1.0, 1.8, 3.0, 5.0, math.inf)
"""Percent of the inter-ocular distance: edges of the bins in which recall is given."""

Analyse = Callable[[Path, float | None], Timeline]
"""Analyses one video, given the frames per second that the truth states for it, if any; `fleeting.shipped` passes the
shipped analysis."""


@dataclass(slots=True)
class Counts:
    """True positives, false positives and false negatives of one kind."""

    hits: int = 0
    false_alarms: int = 0
    misses: int = 0

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN where there is nothing to count."""
        total = 2 * self.hits + self.false_alarms + self.misses
        return 2 * self.hits / total if total else math.nan

    def plus(self, other: Counts) -> Counts:
        """Pool with other counts."""
        return Counts(self.hits + other.hits, self.false_alarms + other.false_alarms, self.misses + other.misses)

    def to_dict(self) -> dict[str, Any]:
        """Return counts with precision, recall and F1; None where undefined."""
        spotted, marked = self.hits + self.false_alarms, self.hits + self.misses
        return {
            "true_positives": self.hits,
            "false_positives": self.false_alarms,
            "false_negatives": self.misses,
            "precision": self.hits / spotted if spotted else None,
            "recall": self.hits / marked if marked else None,
            "f1": None if math.isnan(self.f1) else self.f1,
        }


@dataclass(frozen=True, slots=True)
class Marked:
    """A video and what is marked in it.

    Attributes
    ----------
    path
        Of the video or the folder of images.
    rows
        Its events.
    fps
        Frames per second that the truth states, if any.
    uncodable
        Stretches that nobody could judge: what lies in them for more than half does not count.
    """

    path: Path
    rows: tuple[TruthRow, ...]
    fps: float | None = None
    uncodable: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A marked event with what was spotted for it, or one of them alone."""

    file: str
    truth: TruthRow | None
    event: Event | None
    iou: float = 0.0


@dataclass(slots=True)
class SpottingResult:
    """What `evaluate_spotting` gives: ``metrics`` for ``metrics.json`` and the matches behind it."""

    metrics: dict[str, Any]
    matches: list[Match] = field(default_factory=list)


def match_events(file: str, truth: Sequence[TruthRow], events: Sequence[Event]) -> list[Match]:
    """Match the events of one kind in one video, one to one, best IoU first."""
    pairs = [(row.interval.iou(event.interval), i, j) for i, row in enumerate(truth) for j, event in enumerate(events)]
    rows: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for iou, i, j in sorted(pairs, key=lambda p: (-p[0], p[1], p[2])):
        if iou < IOU:
            break
        if i not in rows and j not in taken:
            rows[i] = (j, iou)
            taken.add(j)
    matches = [
        Match(file, row, events[rows[i][0]], rows[i][1]) if i in rows else Match(file, row, None)
        for i, row in enumerate(truth)
    ]
    return matches + [Match(file, None, event) for j, event in enumerate(events) if j not in taken]


def evaluate_spotting(
    folder: Path, analyse: Analyse, *, on_done: Callable[[str, int, int], None] | None = None
) -> SpottingResult:
    """Analyse all videos of a folder and compare with its ``truth.csv``.

    Parameters
    ----------
    folder
        Holds ``truth.csv`` (columns file, onset, apex, offset, kind, emotion; more are welcome, see
        `synthesis.truth`) and the videos: files, or folders of numbered images. Videos that the table does not name
        hold no event.
    analyse
        Called for each video.
    on_done
        Called after each video with its name, its place and their number.

    Raises
    ------
    DataError
        Where the table or the videos are missing or do not fit each other.
    """
    truth = read_truth(folder / TRUTH_NAME) if folder.is_dir() else []
    marked = {name: [row for row in truth if row.file == name] for name in find_videos(folder, {r.file for r in truth})}
    return measure_spotting(
        {
            name: Marked(folder / name, tuple(rows), next((r.fps for r in rows if math.isfinite(r.fps)), None))
            for name, rows in marked.items()
        },
        analyse,
        on_done=on_done,
    )


def measure_spotting(
    videos: Mapping[str, Marked], analyse: Analyse, *, on_done: Callable[[str, int, int], None] | None = None
) -> SpottingResult:
    """Analyse videos and compare with what is marked in them; parameters as for `evaluate_spotting`, videos by name."""
    matches: list[Match] = []
    failed: dict[str, str] = {}
    seconds = 0.0
    quiet_seconds, quiet_alarms = 0.0, 0
    for place, (name, video) in enumerate(videos.items()):
        rows = [r for r in video.rows if not is_hidden(r.face, r.interval, video.uncodable)]
        events: Sequence[Event] = ()
        try:
            timeline = analyse(video.path, video.fps)
        except FleetingError as error:
            # What cannot be analysed has found nothing: its marked events are misses.
            failed[name] = str(error)
        else:
            events = [e for e in timeline.events if not is_hidden(e.face, e.interval, video.uncodable)]
            seconds += timeline.duration_s
            if not any(row.kind == "micro" for row in rows):
                quiet_seconds += timeline.duration_s
                quiet_alarms += sum(e.kind == "micro" for e in events)
        for kind in EVENT_KINDS:
            matches += match_events(name, [r for r in rows if r.kind == kind], [e for e in events if e.kind == kind])
        if on_done is not None:
            on_done(name, place, len(videos))
    metrics = summarise(matches, seconds=seconds)
    metrics |= {
        "videos": len(videos),
        "minutes": seconds / 60,
        "failed": failed,
        "videos_without_micro": {
            "minutes": quiet_seconds / 60,
            "false_micro": quiet_alarms,
            "false_micro_per_minute": quiet_alarms / (quiet_seconds / 60) if quiet_seconds else None,
        },
    }
    return SpottingResult(metrics, matches)


def write_spotting(result: SpottingResult, out: Path) -> dict[str, Any]:
    """Write ``metrics.json`` and ``events.csv`` (one row per marked or spotted event), and return the metrics."""
    columns: tuple[str, ...] = (
        "file",
        "kind",
        "truth_onset",
        "truth_apex",
        "truth_offset",
        "truth_emotion",
        "peak_percent_iod",
    )
    columns += ("onset", "apex", "offset", "emotion", "probability", "confidence", "iou")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for m in result.matches:
        t, e = m.truth, m.event
        marked = ("",) * 5 if t is None else (t.onset, t.apex, t.offset, t.emotion, t.peak_percent_iod)
        spotted = (
            ("",) * 6
            if e is None
            else (e.onset_frame, e.apex_frame, e.offset_frame, e.emotion, e.probability, e.confidence)
        )
        writer.writerow((cell_text(m.file), _kind(m), *marked, *spotted, f"{m.iou:.3f}"))
    write_text(out / "events.csv", text.getvalue())
    write_text(out / "metrics.json", json.dumps(result.metrics, indent=2) + "\n")
    return result.metrics


def find_videos(folder: Path, named: Iterable[str]) -> list[str]:
    """Names of all videos of a folder: files of known suffixes, folders that hold images, and what the table names.

    Raises
    ------
    DataError
        Where the folder is none, holds no video, or lacks a named one.
    """
    if not folder.is_dir():
        raise DataError("a folder with videos and truth.csv", f"{folder}", "Check the path.")
    wanted = set(named)
    missing = sorted(name for name in wanted if not (folder / name).exists())
    if missing:
        raise DataError(
            f"the videos that {TRUTH_NAME} names", f"no {missing[0]}", "Put it into the folder, or correct the table."
        )
    for entry in folder.iterdir():
        is_images = entry.is_dir() and any(p.suffix.lower() in IMAGE_SUFFIXES for p in entry.iterdir())
        if is_images or (entry.is_file() and entry.suffix.lower() in VIDEO_SUFFIXES):
            wanted.add(entry.name)
    if not wanted:
        raise DataError("videos in the folder", f"{folder} without any", "Check the path.")
    return sorted(wanted)


def summarise(matches: Sequence[Match], *, seconds: float) -> dict[str, Any]:
    """Metrics of pooled matches; `seconds` is the length of all videos together."""
    counts = {kind: _count(matches, kind) for kind in EVENT_KINDS}
    everything = counts["micro"].plus(counts["macro"])
    micro = [m for m in matches if m.truth is not None and m.truth.kind == "micro"]
    found = [m for m in micro if m.event is not None]
    metrics: dict[str, Any] = {kind: counts[kind].to_dict() for kind in EVENT_KINDS}
    metrics["all"] = everything.to_dict()
    metrics["f1"] = metrics["micro"]["f1"]
    metrics["false_micro_per_minute"] = counts["micro"].false_alarms / (seconds / 60) if seconds else None
    metrics["recall_by_amplitude"] = _by_amplitude(micro)
    metrics["timing_error_ms"] = _timing(found)
    metrics["analysis"] = _analysis(found)
    analysis_f1 = metrics["analysis"]["f1"]
    spotting_f1 = metrics["f1"]
    metrics["strs"] = None if analysis_f1 is None or spotting_f1 is None else spotting_f1 * analysis_f1
    return metrics


def _kind(match: Match) -> str:
    side = match.truth or match.event
    assert side is not None
    return side.kind


def _count(matches: Sequence[Match], kind: str) -> Counts:
    counts = Counts()
    for match in matches:
        if _kind(match) == kind:
            counts.hits += match.truth is not None and match.event is not None
            counts.misses += match.event is None
            counts.false_alarms += match.truth is None
    return counts


def _by_amplitude(micro: Sequence[Match]) -> list[dict[str, Any]]:
    known = [(m.truth.peak_percent_iod, m.event is not None) for m in micro if m.truth is not None]
    bins: list[dict[str, Any]] = []
    for low, high in zip(AMPLITUDE_EDGES, AMPLITUDE_EDGES[1:], strict=False):
        hits = [hit for peak, hit in known if low <= peak < high]
        if hits:
            top = None if math.isinf(high) else high
            bins.append({"from": low, "to": top, "events": len(hits), "recall": sum(hits) / len(hits)})
    return bins


def _timing(found: Sequence[Match]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name in ("onset", "apex", "offset"):
        errors = sorted(
            abs(getattr(m.event, f"{name}_s") - getattr(m.truth, f"{name}_s")) * 1000
            for m in found
            if m.truth is not None and math.isfinite(getattr(m.truth, f"{name}_s"))
        )
        if errors:
            last = min(len(errors) - 1, math.ceil(0.9 * len(errors)) - 1)
            result[name] = {"median": errors[len(errors) // 2], "p90": errors[last], "events": len(errors)}
    return result


def _analysis(found: Sequence[Match]) -> dict[str, Any]:
    pairs = [
        (TO_THREE[m.truth.emotion.lower()], m.event.emotion)
        for m in found
        if m.truth is not None and m.event is not None and m.truth.emotion.lower() in TO_THREE
    ]
    if not pairs:
        return {"events": 0, "accuracy": None, "f1": None, "unsure": None}
    scores = []
    for label in THREE_CLASSES:
        counts = Counts(
            hits=sum(t == label == p for t, p in pairs),
            false_alarms=sum(p == label != t for t, p in pairs),
            misses=sum(t == label != p for t, p in pairs),
        )
        if not math.isnan(counts.f1):
            scores.append(counts.f1)
    return {
        "events": len(pairs),
        "accuracy": sum(t == p for t, p in pairs) / len(pairs),
        "f1": sum(scores) / len(scores),
        "unsure": sum(p == "unsure" for _, p in pairs) / len(pairs),
    }
