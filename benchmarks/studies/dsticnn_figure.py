"""Draw both streams of DSTICNN with the shapes of their layers: ``python benchmarks/studies/dsticnn_figure.py``.

The shapes are read from the network; writes ``docs/images/dsticnn.svg``.
"""

from __future__ import annotations

from pathlib import Path

import torch

from fleeting.recognisers.dsticnn.network import SCALES, Stream

OUT = Path(__file__).resolve().parents[2] / "docs" / "images" / "dsticnn.svg"
SIDE = 112
WIDTH, HEIGHT, GAP, LEFT = 132, 44, 12, 20
INK, LINE = "#1f2937", "#6d28d9"


def shapes(frames: int) -> list[tuple[str, str]]:
    """Return each layer's name with its output, as filters@frames x height x width."""
    x = torch.zeros(1, 1, frames, SIDE, SIDE)
    found = [(f"{frames} frames", f"1@{frames}x{SIDE}x{SIDE}")]
    stream = Stream(frames=frames)
    for number in range(1, 5):
        for kind in ("conv", "pool"):
            x = getattr(stream, f"{kind}{number}")(x)
            found.append((f"{kind}{number}", f"{x.shape[1]}@" + "x".join(map(str, x.shape[2:]))))
    return found


def box(x: float, y: float, title: str, text: str, colour: str = "#ede9fe") -> str:
    """Return a box with two lines of text."""
    middle = x + WIDTH / 2
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{colour}" stroke="{LINE}"/>'
        f'<text x="{middle}" y="{y + 18}" font-weight="bold">{title}</text>'
        f'<text x="{middle}" y="{y + 35}">{text}</text>'
    )


def figure() -> str:
    """Return the picture: one stream at each side, what ties them between."""
    columns = (LEFT, LEFT + 2.6 * WIDTH)
    between = LEFT + 1.3 * WIDTH
    parts, last = [], 0.0
    for x, frames in zip(columns, SCALES, strict=True):
        rows = [*shapes(frames), ("linear", "classes")]
        for place, (title, text) in enumerate(rows):
            y = 20 + place * (HEIGHT + GAP)
            parts.append(box(x, y, title, text, "#ffffff" if place == 0 else "#ede9fe"))
            if place:
                middle = x + WIDTH / 2
                parts.append(f'<path d="M{middle} {y - GAP} V{y}" stroke="{LINE}" fill="none"/>')
        last = 20 + (len(rows) - 1) * (HEIGHT + GAP)
    for y, title, text in ((last - HEIGHT - GAP, "MSE", "of both features"), (last, "JS", "of both answers")):
        parts.append(box(between, y, title, text, "#ccfbf1"))
        for one, other in ((columns[0] + WIDTH, between), (between + WIDTH, columns[1])):
            parts.append(f'<path d="M{one} {y + HEIGHT / 2} H{other}" stroke="#0f766e" stroke-dasharray="4 3"/>')
    wide, high = columns[1] + WIDTH + LEFT, last + HEIGHT + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" font-family="sans-serif"'
        f' font-size="12" text-anchor="middle" fill="{INK}"><rect width="100%" height="100%" fill="#ffffff"/>'
        + "".join(parts)
        + "</svg>\n"
    )


if __name__ == "__main__":
    OUT.write_text(figure(), encoding="utf-8")
    print(f"wrote {OUT}")
