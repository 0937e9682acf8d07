"""From a timeline and the pictures of its events to one page that opens without a network."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fleeting.analysis.pictures import webp
from fleeting.files import atomic_path, printable
from fleeting.labels import UNSURE
from fleeting.records import LID_KINDS, Event, EventMedia, FaceTrack, Timeline
from fleeting.report import calibration, muscles, panels, wording
from fleeting.report.curves import pack_face
from fleeting.report.pages import page_path, pages_of
from fleeting.report.still import still

KIND_NAMES = {"micro": "Micro-expression", "macro": "Macro-expression", "blink": "Blink", "wink": "Wink"}
Picture = npt.NDArray[np.uint8]
STILLS = ("onset", "apex", "offset")
PICTURE_SIZE = (210, 255)
"""Width and height at which crops are shown, pixels."""


def build_report(
    timeline: Timeline,
    media: Mapping[int, EventMedia],
    path: str | Path,
    *,
    faces: Mapping[int, Picture] | None = None,
    without_faces: bool = False,
) -> Path:
    """Write the report of one video, whole or not at all.

    Parameters
    ----------
    timeline
        What an analysis found.
    media
        Pictures of events, by place in ``timeline.events``; events without pictures have a card without them.
    path
        Where the page is to be. Pictures that do not fit into it are on pages beside it, ``report_2.html`` and so on.
    faces
        A small (h, w, 3) RGB picture of each face, by id; faces without one are shown without.
    without_faces
        Draw the landmarks instead of every picture, so that nobody can be recognised.

    Raises
    ------
    OutputError
        Where the disk refuses.
    """
    target = Path(path)
    pages = pages_of(timeline, media)
    for number, page in enumerate(pages):
        elsewhere = {i: page_path(target, n).name for n, other in enumerate(pages) if n for i in other}
        cards = _cards(timeline, media, without_faces, page)
        if number:
            parts = _more(timeline, cards, target.name)
        else:
            parts = _parts(timeline, cards, {} if without_faces or faces is None else faces, elsewhere)
        with (
            atomic_path(page_path(target, number)) as temporary,
            temporary.open("w", encoding="utf-8", newline="\n") as file,
        ):
            file.writelines(parts)
    return target


def render(
    timeline: Timeline,
    media: Mapping[int, EventMedia],
    *,
    faces: Mapping[int, Picture] | None = None,
    without_faces: bool = False,
) -> str:
    """Return the page as text; no part of it refers to another file or to the network."""
    cards = _cards(timeline, media, without_faces, pages_of(timeline, media)[0])
    return "".join(_parts(timeline, cards, {} if without_faces or faces is None else faces, {}))


def _parts(
    timeline: Timeline, cards: list[dict[str, Any]], faces: Mapping[int, Picture], elsewhere: Mapping[int, str]
) -> Iterator[str]:
    """Yield the text of the report, piece by piece: the whole of it takes several times its size."""
    return (
        _environment()
        .get_template("report.html")
        .generate(
            timeline=timeline,
            video=replace(timeline.video, name=printable(timeline.video.name)),
            cards=cards,
            elsewhere=elsewhere,
            blinks=[(i, e) for i, e in enumerate(timeline.events) if e.kind in LID_KINDS],
            faces=[_face(t, timeline, faces.get(t.id)) for t in timeline.tracks],
            quality=panels.quality_rows(timeline.quality),
            models=panels.model_rows(timeline.models),
            score=wording.headline(timeline.models.get("recogniser", {})),
            face_score=wording.expression_score(timeline.models.get("expression", {})),
            contrary=sum(e.contradicts for e in timeline.events),
            settings=panels.settings_rows(timeline.settings),
            calibration=None if timeline.calibration is None else calibration.panel(timeline.calibration),
            stills=[still(s, timeline, {card["index"]: card["title"] for card in cards}) for s in timeline.signals],
            data=_json(_data(timeline, cards)),
            css=_asset("report.css"),
            script=_asset("report.js"),
            plotly=_plotly(),
        )
    )


def _more(timeline: Timeline, cards: list[dict[str, Any]], first: str) -> Iterator[str]:
    """Yield the text of a further page."""
    return (
        _environment()
        .get_template("more.html")
        .generate(
            video=replace(timeline.video, name=printable(timeline.video.name)),
            first=first,
            cards=[card for card in cards if card["whole"]],
            several=len(timeline.tracks) > 1,
            score=wording.headline(timeline.models.get("recogniser", {})),
            face_score=wording.expression_score(timeline.models.get("expression", {})),
            data=_json({"faces": [], "events": [], "cuts": [], "calibration": None}),
            css=_asset("report.css"),
            script=_asset("report.js"),
        )
    )


def _data(timeline: Timeline, cards: list[dict[str, Any]]) -> dict[str, Any]:
    known = timeline.calibration
    return {
        "faces": [pack_face(s, timeline) for s in timeline.signals],
        "events": _marks(timeline, cards),
        "cuts": [round(cut.time_s, 4) for cut in timeline.cuts],
        "calibration": None if known is None else calibration.chart(known),
    }


@lru_cache
def _environment() -> Environment:
    folder = resources.files("fleeting.report")
    environment = Environment(
        loader=FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("number", "seconds", "thousandths", "milliseconds", "clock", "lasting", "percent", "words"):
        environment.filters[name] = getattr(wording, name)
    environment.tests["finite"] = wording.finite
    return environment


def prepare() -> None:
    """Compile the templates and read what every page holds: the first report of a program need not wait for it."""
    for name in ("report.html", "card.html", "sketch.svg", "still.html"):
        _environment().get_template(name)
    _plotly()


def _asset(name: str) -> Markup:
    return Markup(resources.files("fleeting.report").joinpath(name).read_text(encoding="utf-8"))  # noqa: S704


@lru_cache
def _plotly() -> Markup:
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())  # noqa: S704


def _json(values: Any) -> Markup:
    """JSON that cannot end the script element it stands in, whatever the strings in it say."""
    text = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704


def _cards(
    timeline: Timeline, media: Mapping[int, EventMedia], without_faces: bool, whole: frozenset[int]
) -> list[dict[str, Any]]:
    """Return what is said of each event, with pictures of those that are on the page as a whole."""
    shown = [(i, e) for i, e in enumerate(timeline.events) if e.kind not in LID_KINDS]
    iod = {t.id: t.median_iod_px for t in timeline.tracks}
    counts: dict[str, int] = {}
    cards = []
    for index, event in shown:
        counts[event.kind] = counts.get(event.kind, 0) + 1
        displacement_px = event.displacement_percent_iod / 100 * iod.get(event.face, math.nan)
        cards.append(
            {
                "index": index,
                "event": event,
                "whole": index in whole,
                "title": f"{KIND_NAMES[event.kind]} {counts[event.kind]}",
                "classes": _classes(event),
                "units": muscles.rows(event.action_units),
                "muscles": muscles.strokes(event.action_units),
                "systems": _systems(event),
                "unsure": event.emotion == UNSURE,
                "by_face": "neutral" in event.probabilities,
                "displacement_px": displacement_px,
                "pictures": _pictures(media[index], without_faces) if index in whole and index in media else None,
            }
        )
    return cards


def _classes(event: Event) -> list[dict[str, Any]]:
    """Classes with their probabilities, the most probable first."""
    known = event.probabilities
    if not known and event.emotion is not None and event.probability is not None:
        known = {event.emotion: event.probability}
    rows = [(name, float(p)) for name, p in known.items() if wording.finite(p)]
    rows.sort(key=lambda row: -row[1])
    return [{"name": n, "probability": p, "chosen": n == event.emotion} for n, p in rows]


def _systems(event: Event) -> dict[str, Any] | None:
    """Return what several systems say of an event, side by side: their classes, and a row for each system."""
    if not event.systems:
        return None
    names = list(dict.fromkeys(name for said in event.systems for name in said.probabilities))
    rows = [
        {
            "name": said.system,
            "emotion": said.emotion,
            "shares": [(said.probabilities.get(name, math.nan), name == said.emotion) for name in names],
        }
        for said in event.systems
    ]
    return {"classes": names, "rows": rows}


def _pictures(media: EventMedia, without_faces: bool) -> dict[str, Any] | None:
    shown = {
        "media": media,
        "size": PICTURE_SIZE,
        "stills": [],
        "outlines": [],
        "sheet": None,
        "heat": "",
        "face": None,
    }
    if without_faces:
        return shown | {"outlines": list(zip(STILLS, media.outlines, strict=True))} if media.outlines else None
    return shown | {
        "stills": [(name, _uri(getattr(media, name))) for name in STILLS],
        "sheet": _uri(media.loop) if media.loop else None,
        "heat": _uri(media.movement),
        "face": _uri(media.face) if media.face else None,
    }


def _uri(webp_file: bytes) -> str:
    return "data:image/webp;base64," + base64.b64encode(webp_file).decode("ascii")


def _marks(timeline: Timeline, cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    titles = {card["index"]: card["title"] for card in cards}
    return [
        {
            "index": index,
            "face": event.face,
            "kind": event.kind,
            "onset": round(event.onset_s, 4),
            "apex": round(event.apex_s, 4),
            "offset": round(event.offset_s, 4),
            "title": titles.get(index, KIND_NAMES[event.kind]),
            "emotion": event.emotion or "",
            "units": "+".join(map(str, event.action_units)),
            "probability": ""
            if event.probability is None or event.emotion == UNSURE
            else wording.percent(event.probability),
            "contradicts": (event.surrounding or "") if event.contradicts else "",
        }
        for index, event in enumerate(timeline.events)
        if all(map(math.isfinite, (event.onset_s, event.apex_s, event.offset_s)))
    ]


def _face(track: FaceTrack, timeline: Timeline, picture: Picture | None) -> dict[str, Any]:
    frames = max(timeline.frame_count, 1)
    return {
        "track": track,
        "share": min(track.frame_count / frames, 1.0),
        "seconds": track.frame_count / frames * timeline.duration_s,
        "picture": None if picture is None else _uri(webp(picture, quality=80)),
        "analysed": any(s.face == track.id for s in timeline.signals),
        "bars": [
            (100 * s.onset_frame / frames, max(100 * (s.offset_frame - s.onset_frame + 1) / frames, 0.2))
            for s in track.segments
        ],
        "counts": {kind: sum(e.face == track.id and e.kind == kind for e in timeline.events) for kind in KIND_NAMES},
    }
