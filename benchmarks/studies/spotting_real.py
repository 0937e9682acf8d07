"""Everything that is reported in real footage without marked events, to be judged by eye.

    python benchmarks/studies/spotting_real.py --faces runs/spotting_real

Writes ``results/spotting_real.md``, a list with a column for the verdict (right, wrong, cannot tell), and for each
video ``results/spotting_real_NAME.png``: a row per event with the outline of the face, how far each place moved from
onset to apex and from apex to offset (head motion removed, percent of the inter-ocular distance), and the curve of the
region that moved most. These pictures show nobody. With ``--faces`` the pictures to judge by, which do
(onset, apex, offset, the difference between onset and apex enlarged), are written too, to a folder outside of the
repository's files.

Verdicts that are there already are kept where the same event (kind, and apex to 0.1 s) is reported again.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import cv2
import numpy as np

from fleeting.analysis.analyse import analyse_video
from fleeting.errors import FleetingError
from fleeting.faces.align import CANONICAL_IOD, CANONICAL_POINTS, crop_size, fit_similarity
from fleeting.faces.detect import FaceDetector
from fleeting.motion.flow import dense_flow
from fleeting.records import REGIONS, Event, Signals
from fleeting.video.reader import open_video

OUTLINE = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36), (36, 42), (42, 48), (48, 60), (60, 68))
CLOSED = (36, 42, 48, 60)
VERDICTS = ("right", "wrong", "cannot tell")
SHOWN_PERCENT = 3.0  # of the inter-ocular distance: the end of the colour scale
GAIN = 4.0  # of the difference in the pictures to judge by


def crops(path: Path, event: Event) -> list[np.ndarray]:
    """Canonical grey crops (h, w) of the face at onset, apex and offset.

    Raises
    ------
    FleetingError
        Where the face is not found in one of them.
    """
    height, width = crop_size()
    detector, found = FaceDetector(), []
    with open_video(path) as reader:
        for index in (event.onset_frame, event.apex_frame, event.offset_frame):
            frame = next(iter(reader.frames(index, index)))
            faces = detector(frame.grey)
            if not faces:
                raise FleetingError(f"no face in frame {index} of {path}")
            to_crop = fit_similarity(faces[0][1].points, CANONICAL_POINTS)
            found.append(np.asarray(cv2.warpAffine(frame.grey, to_crop, (width, height), flags=cv2.INTER_AREA)))
    return found


def local_motion(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Length (h, w) of the motion between two crops without the head's, percent of the inter-ocular distance."""
    flow = dense_flow(first, second, method="dis")
    height, width = first.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)
    weights = np.ones((height, width))
    for _ in range(3):  # what moves by itself counts less each time
        picked = (grid[::5, ::5].reshape(-1, 2), (grid + flow)[::5, ::5].reshape(-1, 2), weights[::5, ::5].reshape(-1))
        rigid = fit_similarity(*picked)
        rest = flow - (grid @ rigid[:, :2].T + rigid[:, 2] - grid)
        length = np.linalg.norm(rest, axis=-1)
        weights = 1 / (1 + (length / (np.median(length) + 0.05)) ** 2)
    return np.asarray(100 * length / CANONICAL_IOD)


