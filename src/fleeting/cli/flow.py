"""``fleeting flow``: how each pixel moved between two pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fleeting.errors import InputError, SettingsError
from fleeting.settings import FLOW_METHODS, nearest


def flow(
    first: Annotated[Path, typer.Argument(help="Picture before the movement.")],
    second: Annotated[Path, typer.Argument(help="Picture after the movement, of the same size.")],
    method: Annotated[str, typer.Option(help=f"Flow method: {', '.join(FLOW_METHODS)}.")] = "learned",
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Array file (.npz) to write. NAME.flo and NAME.png are written beside it."),
    ] = Path("fleeting-output/flow.npz"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the files and the lengths of the flow as JSON.")
    ] = False,
) -> None:
    """Measure the flow from one picture to another, in pixels.

    Example: fleeting flow onset.png apex.png --method learned --out flow.npz
    """
    import cv2
    import numpy as np

    from fleeting.motion.flow import dense_flow
    from fleeting.motion.flow_files import write_flow
    from fleeting.synthesis.synthesise import read_portrait

    if method not in FLOW_METHODS:
        raise SettingsError(f"a flow method ({', '.join(FLOW_METHODS)})", f"'{method}'", nearest(method, FLOW_METHODS))
    pictures = [np.asarray(cv2.cvtColor(read_portrait(p), cv2.COLOR_RGB2GRAY)) for p in (first, second)]
    if pictures[0].shape != pictures[1].shape:
        sizes = " and ".join(f"{p.shape[1]} x {p.shape[0]}" for p in pictures)
        raise InputError("two pictures of the same size", sizes, "Crop or resize both in the same way.")
    found = dense_flow(*pictures, method=method)  # type: ignore[arg-type]
    length = np.hypot(found[..., 0], found[..., 1])
    files = write_flow(out, found)
    figures = {"mean_px": round(float(length.mean()), 4), "largest_px": round(float(length.max()), 4)}
    if as_json:
        typer.echo(json.dumps({"files": [str(f) for f in files], "method": method, **figures}))
        return
    typer.echo(f"{method}: {figures['mean_px']:.3f} px on average, {figures['largest_px']:.2f} px at most")
    typer.echo("\n".join(str(f) for f in files))
