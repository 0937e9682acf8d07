"""Write MODEL_CARD.md, and the figures of README.md: ``python scripts/model_card.py``.

Everything comes from the cards beside the shipped networks (``src/fleeting/weights/*.json``) and from the measured
results in ``benchmarks/results``, so that no figure is typed by hand; a test compares. What was not measured says so.
``--check`` writes nothing and returns 1 where the files are out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "fleeting" / "weights"
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: python scripts/model_card.py -->", "<!-- end of figures -->"
MISSING = "not measured yet"

HEAD = """\
# Model card

The networks that Fleeting ships, all of them trained by this project. Written by `python scripts/model_card.py` from
the cards beside the networks (`src/fleeting/weights/*.json`); do not edit by hand.

```python
from fleeting import weights

for name in weights.names():
    print(name, weights.card(name)["scores"]["protocol"])
```

## What they are for

Measuring brief facial movements in a video of a person who agreed to it: research, teaching, self-observation, and as a
first pass for a trained coder who looks at every event.

**Not for** telling lies from truth, judging what a person feels or thinks, choosing or grading people, or watching them
without their knowledge. A movement of the face is not an emotion, and an emotion is not a reason. In the European
Union, systems that infer emotions at the workplace and in education are prohibited except for medical or safety reasons
(Regulation (EU) 2024/1689, article 5(1)(f)).

**Who is missing.** The training data are mostly adults in public life and the participants of two laboratories. How the
error differs by age, skin colour, sex or disability was not measured: the data carry no such labels. Expect it to
differ.

Networks are opened by ONNX Runtime after their SHA-256 was compared with the card; nothing is loaded from pickles, and
nothing is downloaded.
"""


class Figure(NamedTuple):
    """One row of the README's table."""

    what: str
    value: str
    on: str
    command: str


def cards() -> dict[str, dict[str, Any]]:
    """Card of every shipped network by name."""
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted(WEIGHTS.glob("*.json"))}


def results(name: str) -> Any:
    """Content of a file of measured results; None where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def number(value: Any) -> str:
    """Return a value for a table: numbers with at most four significant digits, lists joined."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(number(v) for v in value)
    return str(value)


