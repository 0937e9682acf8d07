"""Where an expression network looks in one face: `fleeting explain`.

The face is found, framed and read as everywhere else; maps of one or several classes are made of it, drawn, and split
among the parts of the face.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from fleeting.errors import InputError, NoFaceError, SettingsError
from fleeting.expressions.explanation import ClassMap, Explanation
from fleeting.expressions.gradients import gradient_map
from fleeting.expressions.regions import region_shares
from fleeting.faces.align import crop_transform
from fleeting.faces.crop import apply, cut
from fleeting.faces.detect import FaceDetector
from fleeting.files import write_text
from fleeting.labels import SEVEN_CLASSES
from fleeting.naming.expression_net import SIZE, ExpressionNet, expression_transform
from fleeting.naming.occlusion import occlusion_map
from fleeting.settings import nearest
from fleeting.video import trouble
from fleeting.video.folder import StoredPicture

Method = Literal["occlusion", "gradients"]
METHODS: tuple[str, ...] = get_args(Method)
NETWORKS: tuple[str, ...] = ("expression", "deep_emotion")

SHOWN_SIDE = 288
"""Side of the face in the drawing, pixels."""

WORTH_A_MAP = 0.1
"""Classes beside the most probable one get a map from this probability on."""

MOST_MAPS = 3
SCHEMA = "fleeting-explain/1"

Mapper = Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.float32]]


def explain_face(
    path: str | Path,
    *,
    network: str = "expression",
    method: str = "occlusion",
    target: str | None = None,
    face: int = 0,
    out: str | Path | None = None,
) -> Explanation:
    """Say where an expression network looks in a face.

    Parameters
    ----------
    path
        A picture.
    network
        ``expression`` or ``deep_emotion``.
    method
        ``occlusion`` (`naming.occlusion`) or ``gradients`` (`expressions.gradients`; needs the extra ``research``).
    target
        Class to explain. If None, the most probable one and others from 10 % on, at most three.
    face
        Number of the face; 0 is the largest.
    out
        Folder for ``NAME.explain.png`` and ``NAME.explain.json``; nothing is written if None.

    Returns
    -------
    Explanation
        ``probabilities`` by class; ``maps``, each with ``values`` (an array over the face) and ``parts`` (share of each
        part of the face).

    Raises
    ------
    InputError
        If the picture cannot be read (`VideoError`), or shows no face (`NoFaceError`) or too few.
    SettingsError
        For an unknown network, method or class.
    MissingExtraError
        If gradients are asked for without the extra.
    OutputError
        If the results cannot be written.
    """
    for said, known, what in (
        (network, NETWORKS, "network"),
        (method, METHODS, "method"),
        (target, SEVEN_CLASSES, "class"),
    ):
        if said is not None and said not in known:
            raise SettingsError(f"a known {what}", f"'{said}'", nearest(said, known))
    path = Path(path)
    crop, points, rgb, count = _framed(path, face)
    net = ExpressionNet(network)
    answer = net(crop[None])[0]
    asked = [SEVEN_CLASSES.index(target)] if target is not None else _worth(answer)
    mapper = _mapper(net, method)
    maps = []
    for k in asked:
        values = mapper(crop, k)
        parts = region_shares(values, points) if values.max() > 0 else {}
        maps.append(ClassMap(SEVEN_CLASSES[k], float(answer[k]), values, parts))
    shares = {name: float(p) for name, p in zip(SEVEN_CLASSES, answer, strict=True)}
    found = Explanation(path, network, method, face, count, rgb, shares, tuple(maps))
    if out is not None:
        from fleeting.expressions.explain_drawing import write_picture

        write_picture(found, Path(out) / f"{path.stem}.explain.png")
        write_text(Path(out) / f"{path.stem}.explain.json", json.dumps(to_json(found), indent=1) + "\n")
    return found


def to_json(found: Explanation) -> dict[str, object]:
    """Return an explanation as plain dictionaries, lists, strings, finite numbers and None."""
    return {
        "schema": SCHEMA,
        "picture": found.path.name,
        "network": found.network,
        "method": found.method,
        "face": found.face,
        "faces": found.faces,
        "probabilities": {name: round(p, 4) for name, p in found.probabilities.items()},
        "maps": [
            {
                "class": one.name,
                "probability": round(one.probability, 4),
                "parts": {
                    name: {
                        "share": round(part.share, 4),
                        "area": round(part.area, 4),
                        "density": round(part.density, 3) if math.isfinite(part.density) else None,
                    }
                    for name, part in one.parts.items()
                },
                "values": np.round(one.values.astype(np.float64), 6).tolist(),
            }
            for one in found.maps
        ],
    }


def _framed(path: Path, face: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64], npt.NDArray[np.uint8], int]:
    """Crop (48, 48), its points (68, 2), the same crop larger and in colour, and the number of faces."""
    trouble.check_path(path)
    if path.is_dir() or path.suffix.lower() not in trouble.IMAGE_SUFFIXES:
        raise InputError(
            "a picture",
            f"{path.name}, which is none by its name",
            f"Give one of {', '.join(sorted(trouble.IMAGE_SUFFIXES))}.",
        )
    rgb = StoredPicture(path).rgb()
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    found = FaceDetector()(grey)
    if not found:
        raise NoFaceError(
            "a face", f"{path.name}, in which no face was found", "Show the face from the front, upright and larger."
        )
    if not 0 <= face < len(found):
        raise InputError(
            f"a face from 0 to {len(found) - 1}", f"{face}", f"{path.name} shows {len(found)}; the largest is 0."
        )
    points = found[face][1].points
    canonical = crop_transform(points)
    transform = expression_transform(canonical)
    large = cut(rgb, expression_transform(canonical, size=SHOWN_SIDE), size=SHOWN_SIDE)
    return cut(grey, transform, size=SIZE), apply(transform, points), large, len(found)


def _worth(answer: npt.NDArray[np.float32]) -> list[int]:
    order = [int(k) for k in np.argsort(-answer)[:MOST_MAPS]]
    return [k for place, k in enumerate(order) if place == 0 or answer[k] >= WORTH_A_MAP]


def _mapper(network: ExpressionNet, method: str) -> Mapper:
    if method == "occlusion":
        return lambda face, k: occlusion_map(network, face, target=k).fall
    from fleeting.errors import MissingExtraError

    try:
        from fleeting.training.expression.shipped import shipped_network
    except ImportError as error:
        raise MissingExtraError("research", f"gradients ({error.name})") from error
    module = shipped_network(network.name)
    return lambda face, k: gradient_map(module, face, target=k).added
