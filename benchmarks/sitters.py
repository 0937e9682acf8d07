"""People for films whose movements are known: a frontal portrait with open eyes of each person of one part."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np

from fleeting.errors import NoFaceError
from fleeting.faces.landmarks import LandmarkNet
from fleeting.synthesis.film_plan import Sitter
from fleeting.synthesis.synthesise import find_points
from fleeting.training.people import Part, part_of

LEAST_IOD_PX = 34.0  # of the portrait: smaller ones are too coarse to be filmed
LEAST_OPEN = 0.2  # lid distance over eye width, by the shipped network: closed eyes neither blink nor look elsewhere
MOST_TURNED = 0.12  # of the nose from the middle between the eyes, in eye distances: synthesis is for frontal faces


def sitters(data: Path, part: Part, *, congress: int = 0) -> list[Sitter]:
    """People of a part, in an order that depends on their names alone.

    Two sources: ``landmarks68`` (frames of videos, points set by people) and ``interfaces`` (sharp portraits, points by
    the shipped networks). Up to ``congress`` people of the portraits of the US congress come on top, for development
    only: several of these portraits may show one person under different names.
    """
    found = _landmarks68(data, part) + _portraits(data, "interfaces_cc0_256.zip", "interfaces", part, 200)
    if congress:
        found += _portraits(data, "congress_portraits.zip", "congress", part, congress)
    return sorted(found, key=lambda sitter: zlib.crc32(sitter.name.encode()))


def _frontal(points: np.ndarray) -> bool:
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    across = left - right
    turned = abs((points[30] - right) @ across / (across @ across) - 0.5)
    return bool(turned < MOST_TURNED and np.linalg.norm(points[45] - points[36]) >= LEAST_IOD_PX)


def _open_eyed(picture: np.ndarray, points: np.ndarray, net: LandmarkNet) -> bool:
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return bool(net.from_points(grey, [points])[0].eye_opening.min() >= LEAST_OPEN)


def _landmarks68(data: Path, part: Part) -> list[Sitter]:
    """Of each person the largest frontal frame with open eyes, among the six largest."""
    faces = np.load(data / "landmarks68.npz", allow_pickle=True)
    landmarks = faces["landmarks"]
    frames: dict[str, list[tuple[float, int]]] = {}
    for i, (person, points) in enumerate(zip(faces["person"], landmarks, strict=True)):
        if part_of(str(person)) == part and _frontal(points):
            frames.setdefault(str(person), []).append((-float(np.linalg.norm(points[45] - points[36])), i))
    net, chosen = LandmarkNet(), []
    jpegs, offsets = faces["jpeg"], faces["offsets"]
    for person, found in frames.items():
        for _, i in sorted(found)[:6]:
            stored = cv2.imdecode(jpegs[offsets[i] : offsets[i + 1]], cv2.IMREAD_COLOR)
            picture = np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)
            points = landmarks[i].astype(np.float64)
            if _open_eyed(picture, points, net):
                chosen.append(Sitter(person, picture, points))
                break
    return chosen


def _portraits(data: Path, archive: str, source: str, part: Part, most: int) -> list[Sitter]:
    net = LandmarkNet()
    chosen: list[Sitter] = []
    with zipfile.ZipFile(data / archive) as pictures:
        names = sorted(n for n in pictures.namelist() if n.endswith(".jpg"))
        for name in sorted(names, key=lambda n: zlib.crc32(n.encode())):
            person = f"{source}/{Path(name).stem}"
            if part_of(person) != part or len(chosen) == most:
                continue
            stored = cv2.imdecode(np.frombuffer(pictures.read(name), np.uint8), cv2.IMREAD_COLOR)
            picture = np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB), np.uint8)
            try:
                points = find_points(picture, name=name)
            except NoFaceError:
                continue
            if _frontal(points) and _open_eyed(picture, points, net):
                chosen.append(Sitter(person, picture, points))
    return chosen