def flat(values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested dictionaries, each with its path in words; matrices become one row a line."""
    for key, value in values.items():
        name = f"{path} {key.replace('_', ' ')}".strip()
        if isinstance(value, dict):
            yield from flat(value, name)
        elif isinstance(value, list) and value and isinstance(value[0], list):
            yield name, "; ".join(number(row) for row in value)
        elif value is not None:
            yield name, number(value)


def _people(card: dict[str, Any]) -> str:
    subjects = card["subjects"]
    if isinstance(subjects, dict):
        return ", ".join(f"{name} {count}" for name, count in subjects.items())
    return f"{len(subjects)}, named in the card"


def _sentences(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def network(name: str, card: dict[str, Any]) -> str:
    """Section of one network."""
    size = (WEIGHTS / f"{name}.onnx").stat().st_size
    scores = {k: v for k, v in card["scores"].items() if k not in ("protocol", "looked_at")}
    rows = [
        ("file", f"`{name}.onnx`, {size / 1e6:.2f} MB, SHA-256 `{card['sha256'][:16]}…`, version {card['version']}"),
        ("data", _sentences(card["data"])),
        ("people", _people(card)),
        ("preprocessing", card["preprocessing"]),
        ("labels", ", ".join(card["labels"])),
        ("recipe", f"`{card['recipe'] if isinstance(card['recipe'], str) else f'recipes/{name}.toml'}`"),
        ("command", f"`{card['command']}`"),
        ("licence", card["licence"]),
    ]
    if "begins_with" in card:
        rows.insert(2, ("begins with", card["begins_with"]))
    if "history" in card:
        rows.insert(-1, ("history", card["history"]))
    if "unsure" in card:
        rows.insert(-3, ("unsure", f"below a probability of {card['unsure']['threshold']}"))
    lines = [f"## {name}", "", f"Task: {card['task']}.", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows]
    lines += [
        "",
        f"**Limits.** {_sentences(card['limits'])}",
        "",
        f"**Scores.** Protocol: {card['scores']['protocol']}.",
    ]
    if "looked_at" in card["scores"]:
        lines += ["", f"How it was arrived at: {card['scores']['looked_at']}"]
    lines += ["", "| score | value |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in flat(scores)]
    return "\n".join(lines) + "\n"


def model_card() -> str:
    """Text of MODEL_CARD.md."""
    return "\n".join([HEAD, *(network(name, card) for name, card in cards().items())])


def _fleeting() -> list[Figure]:
    found, command = results("fleeting"), "python benchmarks/fleeting"
    what = "Class of a micro-expression (negative, positive, surprise), given onset and apex: UF1 and UAR"
    if found is None:
        return [Figure(what, MISSING, "", command)]
    clips = "{clips} clips of {subjects} people (CASME II, SMIC, SAMM)".format(**found["shipped"])
    places = (f"{clips}, each laboratory left out once", f"{clips}, each person left out once")
    rows = []
    for where, on in zip(("in a laboratory that it never saw", "on people that it never saw"), places, strict=True):
        ours, floor = (
            found[name]["elsewhere"] if on == places[0] else found[name] for name in ("shipped", "linear SVM")
        )
        low, high = ours["uf1_interval"]
        rows += [
            Figure(f"{what}, {where}", f"{ours['uf1']:.3f} [{low:.3f}, {high:.3f}], {ours['uar']:.3f}", on, command),
            Figure("The same by a linear SVM", f"{floor['uf1']:.3f}, {floor['uar']:.3f}", on, command),
            Figure(
                "Answers other than “unsure”, how many of these are right, and calibration error",
                f"{ours['coverage']:.0%}, {ours['selective_accuracy']:.0%}, {ours['ece']:.3f}",
                on,
                command,
            ),
        ]
    return rows


def _landmarks() -> list[Figure]:
    found, command = results("landmarks"), "python benchmarks/landmarks.py --data ../shared/data"
    what = "Faces found, and mean error of their 68 points (percent of the eye distance)"
    if found is None or "fleeting" not in found:
        return [Figure(what, MISSING, "", command)]
    own = found["fleeting"]["detected"]
    speed = found["fleeting"]["speed"]["points, one face a call"]["faces_per_s_of_processor_time"]
    on = f"{own['images']} pictures of people that nothing was trained or chosen on"
    rows = [Figure(what, f"{own['found_share']:.1%}, {own['nme68']:.2f}", on, command)]
    if "mediapipe" in found:
        other = found["mediapipe"]
        rows.append(Figure("The same by MediaPipe", f"{other['found_share']:.1%}, {other['nme68']:.2f}", on, command))
    return [*rows, Figure("Landmarks, faces a second on one core", f"{speed:.0f}", on, command)]


def _face_finder() -> list[Figure]:
    found, command = (
        results("face_finder"),
        "python benchmarks/face_finder.py --data ../shared/data --teacher runs/teacher",
    )
    what = "False faces in pictures without a face"
    if found is None:
        return [Figure(what, MISSING, "", command)]
    empty = found["no_face"]
    on = f"{empty['pictures']} patterns, erased and shuffled faces, frames of an animation"
    return [Figure(what, f"{empty['false_faces']}", on, command)]


def _spotting() -> list[Figure]:
    found, command = results("spotting"), "python benchmarks/spotting.py"
    what = "Micro-expressions found in synthetic films, F1 (in brackets: a simple spotter)"
    false = "False ones a minute where there is none"
    if found is None or "clips_per_rate" not in found:
        return [Figure(what, MISSING, "", command)]
    by_key = {(row["method"], row["set"], row["fps"]): row for row in found["rows"]}
    sets = list(dict.fromkeys(row["set"] for row in found["rows"]))
    rates = [row["fps"] for row in found["rows"] if row["method"] == "fleeting" and row["set"] == sets[0]]
    at = " / ".join("all" if rate == "all" else f"{rate:g}" for rate in rates)
    figures = []
    for kind in sets:
        whole = by_key["fleeting", kind, "all"]
        quiet = whole["videos_without_micro"]
        people = f"{found['clips_per_rate'][kind]} {found['part']} people"
        films = f"{whole['minutes']:.0f} minutes of *{kind}* films of {people}"
        ours, simple = (
            " / ".join(_or_dash(by_key[method, kind, rate]["micro"]["f1"], 2) for rate in rates)
            for method in ("fleeting", "baseline")
        )
        figures += [
            Figure(f"{what} at {at} frames/s, {kind}", f"{ours} ({simple})", films, found["command"].strip()),
            Figure(
                f"{false}, {kind}",
                _or_dash(quiet["false_micro_per_minute"], 1),
                f"{quiet['minutes']:.1f} minutes without expressions, all frame rates",
                found["command"].strip(),
            ),
        ]
    return figures


def _real() -> list[Figure]:
    found, command = results("spotting_surroundings"), "python benchmarks/spotting.py --kinds real"
    what = "False micro-expressions a minute in real people who talk, each film judged without it (exact 95 % interval)"
    if found is None:
        return [Figure(what, MISSING, "", command)]
    row = found["rows"][0]
    low, high = row["invented_per_minute_95"]
    value = f"{row['invented_per_minute']:.1f} [{low:.1f}, {high:.1f}]"
    return [Figure(what, value, f"{row['invented']} in {row['seconds']:.0f} s of {row['films']} films", command)]


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _flow() -> list[Figure]:
    found, command = results("flow"), "python benchmarks/flow.py"
    if found is None:
        return [Figure("Error of dense flow (DIS)", MISSING, "", command)]
    dis = found["dis"]["end_point_error_px"]
    nothing = found["no motion"]["end_point_error_px"]["clean"]
    peaks = ("0.1", "0.3", "1.0", "3.0")
    return [
        Figure(
            f"Error of dense flow (DIS) at a peak of {' / '.join(peaks)} px, with noise; with noise and weak H.264",
            "; ".join(" / ".join(f"{dis[c][p]:.3f}" for p in peaks) for c in ("noise", "h264 weak"))
            + f" px (saying that nothing moved: {' / '.join(f'{nothing[p]:.3f}' for p in peaks)})",
            "smooth fields over a drawn texture",
            command,
        )
    ]


def _expression() -> list[Figure]:
    found = results("expression")
    if found is None:
        return []
    value = " / ".join(f"{row['accuracy']:.1%}" for row in found["networks"].values())
    names = " / ".join(f"`{name}`" for name in found["networks"])
    return [Figure(f"Expression of a face picture (7 classes), {names}", value, found["protocol"], found["command"])]


def _speed() -> list[Figure]:
    found = results("analyse")
    if found is None:
        return []
    rows = []
    load = f"a machine with {found['processors']} processors and a load of {found['load_average'][0]:.0f}"
    for film, row in found["speed"].items():
        ratio = row["analyse"].get("times_mediapipe")
        beside = f" ({ratio:.1f} times MediaPipe's landmarks on the same frames)" if ratio else ""
        value = f"{row['analyse']['frames_per_s']:.0f} frames/s{beside}"
        rows.append(Figure(f"Speed of the whole `fleeting analyse`, {film}", value, load, found["command"]))
    if "memory" in found:
        lengths = " / ".join(f"{row['minutes']:g}" for row in found["memory"]["films"])
        value = " / ".join(f"{row['memory_mb']} MB" for row in found["memory"]["films"])
        what = f"Memory of `fleeting analyse` for {lengths} minutes of video"
        rows.append(Figure(what, value, "640x360, 30 frames/s", found["command"]))
    return rows


def _live() -> list[Figure]:
    found = results("live")
    if found is None:
        return []
    rows = found["frames_per_s"].values()
    value = "; ".join(
        f"{row['told_live']} of {row['expressions_in_the_file']}, {row['delay_s_median']:.1f} s" for row in rows
    )
    at = " / ".join(found["frames_per_s"])
    what = f"Told live of what the file's analysis finds at {at} frames/s, and seconds from offset to telling (median)"
    on = f"the demonstration's film in real time, {found['processors']} processors, load {found['load_average']:.0f}"
    return [Figure(what, value, on, found["command"])]


def _calibration() -> list[Figure]:
    found = results("calibrate")
    if found is None:
        return []
    value = "; ".join(
        f"{row['comparison']['predicted']:.0%} and {row['comparison']['found']:.0%} at crf {row['crf']}"
        for row in found["rows"]
    )
    on = (
        f"{sum(row['comparison']['events'] for row in found['rows'])} filmed movements of {len(found['people'])} people"
    )
    what = "Share of movements that `fleeting calibrate` predicts to be found, and share found"
    return [Figure(what, value, on, found["command"])]


def _startup() -> list[Figure]:
    found, command = results("startup"), "python benchmarks/startup.py"
    if found is None:
        return [Figure("`fleeting --help` answers in", MISSING, "", command)]
    own = found["commands"]["fleeting --help"]
    on = f"a machine with {found['processors']} processors and a load of {found['load_average']:.0f}"
    value = f"{own['wall_s']:.2f} s ({own['processor_s']:.2f} s of processor time)"
    return [Figure("`fleeting --help` answers in", value, on, command)]


def figures() -> list[Figure]:
    """All rows of the README's table."""
    found = [*_real(), *_fleeting(), *_spotting(), *_landmarks(), *_face_finder(), *_expression(), *_flow()]
    return [*found, *_calibration(), *_speed(), *_live(), *_startup()]


def figures_block() -> str:
    """Return the README's table of figures, with its two markers."""
    rows = [f"| {f.what} | {f.value} | {f.on} | `{f.command}` |" for f in figures()]
    return "\n".join([BEGIN, "| | figure | measured on | by |", "|---|---|---|---|", *rows, END])


def with_figures(readme: str) -> str:
    """Put the current figures between the README's markers."""
    before, rest = readme.split(BEGIN)
    return before + figures_block() + rest.split(END)[1]


def main() -> int:
    """Write both files, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; return 1 where a file is out of date")
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    wanted = {ROOT / "MODEL_CARD.md": model_card(), readme: with_figures(readme.read_text(encoding="utf-8"))}
    stale = [p for p, text in wanted.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    for path in stale:
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
        print(f"{path.name}: {'out of date' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
