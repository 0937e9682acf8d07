"""The shipped networks of whole faces: what they say of known portraits, and what an analysis makes of it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fleeting import weights
from fleeting.analysis.analyse import Analysis, analyse_video
from fleeting.errors import InputError
from fleeting.faces.align import canonical_points
from fleeting.faces.detect import FaceDetector
from fleeting.labels import SEVEN_CLASSES
from fleeting.naming.expression_net import ExpressionNet, expression_crop
from fleeting.settings import AnalyseSettings, ExpressionSettings

STORED: dict[str, dict[str, tuple[float, ...]]] = {
    "expression": {
        "009.jpg": (0.002, 0.002, 0.002, 0.980, 0.003, 0.003, 0.007),
        "018.jpg": (0.145, 0.010, 0.180, 0.034, 0.164, 0.060, 0.407),
        "020.jpg": (0.004, 0.002, 0.002, 0.951, 0.006, 0.001, 0.033),
        "029.jpg": (0.018, 0.004, 0.058, 0.070, 0.716, 0.019, 0.114),
    },
    "deep_emotion": {
        "009.jpg": (0.000, 0.000, 0.000, 0.998, 0.000, 0.000, 0.001),
        "018.jpg": (0.227, 0.003, 0.198, 0.048, 0.242, 0.075, 0.207),
        "020.jpg": (0.006, 0.000, 0.000, 0.901, 0.003, 0.001, 0.089),
        "029.jpg": (0.026, 0.000, 0.112, 0.092, 0.501, 0.025, 0.244),
    },
}
"""Probabilities of four CC0 portraits, in the order of `SEVEN_CLASSES`; another network has others."""


@pytest.fixture(scope="module")
def crops(shared_data: Path) -> dict[str, npt.NDArray[np.uint8]]:
    detector, found = FaceDetector(), {}
    with zipfile.ZipFile(shared_data / "interfaces_cc0_256.zip") as archive:
        for place in archive.namelist():
            name = place.rsplit("/", 1)[-1]
            if name in STORED["expression"]:
                data = np.frombuffer(archive.read(place), np.uint8)
                grey = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
                found[name] = expression_crop(grey, detector(grey)[0][1].points)
    return found


@pytest.mark.shared_data
@pytest.mark.parametrize("network", STORED)
def test_portraits_get_the_stored_probabilities(network: str, crops: dict[str, npt.NDArray[np.uint8]]) -> None:
    net = ExpressionNet(network)
    for name, stored in STORED[network].items():
        found = net(crops[name][None])[0]
        # Other processors round the finder, the landmarks and the network a little otherwise.
        np.testing.assert_allclose(found, stored, atol=0.03, err_msg=name)
    together = net(np.stack([crops[name] for name in STORED[network]]))
    np.testing.assert_allclose(together.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("network", STORED)
def test_a_smile_is_happy_and_its_mirror_image_too(network: str) -> None:
    demo = pytest.importorskip("fleeting.synthesis.demo")
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    grey = np.asarray(cv2.cvtColor(demo.portrait(), cv2.COLOR_RGB2GRAY), np.uint8)
    crop = expression_crop(grey, np.asarray(demo.PORTRAIT_POINTS))
    net = ExpressionNet(network)
    plain, mirrored, darker = net(np.stack([crop, crop[:, ::-1], (crop // 2 + 10).astype(np.uint8)]))
    assert SEVEN_CLASSES[int(plain.argmax())] == "happy"
    np.testing.assert_allclose(mirrored, plain, atol=1e-4)
    np.testing.assert_allclose(darker, plain, atol=0.05)


def test_other_pictures_are_refused() -> None:
    net = ExpressionNet("deep_emotion")
    assert net(np.zeros((0, 48, 48), np.uint8)).shape == (0, 7)
    for wrong in (np.zeros((1, 48, 47), np.uint8), np.zeros((1, 48, 48), np.float32)):
        with pytest.raises(InputError, match="faces \\(n, 48, 48\\) uint8"):
            net(wrong)


def test_the_cards_state_what_was_measured() -> None:
    for name in STORED:
        card = weights.card(name)
        assert card["labels"] == list(SEVEN_CLASSES)
        assert 0.5 < card["scores"]["public_test"]["accuracy"] < 0.8
        assert card["pictures"]["left out, byte-identical to test pictures"] == 351
        assert (weights.folder() / f"{name}.onnx").stat().st_size < 5e6


# ---------------------------------------------------------------- in an analysis


def test_an_analysis_reads_the_whole_face(analysis: Analysis) -> None:
    timeline = analysis.timeline
    (curve,) = timeline.expressions
    assert curve.face == timeline.signals[0].face
    assert 5 <= len(curve.frame) <= 7, "1.4 s, four times a second"
    np.testing.assert_allclose(curve.time_s, timeline.signals[0].time_s[curve.frame])
    assert SEVEN_CLASSES[int(curve.probabilities.mean(0).argmax())] == "happy", "the astronaut smiles throughout"
    assert timeline.models["expression"]["sha256"] == weights.card("expression")["sha256"]
    (event,) = timeline.of_kind("micro")
    assert event.surrounding == "happy"
    place = timeline.events.index(event)
    shown = analysis.media[place]
    assert shown.expression == "happy"
    assert len(shown.outlines) == 3
    places = np.array(re.findall(r"([\d.]+) ([\d.]+)", shown.outlines[1]), float)
    assert np.abs(places[:17] - canonical_points()[:17]).mean() < 12, "the jaw of a drawing lies where jaws lie"
    face = cv2.imdecode(np.frombuffer(shown.face, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert face.shape == (192, 192, 3)
    tint = cv2.blur((face[..., 2] - face[..., 0]).astype(np.float32), (9, 9))
    assert np.unravel_index(tint.argmax(), tint.shape)[0] >= 112, "a smile is read from the lower half"


def test_an_analysis_goes_without_where_nothing_is_asked(clip: Path, analysis: Analysis) -> None:
    settings = AnalyseSettings(expressions=ExpressionSettings(per_second=0.0))
    found = analyse_video(clip, settings=settings, pictures=True)
    assert found.timeline.expressions == ()
    assert "expression" not in found.timeline.models
    bare = [replace(e, surroundings={}, contradicts=False) for e in analysis.timeline.events]
    assert list(found.timeline.events) == bare, "the events are the same"
    assert all(m.face == b"" and m.movement for m in found.media.values())
