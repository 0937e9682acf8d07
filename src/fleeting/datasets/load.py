"""From ``NAME=PATH`` to labelled arrays, whatever the data set holds: flow images, frames, or pictures."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fleeting.datasets import fer2013, prepare
from fleeting.datasets.coded_clips import coded_rows, coded_samples, with_table
from fleeting.datasets.manifest import Manifest, ManifestRow
from fleeting.datasets.readers import composite_folders, prepared
from fleeting.datasets.registry import NamedData, named_data, people_of
from fleeting.datasets.samples import Samples, from_flow_images, truth_of
from fleeting.errors import DataError
from fleeting.labels import SEVEN_CLASSES, THREE_CLASSES, Scheme, scheme
from fleeting.records import LID_KINDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The labels that are asked for.

    Attributes
    ----------
    classes
        Number of classes of emotions.
    units
        Names of action units, such as ``AU04``; these instead of classes where there are any.
    table
        Action units of flow images, where these have none or to be compared with theirs (`coded_clips.with_table`).
    """

    classes: int = 3
    units: tuple[str, ...] = ()
    table: Path | None = None


def load_samples(
    text: str,
    *,
    classes: int = 3,
    cache: str | Path | None = None,
    settings: prepare.PrepareSettings | None = None,
    wanted: Wanted | None = None,
) -> Samples:
    """Return a data set as labelled arrays.

    Flow images (``composite``) and files of ``fleeting prepare`` (``prepared``) are read as they are; single faces
    (``fer2013``) come as sequences of one frame; all others need ``fleeting prepare`` first. If a set has
    micro-expressions, its macro-expressions, blinks and winks are left out. So are clips whose emotion has no class.

    Parameters
    ----------
    text
        ``NAME=PATH``, see `registry.DATASETS`.
    classes
        Number of classes, see `labels.SCHEMES`.
    cache
        Cache folder of ``fleeting prepare``; its usual place if None.
    settings
        Settings with which the set was prepared; those of the last ``fleeting prepare`` if None.
    wanted
        Other labels than so many classes.

    Returns
    -------
    Samples
        One row per clip. People of several sets have one name: those of ``samm-lv`` are ``samm/006`` and so on.

    Raises
    ------
    SettingsError
        For an unknown name.
    DataError
        If the set cannot be read, is not prepared, has no such classes, or no clip of them.
    """
    data = named_data(text)
    found = _READERS.get(data.about.arrays, _of_frames)(data, wanted or Wanted(classes), cache, settings)
    if not len(found):
        raise DataError(
            f"clips of the classes {', '.join(found.classes)}", f"none in {text}", "Choose other --classes."
        )
    return found


def cache_of(data: NamedData, cache: str | Path | None) -> Path:
    """Return the folder in which a data set's clips are kept: each set has its own."""
    return Path(cache if cache is not None else prepare.default_cache()) / data.label


Loader = Callable[[NamedData, Wanted, str | Path | None, prepare.PrepareSettings | None], Samples]


def _of_flow(
    data: NamedData, wanted: Wanted, cache: str | Path | None, settings: prepare.PrepareSettings | None
) -> Samples:
    images = composite_folders.read_images(data.path)
    if wanted.units:
        coded = images if wanted.table is None else with_table(images, wanted.table)
        return _as_people(coded_samples(coded, wanted.units, what=str(data.path)))
    if wanted.classes != len(THREE_CLASSES):
        raise DataError("3 classes of the composite set", str(wanted.classes), "It was published with these alone.")
    return _as_people(from_flow_images(images))


def _of_pictures(
    data: NamedData, wanted: Wanted, cache: str | Path | None, settings: prepare.PrepareSettings | None
) -> Samples:
    if wanted.units or wanted.classes != len(SEVEN_CLASSES):
        got = "action units" if wanted.units else str(wanted.classes)
        raise DataError("7 classes of FER-2013", got, "Choose --classes 7.")
    faces = fer2013.read(data.path)
    # Two folders by class may hold pictures of the same name: without a part, the folder's own name tells them apart.
    parts = [str(part) or data.path.stem for part in faces.part]
    clip = np.array([f"fer2013/{part}/{name}" for part, name in zip(parts, faces.name, strict=True)], np.str_)
    dataset = np.full(len(faces), "fer2013")
    return Samples(clip, clip, dataset, clip, faces.label, SEVEN_CLASSES, sequence=faces.pictures[:, None])


