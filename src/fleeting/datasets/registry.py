"""All data sets by name: who reads them, what was published of them, and ``NAME=PATH``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from fleeting.datasets.manifest import Manifest
from fleeting.errors import SettingsError
from fleeting.settings import nearest


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that can be read.

    Attributes
    ----------
    title
        As its authors write it.
    reader
        ``module:function`` below `fleeting.datasets`, called with the path.
    source
        Where counts and layout are from.
    clips, subjects
        Published numbers; None where they are not stated here.
    emotions, types
        Published clips per emotion and per type.
    parts
        Of a set made of others: published clips per emotion of each.
    people
        Data set whose people these are: SAMM Long Videos shows those of SAMM, so a split must not part them.
    arrays
        What it holds instead of frames: ``flow`` (flow images), ``pictures`` (single faces), ``prepared``; empty else.
    """

    title: str
    reader: str
    source: str
    clips: int | None = None
    subjects: int | None = None
    emotions: Mapping[str, int] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    people: str = ""
    arrays: str = ""


DATASETS: dict[str, DataSet] = {
    "casme2": DataSet(
        "CASME II",
        "readers.casme2:read",
        "Yan et al., PLoS ONE 9(1), 2014; table of 255 clips",
        clips=255,
        subjects=26,
        emotions={
            "others": 99, "disgust": 63, "happiness": 32, "surprise": 28, "repression": 27, "sadness": 4, "fear": 2,
        },
    ),
    "samm": DataSet(
        "SAMM",
        "readers.samm:read",
        "Davison et al., IEEE Trans. Affective Computing 9(1), 2018",
        clips=159,
        subjects=29,
        emotions={
            "anger": 57, "happiness": 26, "other": 26, "surprise": 15, "contempt": 12, "disgust": 9, "fear": 8,
            "sadness": 6,
        },
    ),
    "smic": DataSet(
        "SMIC-HS",
        "readers.smic:read_hs",
        "Li et al., FG 2013",
        clips=164,
        subjects=16,
        emotions={"negative": 70, "positive": 51, "surprise": 43},
    ),
    "smic-vis": DataSet("SMIC-VIS", "readers.smic:read_vis", "Li et al., FG 2013", clips=71, subjects=8, people="smic"),
    "smic-nir": DataSet("SMIC-NIR", "readers.smic:read_nir", "Li et al., FG 2013", clips=71, subjects=8, people="smic"),
    "casme-sq": DataSet(
        "CAS(ME)^2",
        "readers.casme_sq:read",
        "Qu et al., IEEE Trans. Affective Computing 9(4), 2018",
        clips=357,
        subjects=22,
        types={"macro": 300, "micro": 57},
    ),
    "casme3": DataSet(
        "CAS(ME)^3, part A",
        "readers.casme3:read",
        "Li et al., IEEE TPAMI, 2022; table of 860 clips",
        clips=860,
        subjects=94,
    ),
    "samm-lv": DataSet(
        "SAMM Long Videos",
        "readers.samm_long:read",
        "Yap et al., FG 2020",
        clips=502,
        types={"macro": 343, "micro": 159},
        people="samm",
    ),
    "mmew": DataSet("MMEW", "readers.mmew:read", "Ben et al., IEEE TPAMI 44(9), 2022", clips=300),
    "4dme": DataSet("4DME", "readers.fourdme:read", "Li et al., IEEE Trans. Affective Computing, 2022"),
    "dfme": DataSet("DFME", "readers.dfme:read", "Zhao et al., arXiv 2301.00985", clips=7526, subjects=671),
    "ckplus": DataSet(
        "CK+",
        "readers.ckplus:read",
        "Lucey et al., CVPR workshops, 2010, table 3",
        clips=593,
        subjects=123,
        emotions={
            "surprise": 83, "happy": 69, "disgust": 59, "anger": 45, "sadness": 28, "fear": 25, "contempt": 18,
        },
    ),
    "megc2020": DataSet("MEGC 2020, ground truth", "readers.megc2020:read", "Li et al., FG 2020", clips=859),
    "composite": DataSet(
        "MEGC 2019, composite set",
        "readers.composite_folders:read",
        "See et al., FG 2019",
        clips=442,
        subjects=68,
        emotions={"negative": 250, "positive": 109, "surprise": 83},
        parts={
            "casme2": {"negative": 88, "positive": 32, "surprise": 25},
            "samm": {"negative": 92, "positive": 26, "surprise": 15},
            "smic": {"negative": 70, "positive": 51, "surprise": 43},
        },
        arrays="flow",
    ),
    "fer2013": DataSet(
        "FER-2013",
        "readers.fer2013_manifest:read",
        "Goodfellow et al., ICONIP 2013",
        clips=35887,
        emotions={
            "happy": 8989, "neutral": 6198, "sad": 6077, "fear": 5121, "angry": 4953, "surprise": 4002, "disgust": 547,
        },
        arrays="pictures",
    ),
    "own": DataSet("your own table and videos", "readers.own:read", ""),
    "manifest": DataSet("a manifest of fleeting data check", "manifest_files:read_manifest", ""),
    "prepared": DataSet("a file of fleeting prepare", "readers.prepared:read", "", arrays="prepared"),
}  # fmt: skip
"""By the name that ``NAME=PATH`` uses. ``own:LABEL=PATH`` gives a set of one's own a name."""