def draw(events: list[tuple[Event, list[np.ndarray], Signals]], path: Path) -> None:
    """Draw the abstract sheet of one video."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(
        len(events), 3, figsize=(9, 2.9 * len(events)), squeeze=False, width_ratios=[1, 1, 2], layout="constrained"
    )
    for (event, pictures, signals), (up, down, curve) in zip(events, rows, strict=True):
        for panel, pair, title in ((up, pictures[:2], "onset to apex"), (down, pictures[1:], "apex to offset")):
            panel.imshow(local_motion(*pair), vmin=0, vmax=SHOWN_PERCENT, cmap="magma")
            for first, last in OUTLINE:
                points = CANONICAL_POINTS[first:last]
                points = np.vstack([points, points[:1]]) if first in CLOSED else points
                panel.plot(points[:, 0], points[:, 1], color="white", linewidth=0.8, alpha=0.7)
            panel.set(title=title, xlim=(0, pictures[0].shape[1]), ylim=(pictures[0].shape[0], 0))
            panel.axis("off")
        near = np.abs(signals.time_s - event.apex_s) < 1.5
        strongest = event.regions[0] if event.regions else REGIONS[0]
        curve.plot(signals.time_s[near], signals.motion[near, REGIONS.index(strongest)], color="black", linewidth=1)
        curve.axvspan(event.onset_s, event.offset_s, color="tab:orange", alpha=0.25)
        curve.axvline(event.apex_s, color="tab:orange")
        curve.set(title=f"{event.kind}, {strongest.replace('_', ' ')}", xlabel="s", ylabel="% of eye distance")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_faces(events: list[tuple[Event, list[np.ndarray], Signals]], path: Path) -> None:
    """Draw the pictures to judge by: onset, apex, offset, and the enlarged difference of the first two."""
    rows = []
    for event, (onset, apex, offset), _ in events:
        difference = np.clip(128 + GAIN * (apex.astype(np.float32) - onset), 0, 255).astype(np.uint8)
        row = np.hstack([onset, apex, offset, difference])
        text = f"{event.kind} {event.onset_s:.2f}-{event.apex_s:.2f}-{event.offset_s:.2f} {','.join(event.regions[:3])}"
        row = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        rows.append(cv2.putText(row, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA))
    cv2.imwrite(str(path), np.vstack(rows))


def kept_verdicts(path: Path) -> dict[tuple[str, str, float], str]:
    """Verdicts of an earlier list, by video, kind and apex in tenths of a second."""
    pattern = re.compile(r"^\| `([^`]+)` \| (\w+) \| [\d.]+ \| ([\d.]+) \| .*\| ([^|]*) \|$")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = (pattern.match(line) for line in lines)
    return {(m[1], m[2], round(float(m[3]), 1)): m[4].strip() for m in found if m}


def main() -> None:
    """Analyse, draw, list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--faces", type=Path, help="folder for the pictures to judge by; never one of the repository")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    verdicts = kept_verdicts(options.out / "spotting_real.md")
    lines = [
        "# What is reported in real footage",
        "",
        "`python benchmarks/studies/spotting_real.py`: the events of videos in which nobody marked any, judged by eye: "
        f"{', '.join(VERDICTS)}. Heat maps of each: `spotting_real_NAME.png`.",
        "",
        "| video | kind | onset s | apex s | offset s | % of eye distance | regions | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted((options.data / "videos").glob("*.m*")):
        try:
            timeline = analyse_video(path, pictures=False).timeline
        except FleetingError as error:
            lines.append(f"| `{path.name}` | not analysed ({type(error).__name__}) | | | | | | |")
            continue
        curves = {signals.face: signals for signals in timeline.signals}
        shown = []
        for event in timeline.events:
            verdict = verdicts.get((path.name, event.kind, round(event.apex_s, 1)), "")
            lines.append(
                f"| `{path.name}` | {event.kind} | {event.onset_s:.2f} | {event.apex_s:.2f} | {event.offset_s:.2f} "
                f"| {event.displacement_percent_iod:.1f} | {', '.join(event.regions[:3])} | {verdict} |"
            )
            shown.append((event, crops(path, event), curves[event.face]))
        if not shown:
            lines.append(f"| `{path.name}` | nothing in {timeline.duration_s:.1f} s | | | | | | |")
            continue
        draw(shown, options.out / f"spotting_real_{path.stem}.png")
        if options.faces:
            options.faces.mkdir(parents=True, exist_ok=True)
            draw_faces(shown, options.faces / f"{path.stem}.png")
    (options.out / "spotting_real.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
