"""The MEGC 2019 composite set as folders of pictures, and its manifest.

``three_norm_u_v_os/SUBJECT/{u_train,u_test}/LABEL/NAME .png``: each subject's own clips are those in its ``u_test``.
``STSNet_whole_norm_u_v_os/NAME .png`` holds all 442 without labels, which then come from ``combined_3class_gt.csv``
(``casme2,sub01,EP02_01f,1`` without header). Labels: 0 negative, 1 positive, 2 surprise.

Published by the authors of STSTNet (Liong et al., FG 2019); counts after See et al., FG 2019.

Traps: a blank before ``.png``; the same picture lies in ``u_train`` of all other subjects, so whoever reads all folders
has every clip 68 times.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np

from fleeting.datasets import composite
from fleeting.datasets.composite import FlowImages
from fleeting.datasets.folders import existing
from fleeting.datasets.manifest import Correction, Manifest, ManifestRow, checked
from fleeting.datasets.people import spelled_alike
from fleeting.errors import DataError
from fleeting.labels import THREE_CLASSES

TABLE_NAME = "combined_3class_gt.csv"
_DATASETS = ((r"sub\d+", "casme2"), (r"s\d+", "smic"), (r"\d+", "samm"), (r"spno\.\d+", "casme3"))

Truth = dict[str, tuple[str, str, int]]
"""Data set, subject and label by the name of a picture."""


def read_images(path: Path) -> FlowImages:
    """Read the composite set, or any part of it, from an ``.npz`` file or a folder.

    Raises
    ------
    DataError
        Where there is nothing to read, a picture is damaged or of another size, or has no label.
    """
    path = existing(path)
    return _read(path)[0] if path.is_dir() else composite.read(path)


def read(path: Path) -> Manifest:
    """Return the manifest of the flow images in an ``.npz`` file or a folder.

    Raises
    ------
    DataError
        As `read_images`.
    """
    path = existing(path)
    images, places, corrections = _read(path) if path.is_dir() else (composite.read(path), None, [])
    rows = []
    for index, (subject, clip, label) in enumerate(zip(images.subject, images.clip, images.label, strict=True)):
        dataset, _, person = str(subject).partition("/")
        rows.append(
            ManifestRow(
                dataset=dataset,
                subject=person,
                clip=str(clip).partition("/")[2],
                source_video=str(clip).partition("/")[2],
                path=f"{path}#{index}" if places is None else str(places[index]),
                fps=0.0,
                emotion=THREE_CLASSES[int(label)],
            )
        )
    return checked(rows, corrections, [path])


def _read(root: Path) -> tuple[FlowImages, list[Path], list[Correction]]:
    table = next(iter(sorted(root.rglob(TABLE_NAME))), None)
    truth = _read_truth(table) if table is not None else {}
    files = sorted(root.rglob("u_test/[012]/*.png"))
    corrections: list[Correction] = []
    rows: list[tuple[str, str, str, int, Path]] = []
    for file in files:
        subject, label = file.parents[2].name, int(file.parent.name)
        name = file.stem.strip()
        dataset, _, said = truth.get(name, (_dataset_of(subject, file), subject, label))
        if said != label:
            why = f"{TABLE_NAME} says {said}; the folder is what was published with the pictures."
            corrections.append(Correction(f"{subject}/{name}", "label", str(said), str(label), why))
        rows.append((dataset, subject, name, label, file))
    if not files:
        rows = _whole(root, truth)
    if not rows:
        raise DataError(
            f"u_test/0, 1 and 2 with pictures in {root}, or {TABLE_NAME} with pictures", "none", "Check it."
        )
    flow = np.stack([_picture(file) for *_, file in rows])
    names = np.array([f"{dataset}/{name}" for dataset, _, name, _, _ in rows], np.str_)
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) != len(names):
        raise DataError("every clip once", f"'{unique[counts > 1][0]}' twice in {root}", "Give one copy of the set.")
    images = FlowImages(
        flow=flow,
        label=np.array([label for *_, label, _ in rows], np.int64),
        subject=spelled_alike(np.array([f"{dataset}/{subject}" for dataset, subject, *_ in rows], np.str_)),
        clip=names,
    )
    return images, [file for *_, file in rows], corrections


def _whole(root: Path, truth: Truth) -> list[tuple[str, str, str, int, Path]]:
    rows = []
    for file in sorted(root.rglob("*.png")):
        name = file.stem.strip()
        if name not in truth:
            raise DataError(
                f"a label of {name} in {TABLE_NAME}", f"none for {file}", "Put the table beside the pictures."
            )
        dataset, subject, label = truth[name]
        rows.append((dataset, subject, name, label, file))
    return rows


def _read_truth(path: Path) -> Truth:
    """Return the table by both names that a picture may have: the clip's, and ``SUBJECT_CLIP``."""
    found: Truth = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            cells = [c.strip() for c in row]
            if not any(cells):
                continue
            if len(cells) < 4 or cells[3] not in ("0", "1", "2"):
                raise DataError(
                    "data set, subject, clip and label 0 to 2",
                    f"{','.join(cells)} in row {number} of {path}",
                    "Mend it.",
                )
            dataset, subject, clip, label = cells[0].lower(), cells[1], cells[2], int(cells[3])
            found[clip] = found[f"{subject}_{clip}"] = (dataset, subject, label)
    return found


def _dataset_of(subject: str, file: Path) -> str:
    for pattern, dataset in _DATASETS:
        if re.fullmatch(pattern, subject.lower()):
            return dataset
    raise DataError("a subject as sub01, s01 or 006", f"'{subject}' ({file})", f"Put {TABLE_NAME} beside the folders.")


def _picture(file: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    if image is None or image.shape != (28, 28, 3):
        got = "which is damaged or no picture" if image is None else f"of {image.shape[1]} x {image.shape[0]}"
        raise DataError("flow images of 28 x 28", f"{file} {got}", "Fetch the set again.")
    return image.astype(np.uint8, copy=False)
