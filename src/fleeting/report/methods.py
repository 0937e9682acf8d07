"""The paragraph on methods that a paper needs of its results: what was done, by which networks, and how well these do.

Everything comes from the results themselves: settings, networks and their scores as `Timeline` keeps them. What differs
between recordings is named with the number of recordings that it holds for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from fleeting.labels import counted
from fleeting.records import Timeline
from fleeting.report.references import Style, bibtex, render
from fleeting.report.scores import score
from fleeting.report.wording import finite, lasting, number, words
from fleeting.settings import AnalyseSettings, to_dict

FLOWS = {
    "dis": "DIS [[kroeger2016]]",
    "farneback": "Farnebäck's [[farneback2003]]",
    "tvl1": "TV-L1 [[zach2007]]",
    "learned": "the network micro_flow",
}
SYSTEMS = {"dsticnn": "zhu2022", "macro_to_micro": "xia2021", "flow_svm": "li2019"}
ROLES = {
    "face_finder": "found faces",
    "landmarks": "placed 68 landmarks",
    "spotter": "judged candidates for micro-expressions",
    "micro_flow": "measured the flow from onset to apex of each event",
    "recogniser": "classified events",
    "action_units": "named action units",
    "expression": "read the expression of the whole face",
}
"""What each network of an analysis does; a role that is not here is a further system that classified the events."""


def methods(timelines: Sequence[Timeline], style: Style = "text") -> str:
    """Return the methods of one analysis, or of many recordings that were analysed alike.

    Parameters
    ----------
    timelines
        At least one. Their curves are not looked at.
    style
        ``text`` for paragraphs with the BibTeX entries of their citations below; ``markdown`` and ``latex`` for
        paragraphs that cite by key, as pandoc and LaTeX do; ``bibtex`` for the entries alone.
    """
    version = _each([t.version for t in timelines])
    paragraphs = [
        f"{_recordings(timelines, version)} {_quality(timelines)}".rstrip(),
        f"{_motion(timelines)} {_events(timelines)} {_meaning(timelines)}".rstrip(),
        _settings(timelines),
        *_networks(timelines),
        *_remarks(timelines),
    ]
    text = "\n\n".join(p for p in paragraphs if p)
    entries = bibtex(text, versions=tuple(dict.fromkeys(t.version for t in timelines)))
    if style == "bibtex":
        return entries
    return f"{render(text, style)}\n\n{entries}" if style == "text" else render(text, style)


def _recordings(timelines: Sequence[Timeline], version: str) -> str:
    one = len(timelines) == 1
    lasts = sum(t.duration_s for t in timelines)
    start = "The recording lasts" if one else f"The {len(timelines)} recordings together last"
    rate = f"{_range([t.video.fps for t in timelines])} frames per second"
    varies = sum(t.video.variable_frame_rate for t in timelines)
    if varies:
        rate += f" (varying{'' if one else f' in {varies}'}; the true times were used)"
    sizes = _each([f"{t.video.width} x {t.video.height}" for t in timelines])
    faces = [_measure(t, "face_size").get("value") for t in timelines]
    apart = f" The outer eye corners were {_range(faces)} pixels apart." if any(map(finite, faces)) else ""
    return (
        f"Fleeting {version} [[fleeting]] found movements of the face. {start} {lasting(lasts)}, at {rate} and with "
        f"{sizes} pixels.{apart}"
    )


def _quality(timelines: Sequence[Timeline]) -> str:
    names = dict.fromkeys(name for t in timelines for name in t.quality)
    doubtful = []
    for name in names:
        entries = [e for t in timelines if (e := _measure(t, name)).get("verdict") in ("poor", "fair")]
        verdicts = Counter(str(e["verdict"]) for e in entries)
        if not entries:
            continue
        told = [verdict if len(timelines) == 1 else f"{verdict} in {n}" for verdict, n in verdicts.items()]
        values = [e.get("value") for e in entries]
        size = f" ({_range(values)} {entries[0].get('unit') or ''}".rstrip() + ")" if any(map(finite, values)) else ""
        doubtful.append(f"{words(name)} was {' and '.join(told)}{size}")
    if not names:
        return ""
    if not doubtful:
        return "No quality measure of Fleeting was fair or poor."
    of = "" if len(timelines) == 1 else f" of {len(timelines)} recordings"
    return f"Quality{of}: {', '.join(doubtful)}; no other measure was fair or poor."


def _motion(timelines: Sequence[Timeline]) -> str:
    used = [FLOWS.get(str(f), str(f)) for t in timelines if (f := _flat(t.settings).get("motion.flow"))]
    kind = f"dense optical flow (method: {_each(used, of=len(timelines))})" if used else "dense optical flow"
    return (
        f"It measured displacement frame by frame with {kind} in 13 regions of the face, without the movement of the "
        "head, as a percentage of the distance between the outer eye corners."
    )


def _events(timelines: Sequence[Timeline]) -> str:
    value = {name: _setting(timelines, f"spotting.{name}") for name in _LIMITS}
    said = [
        "An event is a movement that leaves rest and returns to it. Its onset is the frame in which it begins to leave "
        "rest. Its apex is the frame of its peak. Its offset is the frame in which the fast part of its return ends. "
        "Onset and offset are part of it."
    ]
    if value["max_micro_s"]:
        said.append(f"A micro-expression lasts at most {value['max_micro_s']} s from onset to offset [[yan2013]].")
    if value["min_probability"] and value["min_displacement_percent_iod"]:
        spoke = value["min_probability_speaking"]
        lower = f" ({spoke} for the lower face while the face speaks)" if spoke else ""
        said.append(
            f"It was reported if a network gave it a probability of at least {value['min_probability']}{lower} and if "
            f"it moved by at least {value['min_displacement_percent_iod']} %."
        )
    if value["max_macro_s"] and value["threshold"] and value["min_macro_percent_iod"]:
        said.append(
            f"A macro-expression lasts longer, up to {value['max_macro_s']} s. It was reported if it moved by at least "
            f"{value['threshold']} times the recording's noise and {value['min_macro_percent_iod']} %."
        )
    return " ".join(said)


_LIMITS = (
    "max_micro_s",
    "max_macro_s",
    "min_probability",
    "min_probability_speaking",
    "min_displacement_percent_iod",
    "threshold",
    "min_macro_percent_iod",
)


def _meaning(timelines: Sequence[Timeline]) -> str:
    said = []
    if any("action_units" in t.models for t in timelines):
        said.append("Action units are those of the Facial Action Coding System [[ekman1978]].")
    sizes = [t.calibration.percent_found_9_in_10 for t in timelines if t.calibration is not None]
    if any(map(finite, sizes)):
        where = "" if len(timelines) == 1 else f" of {counted(len(sizes), 'recording')}"
        said.append(
            f"A calibration{where} with movements of known size found 9 of 10 that moved by {_range(sizes)} % or more."
        )
    return " ".join(said)


def _settings(timelines: Sequence[Timeline]) -> str:
    usual = _flat(to_dict(AnalyseSettings()))
    version = metadata.version("fleeting")
    changed: dict[str, list[str]] = {}
    for timeline in timelines:
        for name, value in _flat(timeline.settings).items():
            if not name.startswith("limits.") and (name not in usual or not _same(value, usual[name])):
                changed.setdefault(name, []).append(str(value))
    if not changed:
        return f"All settings were the defaults of Fleeting {version}."
    told = "; ".join(f"{name} = {_each(values, of=len(timelines))}" for name, values in sorted(changed.items()))
    return f"These settings differed from the defaults of Fleeting {version}: {told}."


def _networks(timelines: Sequence[Timeline]) -> list[str]:
    """Return a paragraph for each network: what it did, its version and SHA-256, and its score."""
    used: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for timeline in timelines:
        for role, summary in timeline.models.items():
            used.setdefault((role, str(summary.get("sha256", ""))), []).append(summary)
    found = []
    order = list(ROLES)
    for role, digest in sorted(used, key=lambda key: order.index(key[0]) if key[0] in ROLES else len(order)):
        cards = used[role, digest]
        card = cards[0]
        name = str(card.get("name", role))
        source = f" [[{SYSTEMS[name]}]]" if name in SYSTEMS else ""
        where = "" if len(cards) == len(timelines) else f" in {len(cards)} of {len(timelines)} recordings"
        known = score(card)
        told = f"On data that it was not trained on: {known}." if known else "The results state no score of it."
        doing = f"{ROLES.get(role, ROLES['recogniser'])}{where}"
        digits = f" SHA-256 {digest}." if digest else ""
        found.append(f"The network {name} (version {card.get('version', '?')}){source} {doing}. {told}{digits}")
    if used and not any(role == "spotter" for role, _ in used):
        found.append(
            "These results do not name the network that judged the candidates. Look it up in their version of Fleeting."
        )
    return found


def _remarks(timelines: Sequence[Timeline]) -> list[str]:
    said = Counter(text for t in timelines for text in dict.fromkeys(t.warnings))
    of = len(timelines)
    told = [text if of == 1 else f"{text} ({n} of {of} recordings)" for text, n in said.items()]
    remarks = ["Warnings of the analysis: " + " ".join(told)] if told else []
    here = metadata.version("fleeting")
    if any(t.version != here for t in timelines):
        remarks.append(
            f"Fleeting {here} wrote this text. Some results are of another version: check that the sentences on the "
            "method hold for it."
        )
    return remarks


def _measure(timeline: Timeline, name: str) -> Mapping[str, Any]:
    found = timeline.quality.get(name)
    return found if isinstance(found, Mapping) else {}


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{path}.{key}" if path else str(key)
        found |= _flat(value, name) if isinstance(value, Mapping) else {name: value}
    return found


def _setting(timelines: Sequence[Timeline], name: str) -> str:
    """Return the value of a setting in words; empty where no recording names it."""
    values = [v for t in timelines if (v := _flat(t.settings).get(name)) is not None]
    return _each([number(v) for v in values], of=len(timelines)) if values else ""


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _each(values: Sequence[str], *, of: int | None = None) -> str:
    """Return one value where all agree, else each with the number of recordings that it holds for."""
    counts = Counter(values)
    if len(counts) == 1 and len(values) == (of or len(values)):
        return values[0]
    return ", ".join(f"{value} (in {n})" for value, n in counts.items())


def _range(values: Iterable[Any]) -> str:
    known = [float(v) for v in values if finite(v)]
    low, high = number(min(known)), number(max(known))
    return low if low == high else f"{low} to {high}"
