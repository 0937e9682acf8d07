from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'research'")

from fleeting.errors import DataError, SettingsError  # noqa: E402
from fleeting.faces.finder import box_iou, decode  # noqa: E402
from fleeting.records import FaceBox  # noqa: E402
from fleeting.training.backgrounds import PATTERNS, cut, erase_face, pattern, scramble  # noqa: E402
from fleeting.training.face_finder import train as face_finder  # noqa: E402
from fleeting.training.face_finder.export import export, ship  # noqa: E402
from fleeting.training.face_finder.network import STRIDE, FaceFinderNet  # noqa: E402
from fleeting.training.face_finder.scenes import Scene, SceneMaker, SceneSettings  # noqa: E402
from fleeting.training.face_finder.targets import finder_loss, targets_of  # noqa: E402
from fleeting.training.face_finder.train import FinderRecipe, HardScenes, check, fit, match, train  # noqa: E402
from fleeting.training.landmarks.augment import mirror  # noqa: E402
from fleeting.training.landmarks.labels import FaceSample, of_part  # noqa: E402
from fleeting.weights.runtime import open_network  # noqa: E402

NOTHING = np.zeros((0, 4), np.float32)


def cartoon(seed: int, *, size: int = 96) -> FaceSample:
    """A bright oval with eyes and mouth on a dark ground; 68 points on its rim."""
    rng = np.random.default_rng(seed)
    grey = rng.integers(20, 60, (size, size)).astype(np.uint8)
    x, y, a, b = size // 2, size // 2, size // 5, size // 4
    cv2.ellipse(grey, (x, y), (a, b), 0, 0, 360, 220, -1)
    for side in (-1, 1):
        cv2.circle(grey, (x + side * a // 2, y - b // 3), max(a // 5, 1), 30, -1)
    cv2.ellipse(grey, (x, y + b // 2), (a // 2, b // 8), 0, 0, 360, 60, -1)
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([x + a * np.cos(angle), y + b * np.sin(angle)], 1).astype(np.float32)
    return FaceSample(grey, points, np.zeros(6, np.float32), "cartoon", f"cartoon {seed}")


FACES = [cartoon(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def maker() -> SceneMaker:
    return SceneMaker(FACES, [], erased=3)


class TestScenes:
    def test_same_chance_same_scene(self, maker: SceneMaker) -> None:
        first, second = (maker(np.random.default_rng(7), (96, 128)) for _ in range(2))
        assert np.array_equal(first.grey, second.grey)
        assert np.array_equal(first.boxes, second.boxes)

    def test_boxes_lie_on_the_faces(self) -> None:
        # Upright, undegraded, one per scene: the middle of the box is the bright oval.
        settings = SceneSettings(smallest_px=30, largest_roll=0.0, empty_share=0.0, filled_share=0.0, most_faces=1)
        maker = SceneMaker(FACES, [], settings=settings, erased=0)
        bright = []
        for seed in range(40):
            scene = maker(np.random.default_rng(seed), (128, 128))
            for left, top, right, bottom in scene.boxes.astype(int):
                inner = scene.grey[max(top, 0) : bottom, max(left, 0) : right]
                bright.append(float(inner.mean()) > float(scene.grey.mean()))
        assert len(bright) > 25
        assert np.mean(bright) > 0.9

    def test_no_faces_where_none_are_asked_for(self) -> None:
        maker = SceneMaker(FACES, [], settings=SceneSettings(empty_share=1.0), erased=2)
        assert all(len(maker(np.random.default_rng(s), (64, 64)).boxes) == 0 for s in range(10))

    def test_faces_that_are_cut_are_not_asked_for(self, maker: SceneMaker) -> None:
        seen = ignored = 0
        for seed in range(150):
            scene = maker(np.random.default_rng(seed), (96, 96))
            for left, top, right, bottom in scene.boxes:
                inside = (min(right, 96) - max(left, 0)) * (min(bottom, 96) - max(top, 0))
                assert inside >= 0.59 * (right - left) * (bottom - top)
                seen += 1
            ignored += len(scene.ignored)
        assert seen > 100
        assert ignored > 0

    def test_parts_share_nobody(self) -> None:
        faces = [replace(FACES[0], person=str(i)) for i in range(60)]
        parts = [{f.person for f in of_part(faces, part)} for part in ("train", "validation", "test")]
        assert sum(len(p) for p in parts) == len(set.union(*parts)) == 60

    def test_mirroring_moves_the_points_along(self) -> None:
        mirrored = mirror(FACES[0], shift=0.0)
        assert mirrored.points[:, 0].min() == pytest.approx(95 - FACES[0].points[:, 0].max())


class TestBackgrounds:
    @pytest.mark.parametrize("kind", PATTERNS)
    def test_patterns(self, kind: str) -> None:
        first, again, other = (pattern(np.random.default_rng(s), (40, 60), kind=kind) for s in (1, 1, 2))
        assert first.shape == (40, 60)
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_erasing_takes_the_face_and_leaves_the_rest(self) -> None:
        face = FACES[0]
        erased = erase_face(face.grey, face.points)
        assert face.grey[48, 48] > 200 > 100 > erased[48, 48]
        assert np.array_equal(erased[:5], face.grey[:5])

    def test_scrambling_keeps_the_tiles(self) -> None:
        grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
        scrambled = scramble(np.random.default_rng(0), grey, cells=4)
        assert sorted(scrambled.ravel()) == sorted(grey.ravel())
        assert not np.array_equal(scrambled, grey)

    def test_cut_has_the_shape(self) -> None:
        assert cut(np.random.default_rng(0), FACES[0].grey, (30, 50)).shape == (30, 50)


BOXES = np.array([[20, 30, 60, 80], [90, 8, 106, 26], [110, 60, 190, 150]], np.float32)


def as_logits(heat: torch.Tensor) -> torch.Tensor:
    return torch.logit(heat.clamp(1e-4, 1 - 1e-4))


class TestTargets:
    def test_decoding_the_targets_gives_the_boxes(self) -> None:
        targets = targets_of([Scene(np.zeros((160, 192), np.uint8), BOXES, NOTHING)])
        found = decode(as_logits(targets.heat)[0, 0].numpy(), targets.sides[0].numpy(), threshold=0.9)
        truth = [FaceBox(b[0], b[1], b[2] - b[0], b[3] - b[1]) for b in BOXES]
        assert len(found) == 3
        assert all(max(box_iou(f, t) for f in found) > 0.999 for t in truth)

    def test_each_face_weighs_the_same(self) -> None:
        targets = targets_of([Scene(np.zeros((160, 192), np.uint8), BOXES, NOTHING)])
        assert float(targets.share.sum()) == pytest.approx(3.0, abs=1e-4)

    def test_cut_faces_are_not_judged(self) -> None:
        targets = targets_of([Scene(np.zeros((64, 64), np.uint8), NOTHING, np.array([[-20, 0, 17, 30]], np.float32))])
        assert targets.judged[0, 0, :4, :3].sum() == 0
        assert targets.judged[0, 0, 4:].min() == 1

    def test_truth_costs_least(self) -> None:
        targets = targets_of([Scene(np.zeros((160, 192), np.uint8), BOXES, NOTHING)])
        heat, box = finder_loss(as_logits(targets.heat), targets.sides, targets)
        assert float(box) == pytest.approx(0.0, abs=1e-5)
        shifted = torch.roll(as_logits(targets.heat), 2, 3)
        assert float(finder_loss(shifted, targets.sides, targets)[0]) > 10 * float(heat)

    def test_box_loss_is_one_minus_giou(self) -> None:
        targets = targets_of([Scene(np.zeros((64, 64), np.uint8), np.array([[12, 12, 52, 52]], np.float32), NOTHING)])
        # All sides twice as long: the box holds the true one, a quarter of it shared, and is its own hull.
        _, box = finder_loss(as_logits(targets.heat), 2 * targets.sides, targets)
        assert float(box) == pytest.approx(0.75, abs=1e-4)


class TestMatch:
    scene = Scene(np.zeros((160, 192), np.uint8), BOXES[:1], BOXES[1:2])

    def test_each_face_is_found_once(self) -> None:
        right = FaceBox(20, 30, 40, 50, 0.9)
        assert match([right, right._replace(score=0.8)], self.scene) == [(0.9, True), (0.8, False)]

    def test_boxes_on_cut_faces_do_not_count(self) -> None:
        assert match([FaceBox(90, 8, 16, 18, 0.9)], self.scene) == []

    def test_check_of_a_blind_network(self) -> None:
        figures = check(FaceFinderNet(width=8).eval(), [self.scene])
        assert figures["average_precision"] < 0.5


def test_hard_scenes_are_those_without_a_face_that_were_taken_for_one() -> None:
    hard = HardScenes()
    empty, full = (Scene(np.zeros((32, 32), np.uint8), boxes, NOTHING) for boxes in (NOTHING, BOXES))
    heat = torch.full((3, 1, 4, 4), -6.0)
    heat[0, 0, 1, 1] = heat[1, 0, 1, 1] = 2.0
    hard.keep([empty, full, empty], heat)
    assert len(hard) == 1
    assert len(hard.draw(np.random.default_rng(0), (32, 32), 4)) == 1
    assert len(hard) == 0


def recipe(**changes: object) -> FinderRecipe:
    settings = SceneSettings(smallest_px=24, empty_share=0.1, filled_share=0.3, most_faces=1, largest_roll=10)
    values = {"cycles": [24], "batch": 4, "width": 8, "check_every": 12, "learning_rate": 4e-3, "scenes": settings}
    return FinderRecipe(**(values | changes))  # type: ignore[arg-type]


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def small_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_finder, "SHAPES", ((96, 96),))


@pytest.mark.usefixtures("small_scenes")
def test_training_learns_goes_on_and_ships(maker: SceneMaker, tmp_path: Path) -> None:
    maker = SceneMaker(FACES, [], settings=recipe().scenes, erased=0)
    scenes = face_finder.validation_scenes(maker, count=4)
    fit(recipe(cycles=[12]), maker, scenes, out=tmp_path)
    fit(recipe(cycles=[60]), maker, scenes, out=tmp_path)
    log = rows(tmp_path)
    assert [row["step"] for row in log] == [12, 24, 36, 48, 60]
    assert log[-1]["heat"] + log[-1]["box"] < 0.8 * (log[0]["heat"] + log[0]["box"])
    ship(recipe(), out=tmp_path, faces={"train": 6}, people={"train": 6})
    card = json.loads((tmp_path / "face_finder.json").read_text(encoding="utf-8"))
    assert card["sha256"] == face_finder_checksum(tmp_path)
    assert 0 < card["threshold"] < 1


def face_finder_checksum(folder: Path) -> str:
    from fleeting.weights import checksum

    return checksum(folder / "face_finder.onnx")


def test_export_computes_the_same_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = FaceFinderNet(width=8).eval()
    export(net, tmp_path / "net.onnx")
    session = open_network(tmp_path / "net.onnx")
    for shape in ((1, 1, 32, 32), (2, 1, 64, 96)):
        grey = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        heat, sides = session.run(None, {"grey": grey})
        with torch.no_grad():
            expected = net(torch.from_numpy(grey))
        assert heat.shape == (shape[0], 1, shape[2] // STRIDE, shape[3] // STRIDE)
        np.testing.assert_allclose(heat, expected[0].numpy(), atol=0.02)
        np.testing.assert_allclose(sides, expected[1].numpy(), rtol=0.02)


def test_learning_rate_falls_in_cycles() -> None:
    rates = [face_finder._schedule(step, [400, 200]) for step in range(600)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[99] == pytest.approx(0.5 * (1 + np.cos(np.pi * 99 / 400)))
    assert rates[399] == pytest.approx(0.01)
    assert rates[400] == pytest.approx(0.5)
    assert rates[599] == pytest.approx(0.01)


def test_unknown_key_in_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("bacth = 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="Did you mean 'batch'"):
        train(path, data=tmp_path, out=tmp_path)


def test_missing_data(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("batch = 3\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"landmarks68\.npz"):
        train(path, data=tmp_path, out=tmp_path)


def test_shipped_recipe_can_be_read() -> None:
    from fleeting.settings import load

    path = Path(__file__).resolve().parents[2] / "recipes" / "face_finder.toml"
    assert load(FinderRecipe, path).task == "face_finder"
