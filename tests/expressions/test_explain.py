from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from command import Command

from fleeting.errors import InputError
from fleeting.expressions import explain as room
from fleeting.expressions.regions import ELSEWHERE, MARGIN_IOD, RegionShare, region_masks, region_shares
from fleeting.naming.occlusion import occlusion_map, squares
from fleeting.synthesis.demo import PORTRAIT_POINTS


def bright_mouth(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Say class 1 as far as rows 30..37, columns 20..27 are bright, else class 0."""
    share = faces[:, 30:38, 20:28].mean((1, 2)) / 255
    return np.stack([1 - share, share, np.zeros_like(share)], 1)


@pytest.fixture
def face() -> npt.NDArray[np.uint8]:
    picture = np.zeros((48, 48), np.uint8)
    picture[30:38, 20:28] = 255
    return picture


def test_the_map_is_where_the_network_looks(face: npt.NDArray[np.uint8]) -> None:
    calls: list[int] = []

    def answers(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        calls.append(len(faces))
        return bright_mouth(faces)

    found = occlusion_map(answers, face)
    assert calls == [21 * 21 + 1], "one batch for all squares"
    assert found.target == 1
    assert found.probability == 1
    assert found.fall.shape == found.wrong.shape == (48, 48)
    # Squares that touch the bright place reach 7 pixels beyond it and no further.
    outside = np.ones((48, 48), bool)
    outside[23:45, 13:35] = False
    assert not found.fall[outside].any()
    assert np.unravel_index(found.fall.argmax(), (48, 48))[0] in range(30, 38)
    assert found.fall[30:38, 20:28].mean() > 3 * found.fall.mean()
    assert set(np.unique(found.wrong > 0)) == {False, True}
    assert not found.wrong[:16].any()


def test_values_by_hand(face: npt.NDArray[np.uint8]) -> None:
    # One square a quarter of the picture: only the one below left of the middle holds most of the bright place.
    found = occlusion_map(bright_mouth, face, size=24, stride=24)
    mean = round(float(face.mean())) / 255
    left = (4 / 8) * (1 - mean)  # columns 20..23 of 20..27 are covered, rows 30..37 entirely
    np.testing.assert_allclose(found.fall[24:, :24], left, atol=1e-6)
    np.testing.assert_allclose(found.fall[24:, 24:], left, atol=1e-6)
    assert not found.fall[:24].any()
    against = occlusion_map(bright_mouth, face, target=0, size=24, stride=24)
    np.testing.assert_allclose(against.fall, -found.fall, atol=1e-6)
    assert against.probability == 0


def test_squares_reach_the_edge() -> None:
    corners = squares(48, 47, size=8, stride=2)
    assert corners[:, 0].max() == 40
    assert corners[:, 1].max() == 39
    assert len(corners) == 21 * 21


@pytest.mark.parametrize(("size", "stride"), [(0, 2), (49, 2), (8, 0)])
def test_squares_must_fit(face: npt.NDArray[np.uint8], size: int, stride: int) -> None:
    with pytest.raises(InputError, match="a square of 1 to 48"):
        occlusion_map(bright_mouth, face, size=size, stride=stride)


def test_pictures_must_be_grey(face: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="grey picture"):
        occlusion_map(bright_mouth, np.stack([face] * 3, -1))


def points() -> npt.NDArray[np.float64]:
    """Points of the demonstration's portrait, moved into a picture of 96 x 96."""
    known = np.asarray(PORTRAIT_POINTS, float)
    low, high = known.min(0), known.max(0)
    return 8 + (known - low) / (high - low).max() * 80


def test_every_pixel_is_in_one_part() -> None:
    masks = region_masks(points(), (96, 96))
    assert set(masks) == {"eyes", "mouth", "brows", "nose", ELSEWHERE}
    np.testing.assert_array_equal(np.sum(list(masks.values()), axis=0), 1)
    for name, place in (("mouth", (62, 66)), ("eyes", (37, 41)), ("nose", (30, 30)), ("brows", (19, 19))):
        x, y = points()[list(place)].mean(0).round().astype(int)
        assert masks[name][y, x], name
    assert masks[ELSEWHERE][0].all()
    # Around the mouth's corner, the part ends at the margin.
    x, y = points()[54]
    reach = MARGIN_IOD * np.linalg.norm(points()[45] - points()[36])
    assert masks["mouth"][int(round(y)), int(x + 0.7 * reach)]
    assert not masks["mouth"][int(round(y)), int(np.ceil(x + reach + 1))]


def test_shares_add_up_and_densities_compare() -> None:
    masks = region_masks(points(), (96, 96))
    values = np.full((96, 96), 1.0)
    for share in region_shares(values, points()).values():
        assert share.density == pytest.approx(1)
    values[masks["mouth"]] = 3
    values[masks["nose"]] = -5  # covering the nose helps: it does not count
    shares = region_shares(values, points())
    assert sum(s.share for s in shares.values()) == pytest.approx(1)
    assert shares["nose"].share == 0
    assert shares["mouth"].density == pytest.approx(3 * shares["eyes"].density)
    assert np.isnan(RegionShare(0.0, 0.0).density)


def test_maps_without_a_place_and_points_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="positive somewhere"):
        region_shares(np.zeros((96, 96)), points())
    with pytest.raises(InputError, match="68 points"):
        region_masks(np.zeros((5, 2)), (96, 96))


