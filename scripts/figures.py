"""Write the figures of README.md and of docs/reference/figures.md: ``python scripts/figures.py``.

Everything comes from the measured results in ``benchmarks/results`` and the cards beside the shipped networks. No
figure is typed by hand; a test compares. What was not measured says so. ``--check`` writes nothing and returns 1 where
a file is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WEIGHTS = ROOT / "src" / "fleeting" / "weights"
MARKS = {
    name: (f"<!-- {name}: python scripts/figures.py -->", f"<!-- end of {name} -->") for name in ("figures", "systems")
}
MISSING = "not measured yet"


class Figure(NamedTuple):
    """One row of a table."""

    what: str
    value: str
    on: str
    command: str


def results(name: str) -> Any:
    """Content of a file of measured results; None where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _fleeting() -> list[Figure]:
    found, command = results("fleeting"), "python benchmarks/fleeting"
    what = "Class of a micro-expression (negative, positive, surprise), given onset and apex: UF1 and UAR"
    if found is None:
        return [Figure(what, MISSING, "", command)]
    clips = "{clips} clips of {subjects} people (CASME II, SMIC, SAMM)".format(**found["shipped"])
    rows = []
    for where, left_out in (
        ("in a laboratory not seen", "laboratory"),
        ("on new people of known laboratories", "person"),
    ):
        ours, floor = (
            found[name]["elsewhere"] if left_out == "laboratory" else found[name] for name in ("shipped", "linear SVM")
        )
        low, high = ours["uf1_interval"]
        beside = f"{ours['uf1']:.3f} [{low:.3f}, {high:.3f}], {ours['uar']:.3f}; linear SVM {floor['uf1']:.3f}"
        answers = f"{ours['coverage']:.0%}, {ours['selective_accuracy']:.0%}, {ours['ece']:.3f}"
        on = f"{clips}, each {left_out} left out once"
        rows += [
            Figure(f"{what}, {where}", beside, on, command),
            Figure(f"Answers, how many are right, calibration error, {where}", answers, on, command),
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


def _units() -> list[Figure]:
    found, command = results("action_units"), "python benchmarks/action_units.py"
    what = "Action units in a laboratory not seen: mean F1 of eight units, and area under the curve"
    if found is None:
        return [Figure(what, MISSING, "", command)]
    rows = []
    for way, on in (("casme2 -> samm", "CASME II to SAMM"), ("samm -> casme2", "SAMM to CASME II")):
        row = found["protocols"][way]["action_units"]
        low, high = row["eight"]["f1_interval"]
        value = f"{row['eight']['f1']:.2f} [{low:.2f}, {high:.2f}], {row['eight']['auc']:.2f}"
        rows.append(Figure(what, value, f"{on}: {row['clips']} clips of {row['people']} people", command))
    return rows


def _table(rows: list[Figure]) -> list[str]:
    lines = [f"| {f.what} | {f.value} | {f.on} | `{f.command}` |" for f in rows]
    return ["| | figure | measured on | by |", "|---|---|---|---|", *lines]


def all_figures() -> list[Figure]:
    """All figures: real films before synthetic ones, other laboratories before the same people's."""
    found = [*_real(), *_units(), *_fleeting(), *_spotting(), *_landmarks(), *_face_finder(), *_expression(), *_flow()]
    return [*found, *_calibration(), *_speed(), *_live(), *_startup()]


def _hard() -> list[Figure]:
    found, command = results("spotting"), "python benchmarks/spotting.py"
    what = "Micro-expressions found in hard synthetic films, and false ones"
    if found is None or "clips_per_rate" not in found:
        return [Figure(what, MISSING, "", command)]
    row = next(r for r in found["rows"] if (r["method"], r["set"], r["fps"]) == ("fleeting", "hard", "all"))
    micro = row["micro"]
    asked = micro["true_positives"] + micro["false_negatives"]
    value = f"{micro['true_positives']} of {asked}, {micro['false_positives']} false"
    return [Figure(what, value, f"{row['minutes']:.0f} minutes of test people", found["command"].strip())]


def main_figures() -> list[Figure]:
    """Return the six rows of the README."""
    speed = [row for row in _speed() if row.what.endswith("interview")]
    return [*_real(), *_fleeting()[::2], *_units()[:1], *_hard(), *speed]


def _score(name: str) -> dict[str, Any]:
    card = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
    return dict(card["scores"])


def _transferred(name: str) -> str:
    found = results("sequences")
    if found is None or name not in found["systems"]:
        return MISSING
    uf1 = found["systems"][name]["uf1"]
    return f"UF1 {uf1['pooled']:.2f} [{uf1['interval'][0]:.2f}, {uf1['interval'][1]:.2f}] on transferred motion"


def systems() -> list[str]:
    """Return the table of the four published systems: paper, honest score here, what the paper claims."""
    flow, face = (_score(n) for n in ("flow_svm", "deep_emotion"))
    rows = [
        (
            "[DSTICNN](docs/explanation/dsticnn.md), Zhu and Chen 2020",
            "two 3-D networks that teach each other",
            _transferred("dsticnn-start"),
            "interaction adds 6.8 points (CASME II) and 1.7 (SMIC)",
            "`fleeting analyse VIDEO --system dsticnn`",
        ),
        (
            "[Landmarks, flow and SVM](docs/explanation/flow.md), Li et al. 2019",
            "landmarks, learned flow, revised feature, SVM",
            f"UF1 {flow['uf1']:.2f} on flow images, each person left out",
            "not known to us",
            "`fleeting analyse VIDEO --system flow-svm`",
        ),
        (
            "[Macro-to-micro](docs/explanation/sequences.md), Xia and Wang 2021",
            "a network of macro-expressions guides one of micro-expressions",
            _transferred("macro-to-micro"),
            "accuracy 79 % (SMIC), 80 % (CASME II), as reported",
            "`fleeting analyse VIDEO --system macro-to-micro`",
        ),
        (
            "[Deep-Emotion](docs/explanation/deep-emotion.md), Minaee et al. 2021",
            "attention and saliency maps for a face picture",
            f"accuracy {face['public_test']['accuracy']:.0%} (FER-2013, PublicTest)",
            "accuracy 70 % (FER-2013), as reported",
            "`fleeting explain PICTURE --network deep_emotion`",
        ),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return ["| paper | what it is | measured here | the paper's claim | command |", "|---|---|---|---|---|", *lines]


def put(text: str, name: str, lines: list[str]) -> str:
    """Put lines between the two marks of a name."""
    begin, end = MARKS[name]
    before, rest = text.split(begin)
    return "\n".join([f"{before}{begin}", *lines, end]) + rest.split(end)[1]


def pages() -> dict[Path, str]:
    """Return the text of both pages with the current figures."""
    readme, page = ROOT / "README.md", ROOT / "docs" / "reference" / "figures.md"
    text = put(readme.read_text(encoding="utf-8"), "figures", _table(main_figures()))
    whole = put(page.read_text(encoding="utf-8"), "figures", _table(all_figures()))
    return {readme: put(text, "systems", systems()), page: whole}


def main() -> int:
    """Write both pages, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; return 1 where a page is out of date")
    check = parser.parse_args().check
    stale = {path: text for path, text in pages().items() if path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        if not check:
            path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {'out of date' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
