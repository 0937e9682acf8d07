from __future__ import annotations

import numpy as np
import pytest

from fleeting.errors import InputError
from fleeting.faces.align import CANONICAL_POINTS, canonical_points, crop_size
from fleeting.motion import regions
from fleeting.records import REGIONS


def tilted(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - points.mean(0)) @ turn + points.mean(0)


def test_mirror_is_its_own_inverse_and_swaps_the_halves() -> None:
    assert (regions.MIRROR[regions.MIRROR] == np.arange(68)).all()
    flipped = CANONICAL_POINTS[regions.MIRROR] * (-1, 1) + (2 * CANONICAL_POINTS[8, 0], 0)
    np.testing.assert_allclose(flipped, CANONICAL_POINTS, atol=0.15)


def test_upward_is_perpendicular_to_the_eyes_whatever_the_tilt() -> None:
    selfie = CANONICAL_POINTS * (-1, 1)  # a mirrored picture whose points keep their numbers
    for points in [selfie, *(tilted(CANONICAL_POINTS, d) for d in (-150, -30, 0, 45, 180))]:
        up = regions.upward(points)
        across = points[45] - points[36]
        assert up @ across == pytest.approx(0, abs=1e-9)
        assert np.linalg.norm(up) == pytest.approx(np.linalg.norm(across))
        assert up @ (points[8] - points[27]) < 0


def test_mdmo_has_36_named_regions_that_hardly_overlap() -> None:
    polygons = regions.mdmo_regions(CANONICAL_POINTS)
    assert len(polygons) == len(regions.MDMO_NAMES) == len(set(regions.MDMO_NAMES)) == 36
    masks = np.stack([regions.fill(p, crop_size()) for p in polygons])
    assert (masks.sum((1, 2)) > 60).all()
    covered = masks.sum(0)
    assert (covered > 0).mean() > 0.85
    assert (covered > 1).sum() < 0.12 * (covered > 0).sum()  # shared borders only


@pytest.mark.parametrize("degrees", [0, 25, -90])
def test_mdmo_regions_follow_the_landmarks(degrees: float) -> None:
    points = tilted(CANONICAL_POINTS * 2 + 150, degrees)
    by_name = dict(zip(regions.MDMO_NAMES, regions.mdmo_regions(points), strict=True))
    shape = (700, 700)

    def at(name: str, point: np.ndarray) -> bool:
        x, y = np.rint(point).astype(int)
        return bool(regions.fill(by_name[name], shape)[y, x])

    assert at("nose_tip", points[[30, 33]].mean(0))
    assert at("right_mouth_corner", points[48])
    assert at("left_mouth_corner", points[54])
    assert at("right_brow_inner", points[[20, 39]].mean(0))
    assert at("left_brow_inner", points[[23, 42]].mean(0))
    assert at("chin", points[[8, 57]].mean(0))
    assert not at("chin", points[30])


def test_signal_regions_lie_where_their_names_say() -> None:
    labels = regions.signal_map()
    where = {
        "right_brow": CANONICAL_POINTS[19],
        "left_brow": CANONICAL_POINTS[24],
        "between_brows": CANONICAL_POINTS[[21, 22]].mean(0),
        "right_lid": CANONICAL_POINTS[[37, 41]].mean(0),
        "left_lid": CANONICAL_POINTS[[43, 47]].mean(0),
        "nose": CANONICAL_POINTS[30],
        "right_cheek": CANONICAL_POINTS[[41, 48]].mean(0),
        "left_cheek": CANONICAL_POINTS[[46, 54]].mean(0),
        "right_mouth_corner": CANONICAL_POINTS[48],
        "left_mouth_corner": CANONICAL_POINTS[54],
        "upper_lip": CANONICAL_POINTS[51],
        "lower_lip": CANONICAL_POINTS[57],
        "chin": CANONICAL_POINTS[[8, 57]].mean(0),
    }
    assert set(where) == set(REGIONS)
    for name, (x, y) in where.items():
        label = labels[round(y), round(x)]
        assert label, f"no region at {name}"
        assert REGIONS[label - 1] == name
    columns = {name: np.nonzero(labels == i + 1)[1].mean() for i, name in enumerate(REGIONS)}
    for part in ("brow", "lid", "cheek", "mouth_corner"):
        assert columns[f"right_{part}"] < 69.5 < columns[f"left_{part}"]


def test_signal_map_is_mirror_symmetric() -> None:
    labels = regions.signal_map()
    swapped = np.zeros_like(labels)
    for i, name in enumerate(REGIONS):
        other = name.replace("left", "?").replace("right", "left").replace("?", "right")
        swapped[labels == i + 1] = REGIONS.index(other) + 1
    assert (swapped[:, ::-1] == labels).mean() > 0.98


@pytest.mark.parametrize("width", [70, 140, 280])
def test_signal_weights_average_a_flow_per_region(width: int) -> None:
    height, _ = crop_size(width)
    flow = np.zeros((height, width, 2), np.float32)
    labels = regions.signal_map(width)
    for i in range(len(REGIONS)):
        assert (labels == i + 1).sum() > 40 * (width / 140) ** 2
        flow[labels == i + 1] = (i, -i)
    means = regions.signal_weights(width) @ flow.reshape(-1, 2)
    np.testing.assert_allclose(means, [(i, -i) for i in range(len(REGIONS))], atol=1e-4)


def test_stable_weights_keep_clear_of_brows_lids_and_mouth() -> None:
    for width in (100, 140, 200):
        weights = regions.stable_weights(width)
        labels = regions.signal_map(width)
        moving = [i + 1 for i, n in enumerate(REGIONS) if n.endswith(("brow", "lid", "lip", "corner", "chin"))]
        assert (weights > 0).sum() > 0.05 * weights.size
        assert (weights[np.isin(labels, moving)] > 0).sum() < 0.02 * (weights > 0).sum()
        x, y = np.rint(canonical_points(width)[28]).astype(int)
        assert weights[y, x] == 1


def test_cached_maps_cannot_be_changed_by_a_caller() -> None:
    for array in (regions.signal_map(), regions.signal_weights(), regions.stable_weights()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_wrong_landmarks_are_refused() -> None:
    with pytest.raises(InputError, match=r"landmarks of shape \(68, 2\)"):
        regions.mdmo_regions(np.zeros((5, 2)))
    with pytest.raises(InputError, match=r"landmarks of shape \(68, 2\)"):
        regions.signal_regions(np.zeros((68, 3)))
