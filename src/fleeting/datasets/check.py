"""What is in a data set as it lies on this disk, beside what was published of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from fleeting.datasets.manifest import Correction, Manifest
from fleeting.datasets.registry import DataSet, NamedData
from fleeting.labels import THREE, THREE_CLASSES


@dataclass(frozen=True, slots=True)
class Checked:
    """One data set, read and compared.

    Attributes
    ----------
    name, title, path
        As it was given, as its authors write it, and where.
    source
        Tables and files that were read.
    clips, subjects, videos
        How many; None for subjects and recordings of pictures that name nobody.
    types, emotions, three_classes
        Clips per type, per raw emotion, and per class of `labels.THREE_CLASSES` (micro-expressions alone, where the
        set has any), of which some have none.
    published
        The same as published, where it is known, with its source.
    differences
        Where the two differ, in sentences: parts of a set, or other releases, are no errors.
    missing
        Folders or files of clips that are not there, each once.
    clips_without_frames
        How many clips that concerns.
    corrections
        What was repaired.
    remarks
        What else a user should know.
    """

    name: str
    title: str
    path: str
    source: tuple[str, ...]
    clips: int
    subjects: int | None
    videos: int | None
    types: dict[str, int]
    emotions: dict[str, int]
    three_classes: dict[str, int]
    published: dict[str, Any] = field(default_factory=dict)
    differences: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    clips_without_frames: int = 0
    corrections: tuple[Correction, ...] = ()
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def check(data: NamedData) -> tuple[Checked, Manifest]:
    """Read a data set and compare it with what was published.

    Raises
    ------
    DataError
        Where it cannot be read.
    """
    manifest = data.read()
    missing = manifest.missing()
    named = data.about.arrays != "pictures"
    types = dict(Counter(r.type for r in manifest.rows if r.type).most_common())
    emotions = {word: n for word, n in manifest.counts().items() if word}
    found = Checked(
        name=data.label,
        title=data.about.title,
        path=str(data.path),
        source=manifest.source,
        clips=len(manifest),
        subjects=len(manifest.subjects) if named else None,
        videos=len({(r.dataset, r.source_video) for r in manifest.rows}) if named else None,
        types=types,
        emotions=emotions,
        three_classes=_three_classes(manifest),
        published=_published(data.about),
        differences=_differences(data.about, manifest, types, emotions),
        missing=tuple(dict.fromkeys(r.path for r in missing)),
        clips_without_frames=len(missing),
        corrections=manifest.corrections,
        remarks=_remarks(data.about, manifest),
    )
    return found, manifest


def _three_classes(manifest: Manifest) -> dict[str, int]:
    kinds = {r.type for r in manifest.rows}
    rows = [r for r in manifest.rows if r.type == "micro"] if "micro" in kinds else manifest.rows
    labels = Counter(THREE.label(r.emotion) for r in rows)
    return {name: labels[i] for i, name in enumerate(THREE_CLASSES)} if any(k is not None for k in labels) else {}


def _published(about: DataSet) -> dict[str, Any]:
    known = {
        "clips": about.clips,
        "subjects": about.subjects,
        "emotions": dict(about.emotions),
        "types": dict(about.types),
    }
    given = {name: value for name, value in known.items() if value}
    return given | {"source": about.source} if given else {}


def _differences(
    about: DataSet, manifest: Manifest, types: dict[str, int], emotions: dict[str, int]
) -> tuple[str, ...]:
    if about.parts:
        return _parts_differences(about, manifest)
    pairs = [("clips", len(manifest), about.clips)]
    # FER-2013 names nobody: each picture stands for itself.
    if about.arrays != "pictures":
        pairs.append(("subjects", len(manifest.subjects), about.subjects))
    for published, found in ((about.types, types), (about.emotions, emotions)):
        if published:
            words = dict.fromkeys([*published, *found])
            pairs += [(word, found.get(word, 0), published.get(word, 0)) for word in words]
    return tuple(f"{name} {found} instead of {known}" for name, found, known in pairs if known not in (None, found))


def _parts_differences(about: DataSet, manifest: Manifest) -> tuple[str, ...]:
    said = []
    for dataset, published in about.parts.items():
        found = Counter(r.emotion for r in manifest.rows if r.dataset == dataset)
        if not found:
            said.append(f"nothing of {dataset}")
            continue
        counts = [f"{w} {found[w]} instead of {published.get(w, 0)}" for w in {**published, **found}]
        wrong = [text for text, w in zip(counts, {**published, **found}, strict=True) if found[w] != published.get(w)]
        if wrong:
            said.append(f"{dataset}: {', '.join(wrong)}")
    return tuple(said)


def _remarks(about: DataSet, manifest: Manifest) -> tuple[str, ...]:
    said = []
    if len(manifest.subjects) == 1 and about.arrays != "pictures":
        said.append("One subject: nobody is left to train on when it is held out.")
    if about.people:
        said.append(f"The people are those of '{about.people}': a split must keep the two sets' subjects together.")
    words = {r.emotion for r in manifest.rows}
    if words == {""}:
        said.append("No emotions: fit for spotting, not for recognition.")
    several = sum("+" in r.emotion for r in manifest.rows)
    if several:
        said.append(f"{several} clips with several emotions, which no scheme of single classes takes.")
    if about.arrays == "pictures":
        said.append("Nobody is named, so no split can hold out people.")
    unknown = sum(r.apex is None for r in manifest.rows if r.onset is not None)
    if unknown:
        said.append(f"{unknown} clips without a known apex: fleeting prepare takes the frame that moved most.")
    return tuple(said)