def _of_prepared(
    data: NamedData, wanted: Wanted, cache: str | Path | None, settings: prepare.PrepareSettings | None
) -> Samples:
    stored = prepared.load(data.path)
    rows, labels, used = _chosen(stored.manifest, wanted)
    return samples_of(
        [stored.manifest.rows[i] for i in rows],
        labels,
        used,
        flow=stored.flow[rows],
        sequence=None if stored.sequence is None else stored.sequence[rows],
        units=wanted.units,
    )


def _of_frames(
    data: NamedData, wanted: Wanted, cache: str | Path | None, settings: prepare.PrepareSettings | None
) -> Samples:
    manifest = data.read()
    rows, labels, used = _chosen(manifest, wanted)
    clips = replace(manifest, rows=tuple(manifest.rows[i] for i in rows))
    found = prepare.read_prepared(clips, cache=cache_of(data, cache), settings=settings)
    if found.failed:
        name, why = found.failed[0]
        raise DataError(
            f"{len(clips)} prepared clips of '{data.label}'",
            f"{len(found.failed)} that are not, such as {name}: {why.rstrip('.')}",
            f"Run: fleeting prepare {data.name}={data.path}; --out writes those that succeed, for prepared=FILE.",
        )
    if not found.rows:
        return samples_of([], [], used, flow=np.zeros((0, 28, 28, 3), np.uint8))
    arrays = prepare.arrays_of(found)
    return samples_of(
        found.rows, labels, used, flow=arrays["flow"], sequence=arrays.get("sequence"), units=wanted.units
    )


_READERS: dict[str, Loader] = {"flow": _of_flow, "pictures": _of_pictures, "prepared": _of_prepared}


def _chosen(manifest: Manifest, wanted: Wanted) -> tuple[list[int], list[int], Scheme]:
    if wanted.table is not None:
        raise DataError("flow images for a table of action units", f"'{manifest.source[0]}'", "Leave the table out.")
    return coded_rows(manifest) if wanted.units else labelled(manifest, wanted.classes)


def labelled(manifest: Manifest, classes: int) -> tuple[list[int], list[int], Scheme]:
    """Return the rows that a scheme of so many classes takes, their labels, and the scheme.

    Raises
    ------
    DataError
        Where there is no such scheme, or the manifest's data sets have different ones.
    """
    schemes = {row.dataset: scheme(classes, row.dataset) for row in manifest.rows}
    used = next(iter(schemes.values()))
    if any(s.classes != used.classes for s in schemes.values()):
        raise DataError(
            f"the same {classes} classes in all data sets ({', '.join(used.classes)})",
            f"others in {', '.join(d for d, s in schemes.items() if s.classes != used.classes)}",
            "Choose --classes 3 or 4.",
        )
    types = {row.type for row in manifest.rows}
    wanted = {"micro"} if "micro" in types else types - set(LID_KINDS)
    rows, labels, dropped = [], [], Counter[str]()
    for index, row in enumerate(manifest.rows):
        label = used.label(row.emotion) if row.type in wanted else None
        if label is None:
            dropped[row.emotion if row.type in wanted else row.type] += 1
        else:
            rows.append(index)
            labels.append(label)
    if dropped:
        listed = ", ".join(f"{word or '(no emotion)'} {n}" for word, n in dropped.most_common())
        log.info(
            "%d of %d clips are in none of %s: %s", dropped.total(), len(manifest), ", ".join(used.classes), listed
        )
    return rows, labels, used


def samples_of(
    rows: Sequence[ManifestRow],
    labels: Sequence[int],
    used: Scheme,
    *,
    flow: npt.NDArray[np.uint8],
    sequence: npt.NDArray[np.uint8] | None = None,
    units: tuple[str, ...] = (),
) -> Samples:
    """Return rows of a manifest with their arrays as samples, and with the action units of these names."""
    return Samples(
        clip=np.array([row.id for row in rows], np.str_),
        subject=np.array([f"{people_of(row.dataset)}/{row.subject}" for row in rows], np.str_),
        dataset=np.array([row.dataset for row in rows], np.str_),
        source_video=np.array([f"{row.dataset}/{row.source_video}" for row in rows], np.str_),
        label=np.array(labels, np.int64),
        classes=used.classes,
        flow=flow,
        sequence=sequence,
        units=units,
        action_units=truth_of([row.action_units for row in rows], units) if units else None,
    )


def _as_people(samples: Samples) -> Samples:
    parts = [str(subject).partition("/") for subject in samples.subject]
    return replace(samples, subject=np.array([f"{people_of(d)}/{s}" for d, _, s in parts], np.str_))
