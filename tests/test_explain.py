from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from fleeting.errors import InputError
from fleeting.explain.occlusion import occlusion_map, squares
from fleeting.explain.regions import ELSEWHERE, MARGIN_IOD, RegionShare, region_masks, region_shares
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
