"""Clips in the layouts of CASME II, SMIC, SAMM and CK+ go through the same preparation, recipes and networks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

for needed in ("torch", "onnx", "openpyxl", "skimage"):
    pytest.importorskip(needed, reason="needs the extras research and demo")

import dataset_tables as tables  # noqa: E402

from fleeting import weights  # noqa: E402
from fleeting.datasets.load import cache_of  # noqa: E402
from fleeting.datasets.prepare import PrepareSettings, prepare  # noqa: E402
from fleeting.datasets.registry import named_data  # noqa: E402
from fleeting.recognisers.macro_to_micro.train import macro_clips  # noqa: E402
from fleeting.recognisers.sequences.recipe import ClipSource, read_sequences  # noqa: E402
from fleeting.training.run import train  # noqa: E402

pytestmark = pytest.mark.torch

FRAMES = 5
EMOTIONS = ("disgust", "happiness", "surprise")
SETTINGS = PrepareSettings(frames=8, width=56)
RECIPE = """
task = "dsticnn"
[source]
sets = ["casme2=casme2", "smic=smic", "samm=samm"]
validation_percent = 30
test_percent = 30
[network]
length = 8
side = 32
[network.fit]
epochs = 1
batch = 6
device = "cpu"
"""


def film(folder: Path, name: str, first: int, emotion: str) -> None:
    """The portrait of the demonstration shows an emotion in five numbered pictures."""
    from fleeting.synthesis import demo
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile

    course = Profile(0.0, 0.04, 0.08)
    movement = Movement("micro", course, activations_of(emotion), 4.0, emotion)
    settings = ClipSettings(fps=50, seconds=FRAMES / 50, width=128, height=128, iod_px=52)
    clip = PortraitClip(demo.portrait(), demo.PORTRAIT_POINTS, movements=[movement], settings=settings, seed=first)
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip.frames(), first):
        cv2.imwrite(str(folder / name.format(number)), np.ascontiguousarray(frame[..., ::-1]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people in each of three data sets, three emotions each; and posed sequences in the layout of CK+."""
    root = tmp_path_factory.mktemp("layouts")
    casme2, smic, samm = [], [], []
    for person in range(1, 4):
        for place, emotion in enumerate(EMOTIONS):
            clip = f"EP0{place}_01"
            casme2.append([f"0{person}", clip, "", 1, 3, FRAMES, "", 12, emotion, 1])
            film(root / "casme2" / "CASME2-RAW" / f"sub0{person}" / clip, "img{}.jpg", 1, emotion)
            clip = f"s{person}_{emotion[:2]}_01"
            first = 100 * person + 10 * place
            word = ("negative", "positive", "surprise")[place]
            smic.append([f"s0{person}", clip, first, first, first + FRAMES - 1, FRAMES, "", "", word])
            film(root / "smic" / "SMIC-HS-E" / f"s0{person}" / clip, "image{:06d}.jpg", first, emotion)
            clip = f"00{person}_{place + 1}_1"
            samm.append([f"00{person}", clip, 1, first, first + 2, first + FRAMES - 1, FRAMES, "Micro - 1/2", "12"])
            samm[-1] += [emotion.capitalize(), "II", ""]
            film(root / "samm" / "SAMM" / f"00{person}" / clip, f"00{person}_{{:05d}}.jpg", first, emotion)
    tables.workbook(
        root / "casme2" / "CASME2-coding-20140508.xlsx", Sheet1=[[*tables.CASME2, "Objective Classes"], *casme2]
    )
    heads = ["Subject", "Filename", "FirstF", "OnsetF", "OffsetF", "TotalMF1", "Onset2F", "Offset2F", "Emotion"]
    tables.workbook(root / "smic" / "SMIC-HS-E_annotation.xlsx", Sheet1=[heads, *smic])
    notes = [[f"line {i}"] for i in range(13)]
    tables.workbook(root / "samm" / "SAMM_Micro_FACS_Codes_v2.xlsx", MICRO_ONLY=[*notes, list(tables.SAMM), *samm])
    for person in range(1, 3):
        for place, (emotion, code) in enumerate((("disgust", 3), ("happiness", 5), ("surprise", 7)), 1):
            clip = f"00{place}"
            film(
                root / "ckplus" / "cohn-kanade-images" / f"S00{person}" / clip,
                f"S00{person}_{clip}_{{:08d}}.png",
                1,
                emotion,
            )
            folder = root / "ckplus" / "Emotion" / f"S00{person}" / clip
            folder.mkdir(parents=True)
            text = f"   {code}.0000000e+00\n"
            (folder / f"S00{person}_{clip}_0000000{FRAMES}_emotion.txt").write_text(text, encoding="ascii")
    for name in ("casme2", "smic", "samm", "ckplus"):
        named = named_data(f"{name}={root / name}")
        prepare(named.read(), cache=cache_of(named, None), settings=SETTINGS)
    return root


def test_micro_expressions_of_three_data_sets_train_one_network(data: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    train(tmp_path / "recipe.toml", data=data, out=tmp_path / "out")
    card = weights.card("dsticnn", folder=tmp_path / "out")
    assert card["data"] == "casme2=casme2, smic=smic, samm=samm"
    assert {subject.split("/")[0] for subject in card["subjects"]} <= {"casme2", "smic", "samm"}
    assert len(card["subjects"]) == 6
    assert not any("portraits" in text for text in card["limits"])
    found = read_sequences([f"{name}={data / name}" for name in ("casme2", "smic", "samm")], classes=3)
    assert len(found) == 27
    assert np.bincount(found.label).tolist() == [9, 9, 9]


def test_posed_expressions_of_ckplus_are_macro_expressions(data: Path) -> None:
    found = macro_clips(ClipSource(macro=["ckplus=ckplus"]), None, data=data)
    assert len(found) == 6
    assert np.bincount(found.label).tolist() == [2, 2, 2]
    assert found.sequence is not None
    assert found.sequence.shape[1:] == (8, 68, 56)