_MEANT = {
    "casmeii": "casme2", "casme-ii": "casme2", "casme_ii": "casme2", "cas(me)^2": "casme-sq", "cas(me)2": "casme-sq",
    "casme^2": "casme-sq", "casme_sq": "casme-sq", "casmesq": "casme-sq", "cas(me)^3": "casme3", "cas(me)3": "casme3",
    "ck+": "ckplus", "ck": "ckplus", "fer": "fer2013", "smic-hs": "smic", "sammlv": "samm-lv", "samm_lv": "samm-lv",
    "megc2019": "composite", "mine": "own",
}  # fmt: skip
"""What other spellings mean: by letters alone, CASME II would be taken for CAS(ME)^3."""


@dataclass(frozen=True, slots=True)
class NamedData:
    """A data set at a path.

    Attributes
    ----------
    name
        Key of `DATASETS`.
    label
        Name of a set of one's own; else as `name`.
    path
        Its table or folder.
    """

    name: str
    label: str
    path: Path

    @property
    def about(self) -> DataSet:
        """What is known of the data set."""
        return DATASETS[self.name]

    def read(self) -> Manifest:
        """Return its manifest.

        Raises
        ------
        DataError
            Where it cannot be read.
        """
        module, _, function = self.about.reader.partition(":")
        reader: Callable[..., Manifest] = getattr(import_module(f"fleeting.datasets.{module}"), function)
        how: dict[str, Any] = {"name": self.label} if self.name == "own" else {}
        return reader(self.path, **how)


def named_data(text: str) -> NamedData:
    """Take ``NAME=PATH`` apart.

    Raises
    ------
    SettingsError
        Where it is no such text, or the name is unknown.
    """
    name, sign, path = (part.strip() for part in text.partition("="))
    if not (name and sign and path):
        raise SettingsError("data as NAME=PATH", f"'{text}'", f"Names: {', '.join(DATASETS)}.")
    kind, _, label = name.partition(":")
    if kind not in DATASETS or (label and kind != "own"):
        meant = _MEANT.get(kind.lower())
        hint = f"Did you mean '{meant}'?" if meant else nearest(kind.lower(), DATASETS)
        raise SettingsError("the name of a data set before the '='", f"'{name}'", hint)
    return NamedData(kind, label or kind, Path(path).expanduser())


TRANSFERRED = "transferred-"
"""Begins the name of a set of sequences that show the motion of a data set's people on portraits."""


def people_of(dataset: str) -> str:
    """Return the data set whose people a data set shows: itself, but ``samm`` for ``samm-lv``.

    Whose motion was transferred to portraits counts as shown: ``casme2`` for ``transferred-casme2``.
    """
    dataset = dataset.removeprefix(TRANSFERRED)
    known = DATASETS.get(dataset)
    return known.people if known is not None and known.people else dataset