# ---------------------------------------------------------------- gradients


VIEWS: dict[str, dict[str, Any]] = {
    "deep_emotion": {"flip": False, "tilt_deg": 0.0},
    "expression": {"flip": True, "tilt_deg": 8.0, "zoom": 0.97},
}
"""As cards state them; a card that says nothing of zoom has none."""


@pytest.fixture(params=["unshuffled", "pooled"])
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A folder of shipped networks: both expression networks with random weights, as trainings export them."""
    torch = pytest.importorskip("torch", reason="needs the extra research")
    from fleeting import weights
    from fleeting.recognisers.deep_emotion.network import DeepEmotion
    from fleeting.training.expression.export import export
    from fleeting.training.expression.network import ExpressionNetwork
    from fleeting.training.expression.shipped import ExpressionAnswer, Views

    for file in (*weights.folder().glob("landmarks.*"), *weights.folder().glob("face_finder.*")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.manual_seed(3)
    made = {
        "deep_emotion": DeepEmotion(),
        "expression": ExpressionNetwork(widths=(8, 16, 24), blocks=(1, 2, 1), stem=request.param),
    }
    for name, network in made.items():
        with torch.no_grad():
            for p in network.parameters():
                if p.ndim > 1 and p.abs().max() > 0:  # the transformer stays the identity
                    torch.nn.init.kaiming_normal_(p)
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.2)
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2)
        seen = VIEWS[name]
        export(ExpressionAnswer(network, temperature=1.7, views=Views(**seen)), tmp_path / f"{name}.onnx")
        card = {"name": name, "temperature": 1.7, "views": seen, "sha256": weights.checksum(tmp_path / f"{name}.onnx")}
        (tmp_path / f"{name}.json").write_text(json.dumps(card))
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    monkeypatch.setattr(weights, "_shipped", lambda: tmp_path)
    weights._card.cache_clear()
    yield tmp_path
    weights._card.cache_clear()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["deep_emotion", "expression"])
def test_a_shipped_network_answers_the_same_as_a_torch_module(shipped: Path, name: str) -> None:
    import torch

    from fleeting import weights
    from fleeting.training.expression.shipped import shipped_network

    module = shipped_network(name)
    assert asdict(module.views) == {"zoom": 1.0} | VIEWS[name]
    blots = np.random.default_rng(5).integers(0, 256, (12, 8, 8)).astype(np.uint8)
    faces = np.kron(blots, np.ones((6, 6), np.uint8))
    theirs = weights.session(name).run(None, {"faces": faces})[0]
    assert np.ptp(theirs, axis=0).max() > 0.02, "the networks do not say the same of everything"
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(faces)).numpy(), theirs, atol=1e-4)


@pytest.mark.torch
def test_a_network_of_another_version_is_refused(shipped: Path) -> None:
    from fleeting.errors import WeightsError
    from fleeting.training.expression.shipped import shipped_network

    for suffix in ("onnx", "json"):
        (shipped / f"deep_emotion.{suffix}").write_bytes((shipped / f"expression.{suffix}").read_bytes())
    from fleeting import weights

    weights._card.cache_clear()
    with pytest.raises(WeightsError, match="other layers"):
        shipped_network("deep_emotion")
    card = json.loads((shipped / "expression.json").read_text())
    (shipped / "expression.json").write_text(json.dumps(card | {"temperature": 0.4}))
    weights._card.cache_clear()
    with pytest.raises(WeightsError, match="a difference of"):
        shipped_network("expression")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["deep_emotion", "expression"])
def test_gradients_add_up_to_the_difference_from_a_flat_picture(shipped: Path, name: str) -> None:
    pytest.importorskip("captum", reason="needs the extra research")
    from fleeting.expressions.gradients import gradient_map
    from fleeting.training.expression.shipped import shipped_network

    face = np.random.default_rng(1).integers(0, 256, (48, 48)).astype(np.uint8)
    network = shipped_network(name)
    found = gradient_map(network, face, steps=256)
    assert found.added.shape == (48, 48)
    gained = found.probability - found.flat_probability
    assert found.added.sum() == pytest.approx(gained, abs=0.02 + 0.05 * abs(gained))
    other = gradient_map(network, face, target=(found.target + 1) % 7)
    assert other.probability < found.probability
    with pytest.raises(InputError, match="grey picture"):
        gradient_map(network, face.astype(np.float32))


@pytest.mark.torch
def test_gradients_are_where_the_network_looks() -> None:
    torch = pytest.importorskip("torch", reason="needs the extra research")
    pytest.importorskip("captum", reason="needs the extra research")
    from fleeting.expressions.gradients import gradient_map

    class Mouth:
        """Class 1 as far as the lower middle is bright; linear, so the map is known: its values times 0.01."""

        def of_standardised(self, x: Any) -> Any:
            bright = 0.01 * x[:, 0, 30:38, 20:28].sum((1, 2))
            return torch.stack([-bright, bright], 1)

    face = np.zeros((48, 48), np.uint8)
    face[30:38, 20:28] = 200
    found = gradient_map(Mouth(), face)  # type: ignore[arg-type]
    assert found.target == 1
    assert not found.added[:30].any()
    standard = (face - face.mean()) / (face.std() + 1e-2)
    np.testing.assert_allclose(found.added[30:38, 20:28], 0.01 * standard[30:38, 20:28], rtol=1e-3)


# ---------------------------------------------------------------- one face


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    from fleeting.synthesis import demo

    path = tmp_path / "portrait.jpg"
    cv2.imwrite(str(path), cv2.resize(demo.portrait(), (300, 300))[..., ::-1])
    return path


class Smile:
    """Stands in for the shipped network: happy as far as the mouth is bright against the whole, else neutral."""

    def __init__(self, name: str = "expression") -> None:
        self.name = name

    def __call__(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        share = np.clip(faces[:, 33:40, 17:31].mean((1, 2)) / 255, 0, 1)
        found = np.zeros((len(faces), 7), np.float32)
        found[:, 3], found[:, 6] = 0.2 + 0.8 * share, 0.8 - 0.8 * share
        return found


def test_an_explanation_says_where_and_how_much(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ExpressionNet", Smile)
    found = room.explain_face(photo, out=tmp_path)
    assert [one.name for one in found.maps] == ["happy", "neutral"]
    assert found.faces == 1
    happy, neutral = found.maps
    assert max(happy.parts, key=lambda name: happy.parts[name].density) == "mouth"
    np.testing.assert_allclose(happy.values, -neutral.values, atol=1e-6)
    stored = json.loads((tmp_path / "portrait.explain.json").read_text())
    assert stored["schema"] == "fleeting-explain/1"
    assert sum(part["share"] for part in stored["maps"][0]["parts"].values()) == pytest.approx(1, abs=1e-3)
    assert np.array(stored["maps"][0]["values"]).shape == (48, 48)
    picture = cv2.imread(str(tmp_path / "portrait.explain.png")).astype(int)
    assert picture.shape[1] > 3 * room.SHOWN_SIDE
    # The mouth of the second panel is red, that of the third blue.
    side, gap, top = room.SHOWN_SIDE, 16, 38
    y = top + 36 * side // 48
    red = [picture[y, gap + i * (side + gap) + side // 2] for i in (1, 2)]
    assert red[0][2] > red[0][0] + 40
    assert red[1][0] > red[1][2] + 20


def test_one_class_may_be_asked_for(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ExpressionNet", Smile)
    found = room.explain_face(photo, target="angry")
    assert [one.name for one in found.maps] == ["angry"]
    assert found.maps[0].parts == {}, "nothing speaks for a class that is never said"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"network": "expresion"}, "known network; got 'expresion'. Did you mean 'expression'"),
        ({"method": "occlude"}, "known method"),
        ({"target": "happiness"}, "known class"),
        ({"face": 1}, "a face from 0 to 0; got 1"),
    ],
)
def test_wrong_words_are_refused(photo: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        room.explain_face(photo, **options)


def test_what_is_no_picture_of_a_face_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((90, 90), 120, np.uint8))
    (tmp_path / "film.mp4").write_bytes(b"1")
    for name, match in (
        ("blank.png", "no face was found"),
        ("film.mp4", "a picture; got film.mp4"),
        ("gone.png", "not exist"),
    ):
        with pytest.raises(InputError, match=match):
            room.explain_face(tmp_path / name)


def test_the_command_writes_and_tells(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleeting: Command
) -> None:
    monkeypatch.setattr(room, "ExpressionNet", Smile)
    done = fleeting("explain", photo, "--out", tmp_path / "out")
    assert done.status == 0
    assert re.search(r"mouth +\d+% of the map", done.out)
    assert (tmp_path / "out" / "portrait.explain.png").exists()
    lines = fleeting("explain", photo, "--out", tmp_path / "out", "--target", "happy", "--json")
    assert [m["class"] for m in json.loads(lines.out)["maps"]] == ["happy"]
    assert fleeting("explain", tmp_path / "gone.jpg", "--out", tmp_path / "out").status == 1
