"""``fleeting explain``: where an expression network looks in a face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

METHODS = ("occlusion", "gradients")
NETWORKS = ("expression", "deep_emotion")
"""Of `fleeting.expressions.explain`, here so that the help needs no import."""


def explain(
    picture: Annotated[Path, typer.Argument(help="A picture of a face.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of NAME.explain.png and NAME.explain.json.")] = Path(
        "fleeting-output"
    ),
    network: Annotated[str, typer.Option(help="Network to explain: " + " or ".join(NETWORKS) + ".")] = "expression",
    method: Annotated[
        str, typer.Option(help="Method: " + " or ".join(METHODS) + ". Gradients need the extra 'research'.")
    ] = "occlusion",
    target: Annotated[
        str | None, typer.Option(help="The expression to explain.  [default: the most probable ones]")
    ] = None,
    face: Annotated[int, typer.Option(help="Number of the face; 0 is the largest.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, without the values of the map.")
    ] = False,
) -> None:
    """Show where an expression network looks in a face: a tinted picture, and the share of each part of the face.

    Example: fleeting explain portrait.jpg --out results
    """
    from fleeting.expressions.explain import explain_face, to_json
    from fleeting.results import check_writable

    check_writable(out)
    found = explain_face(picture, network=network, method=method, target=target, face=face, out=out)
    if as_json:
        plain = to_json(found)
        maps = plain["maps"]
        assert isinstance(maps, list)
        typer.echo(json.dumps(plain | {"maps": [{k: v for k, v in m.items() if k != "values"} for m in maps]}))
        return
    if found.faces > 1:
        typer.echo(f"{found.faces} faces; face {found.face} is explained (--face chooses, the largest is 0)", err=True)
    for one in found.maps:
        typer.echo(f"{one.name} {one.probability:.0%}")
        for name, part in one.parts.items():
            typer.echo(f"  {name:10} {part.share:4.0%} of the map, {part.density:.1f} times as dense as on average")
        if not one.parts:
            typer.echo("  no part of the face speaks for it")
    typer.echo(f"  results: {out / f'{picture.stem}.explain.png'}")
