"""How far two coders agree, or a coder and the machine.

Conventions
-----------
- Only films that both have coded count. What lies for more than half in a stretch that either of them calls uncodable
  is left out, and so are the frames of these stretches.
- Events are matched one to one by IoU (`matching`), face by face. Precision, recall and F1 take the first coder as the
  truth, and look for pairs of one kind; ``all`` pools micro and macro. F1 is the same whoever comes first.
- Kappa of frames: in each frame in which a face is in view, whether it is within an event of this kind. Neighbouring
  frames are alike, so there are far fewer independent judgements than frames.
- Kinds, emotions, units and intensities are compared in events matched whatever their kind; the last three in micro-
  and macro-expressions, where both coders said something. Emotions of different schemes are both led to the three
  classes of `labels.TO_THREE`, all other words to "others".
- Units are compared by number, whatever the side; what was there at rest is none. Intensities are A = 1 to E = 5, the
  stronger side, the lower of "A/B".
- Differences of time are the second coder's minus the first's. ``median`` and ``p90`` are of their sizes, ``bias`` is
  the mean with its sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fleeting.coding import kappa
from fleeting.coding.checks import scheme_of
from fleeting.coding.coders import MACHINE, coder_key, coders_of, films_in, unknown_coder
from fleeting.coding.films import Film
from fleeting.coding.log import CodingLog
from fleeting.coding.matching import IOU, match
from fleeting.errors import InputError, SettingsError
from fleeting.labels import OTHERS, TO_THREE, UNSURE
from fleeting.records import EVENT_KINDS, Event, is_hidden
from fleeting.records.action_units import parse

EXPRESSIONS = ("micro", "macro")
MARKS = ("onset", "apex", "offset")
INTENSITIES = "ABCDE"


@dataclass(frozen=True, slots=True)
class Coded:
    """What one side says of a film: a coder, or the machine."""

    film: Film
    events: tuple[Event, ...]
    uncodable: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """An event of the first coder with the one of the second that is the same, or one of them alone."""

    film: str
    first: Event | None
    second: Event | None
    iou: float = 0.0


@dataclass(slots=True)
class Agreement:
    """What `agree` found.

    Attributes
    ----------
    first, second
        The coders.
    metrics
        As ``agreement.json`` holds it; None where a value is not defined.
    pairs
        Every event of both, matched or alone, in order of film and onset: what to look at again.
    """

    first: str
    second: str
    metrics: dict[str, Any]
    pairs: list[Pair] = field(default_factory=list)


def read_side(film: Film, coder: str) -> Coded | None:
    """Return what a coder, or the machine, says of a film; None where the coder has not coded it."""
    if coder == MACHINE:
        return Coded(film, film.timeline.events)
    if coder_key(coder) not in coders_of(film.folder):
        return None
    log = CodingLog(film, coder)
    return Coded(film, log.events, log.uncodable)


def agree(results: str | Path, first: str, second: str, *, iou: float = IOU) -> Agreement:
    """Compare two coders on one film or on all films of a folder of results.

    Parameters
    ----------
    results
        A film's folder of results, or a folder of such folders.
    first, second
        Names of coders; ``machine`` stands for the analysis.
    iou
        Smallest IoU of two events that are the same, above 0 to 1.

    Raises
    ------
    InputError
        For a coder who has coded nothing there, one coder twice, or two who have coded no film in common.
    DataError
        Where a timeline or a log cannot be read.
    SettingsError
        For an impossible IoU.
    """
    if not 0 < iou <= 1:
        raise SettingsError("an IoU above 0, at most 1", str(iou), "0.5 is usual.")
    names = [c if c == MACHINE else coder_key(c) for c in (first, second)]
    if names[0] == names[1]:
        raise InputError("two coders", f"{names[0]} twice", "Name another one.")
    folders = films_in(results)
    known = tuple(sorted({c for folder in folders for c in coders_of(folder)}))
    for name in names:
        if name != MACHINE and name not in known:
            raise unknown_coder(name, Path(results), known)
    both: list[tuple[str, Coded, Coded]] = []
    alone = []
    for folder in folders:
        film = Film.open(folder)
        one, other = (read_side(film, name) for name in names)
        if one is None or other is None:
            alone.append(film_name(folder))
        else:
            both.append((film_name(folder), one, other))
    if not both:
        raise InputError(
            f"a film that both {names[0]} and {names[1]} have coded", "none", "Code the same film, then compare."
        )
    found = compare(names[0], names[1], both, iou=iou)
    found.metrics["films_left_out"] = alone
    return found


def film_name(folder: Path) -> str:
    """Return what a film is called in tables: the name of its folder of results."""
    return folder.resolve().name


def compare(first: str, second: str, films: Sequence[tuple[str, Coded, Coded]], *, iou: float = IOU) -> Agreement:
    """Compare two sides on films that both have coded; each film has a name, the first side and the second."""
    pairs: list[Pair] = []
    loose: list[Pair] = []
    frames = {kind: np.zeros((2, 2), np.int64) for kind in (*EVENT_KINDS, "all")}
    left_out, says_units = 0, [False, False]
    for name, a, b in films:
        spans = (*a.uncodable, *b.uncodable)
        kept = [[e for e in side.events if not is_hidden(e.face, e.interval, spans)] for side in (a, b)]
        left_out += len(a.events) + len(b.events) - len(kept[0]) - len(kept[1])
        says_units = [s or any(_units(e) for e in events) for s, events in zip(says_units, kept, strict=True)]
        pairs += _paired(name, kept[0], kept[1], iou=iou, same_kind=True)
        loose += _paired(name, kept[0], kept[1], iou=iou, same_kind=False)
        for kind, counts in _frame_counts(a.film, kept[0], kept[1], spans).items():
            frames[kind] += counts
    matched = [(p.first, p.second) for p in loose if p.first is not None and p.second is not None]
    faces = [(x, y) for x, y in matched if x.kind in EXPRESSIONS and y.kind in EXPRESSIONS]
    metrics = {
        "coders": [first, second],
        "iou": iou,
        "films": [name for name, *_ in films],
        "events_left_out": left_out,
        "events": _events(pairs),
        "frames": {kind: _frames(counts) for kind, counts in frames.items()},
        "kinds": _classes([x.kind for x, _ in matched], [y.kind for _, y in matched], EVENT_KINDS),
        "emotions": _emotions(faces),
        "timing": {kind: _timing(pairs, kind) for kind in (*EVENT_KINDS, "all")},
        "units": _unit_agreement(faces) if all(says_units) else {},
        "intensity": _intensity(faces) if all(says_units) else {},
    }
    return Agreement(first, second, _plain(metrics), pairs)


def _paired(film: str, first: list[Event], second: list[Event], *, iou: float, same_kind: bool) -> list[Pair]:
    found = match(first, second, iou=iou, same_kind=same_kind)
    pairs = [Pair(film, first[i], second[j], first[i].interval.iou(second[j].interval)) for i, j in found]
    pairs += [Pair(film, e, None) for i, e in enumerate(first) if i not in {i for i, _ in found}]
    pairs += [Pair(film, None, e) for j, e in enumerate(second) if j not in {j for _, j in found}]
    return sorted(pairs, key=lambda p: _either(p).onset_frame)


def _either(pair: Pair) -> Event:
    event = pair.first or pair.second
    assert event is not None
    return event


def _events(pairs: Sequence[Pair]) -> dict[str, Any]:
    result = {}
    for kind in (*EVENT_KINDS, "all"):
        here = [p for p in pairs if _either(p).kind in (EXPRESSIONS if kind == "all" else (kind,))]
        hits = sum(p.first is not None and p.second is not None for p in here)
        only = [sum(p.second is None for p in here), sum(p.first is None for p in here)]
        result[kind] = {
            "matched": hits,
            "only_first": only[0],
            "only_second": only[1],
            "precision": _share(hits, hits + only[1]),
            "recall": _share(hits, hits + only[0]),
            "f1": _share(2 * hits, 2 * hits + sum(only)),
            "mean_iou": _share(sum(p.iou for p in here), hits),
        }
    return result


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _frame_counts(
    film: Film, first: Sequence[Event], second: Sequence[Event], spans: Sequence[Event]
) -> dict[str, npt.NDArray[np.int64]]:
    counts = {kind: np.zeros((2, 2), np.int64) for kind in (*EVENT_KINDS, "all")}
    faces = {t.id for t in film.timeline.tracks} | {e.face for e in (*first, *second)}
    for face in faces:
        open_to_view = film.seen(face) & ~_covered(film, spans, face, None)
        for kind in counts:
            kinds = EXPRESSIONS if kind == "all" else (kind,)
            a, b = (_covered(film, events, face, kinds)[open_to_view] for events in (first, second))
            counts[kind] += [[(~a & ~b).sum(), (~a & b).sum()], [(a & ~b).sum(), (a & b).sum()]]
    return counts


def _covered(film: Film, events: Iterable[Event], face: int, kinds: Sequence[str] | None) -> npt.NDArray[np.bool_]:
    frames = np.zeros(film.timeline.frame_count, bool)
    for event in events:
        if event.face == face and (kinds is None or event.kind in kinds):
            frames[event.onset_frame : event.offset_frame + 1] = True
    return frames


def _frames(counts: kappa.Counts) -> dict[str, Any]:
    return {
        "frames": int(counts.sum()),
        "first": int(counts[1].sum()),
        "second": int(counts[:, 1].sum()),
        "both": int(counts[1, 1]),
        "agreement": kappa.agreement(counts),
        "kappa": kappa.cohen_kappa(counts),
        "ac1": kappa.gwet_ac1(counts),
    }


def _classes(first: Sequence[str], second: Sequence[str], classes: Sequence[str]) -> dict[str, Any]:
    counts = kappa.counts_of(first, second, classes)
    return {
        "events": len(first),
        "agreement": kappa.agreement(counts),
        "kappa": kappa.cohen_kappa(counts),
        "ac1": kappa.gwet_ac1(counts),
        "classes": list(classes),
        "confusion": counts.tolist(),
    }


def _emotions(matched: Sequence[tuple[Event, Event]]) -> dict[str, Any]:
    named = [(x, y) for x, y in matched if x.emotion is not None and y.emotion is not None]
    schemes = {getattr(e, "scheme", scheme_of(e.emotion)) for pair in named for e in pair}
    words = [tuple(str(e.emotion) for e in pair) for pair in named]
    if len(schemes) > 1:
        words = [tuple(w if w == UNSURE else TO_THREE.get(w, OTHERS) for w in pair) for pair in words]
    classes = sorted({w for pair in words for w in pair})
    said = {"scheme": "3" if len(schemes) > 1 else next(iter(schemes), "")}
    return said | _classes([a for a, _ in words], [b for _, b in words], classes)


def _timing(pairs: Sequence[Pair], kind: str) -> dict[str, Any]:
    kinds = EXPRESSIONS if kind == "all" else (kind,)
    found = [(p.first, p.second) for p in pairs if p.first and p.second and p.first.kind in kinds]
    result = {}
    for mark in MARKS:
        both = [(a, b) for a, b in found if mark != "apex" or (_has_apex(a) and _has_apex(b))]
        frames = [getattr(b, f"{mark}_frame") - getattr(a, f"{mark}_frame") for a, b in both]
        times = [1000 * (getattr(b, f"{mark}_s") - getattr(a, f"{mark}_s")) for a, b in both]
        result[mark] = {"events": len(both), "frames": _spread(frames), "ms": _spread(times)}
    return result


def _has_apex(event: Event) -> bool:
    return bool(getattr(event, "apex_known", True))


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return dict.fromkeys(("median", "p90", "bias"), math.nan)
    sizes = np.abs(values)
    p90 = float(np.quantile(sizes, 0.9, method="inverted_cdf"))
    return {"median": float(np.median(sizes)), "p90": p90, "bias": float(np.mean(values))}


def _units(event: Event) -> dict[int, int]:
    """Intensity, 1 to 5, of every unit of an event; 0 where it was not coded."""
    found: dict[int, int] = {}
    for unit in parse(event.action_units_text).units:
        if not unit.at_rest:
            strength = INTENSITIES.index(unit.intensity[0]) + 1 if unit.intensity else 0
            found[unit.number] = max(found.get(unit.number, 0), strength)
    return found


def _unit_agreement(matched: Sequence[tuple[Event, Event]]) -> dict[str, Any]:
    coded = [(_units(x), _units(y)) for x, y in matched]
    result = {}
    for number in sorted({n for pair in coded for units in pair for n in units}):
        counts = kappa.counts_of([number in a for a, _ in coded], [number in b for _, b in coded], (False, True))
        said = _frames(counts)
        result[f"AU{number:02d}"] = {"events": said.pop("frames")} | said
    return result


def _intensity(matched: Sequence[tuple[Event, Event]]) -> dict[str, Any]:
    rows = [
        (number, a[number], b[number])
        for a, b in ((_units(x), _units(y)) for x, y in matched)
        for number in a.keys() & b.keys()
        if a[number] and b[number]
    ]
    groups = {"all": rows} | {f"AU{n:02d}": [r for r in rows if r[0] == n] for n in sorted({r[0] for r in rows})}
    result = {}
    for name, here in groups.items():
        counts = kappa.counts_of([a for _, a, _ in here], [b for _, _, b in here], range(1, len(INTENSITIES) + 1))
        result[name] = {
            "units": len(here),
            "agreement": kappa.agreement(counts),
            "weighted_kappa": kappa.quadratic_kappa(counts),
            "icc": kappa.icc_agreement(np.array([r[1:] for r in here], float).reshape(-1, 2)),
        }
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
