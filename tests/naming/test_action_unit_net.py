"""The shipped network of action units: sides, probabilities, and portraits that are moved by known units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from moved_flow import moved_flow

from fleeting.analysis.analyse import Analysis
from fleeting.errors import InputError, WeightsError
from fleeting.motion.flow_image import mirrored
from fleeting.naming.action_units import LEFT, MIDLINE, MOVED, RIGHT, UNITS, ActionUnitNet, side_of
from fleeting.training.action_units.moved_portraits import FilmSettings, image_of, read_faces, unit_fields
from fleeting.training.action_units.movements import NAMES, Movement

SWAPPED = {"left": "right", "right": "left", "both": "both"}


@pytest.fixture(scope="module")
def network() -> ActionUnitNet:
    return ActionUnitNet()


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
    return moved_flow(120, one_sided=0.5, seed=3)[0]


def test_the_card_knows_every_unit(network: ActionUnitNet) -> None:
    asked = {f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20)}
    assert network.labels == UNITS
    assert asked <= set(UNITS)
    assert set(network.card["reported_from"]) == set(UNITS)
    assert ((network.thresholds >= 0.15) & (network.thresholds < 0.5)).all()


def test_probabilities_are_probabilities(network: ActionUnitNet, images: npt.NDArray[np.uint8]) -> None:
    answers = network(images)
    assert answers.shape == (len(images), len(UNITS), 3)
    assert ((answers >= 0) & (answers <= 1)).all()
    assert network(images[:0]).shape == (0, len(UNITS), 3)
    np.testing.assert_allclose(network(images[5:6])[0], answers[5], atol=1e-6)


def test_a_mirrored_face_gets_the_same_units_on_the_other_side(
    network: ActionUnitNet, images: npt.NDArray[np.uint8]
) -> None:
    plain, turned = network(images), network(mirrored(images))
    np.testing.assert_allclose(plain[..., MOVED], turned[..., MOVED], atol=1e-5)
    np.testing.assert_allclose(plain[..., LEFT], turned[..., RIGHT], atol=1e-5)
    sides: set[str] = set()
    for one, other in zip(plain, turned, strict=True):
        named, again = network.name(one), network.name(other)
        assert {u.unit: SWAPPED[u.side] for u in named} == {u.unit: u.side for u in again}
        sides |= {u.side for u in named}
    assert sides == {"left", "right", "both"}


def test_only_probable_units_are_named_the_most_probable_first(
    network: ActionUnitNet, images: npt.NDArray[np.uint8]
) -> None:
    for answer in network(images):
        named = network.name(answer)
        chances = [u.probability for u in named]
        assert chances == sorted(chances, reverse=True)
        for k, unit in enumerate(UNITS):
            assert (unit in {u.unit for u in named}) == (answer[k, MOVED] >= network.thresholds[k])


def test_more_of_a_unit_never_makes_it_less_probable(network: ActionUnitNet) -> None:
    """Calibration is one increasing map: where one member of a pair is the surer one, its probability is the larger."""
    assert network.card["chosen"]["slope"] > 0


def test_the_midline_has_no_side() -> None:
    assert side_of("AU17", np.float32([0.9, 0.9, 0.1])) == "both"
    assert side_of("AU12", np.float32([0.9, 0.9, 0.1])) == "left"
    assert side_of("AU12", np.float32([0.9, 0.2, 0.3])) == "right"
    assert side_of("AU12", np.float32([0.9, 0.6, 0.9])) == "both"


def test_other_images_are_refused(network: ActionUnitNet) -> None:
    with pytest.raises(InputError, match=r"28, 28, 3"):
        network(np.zeros((1, 28, 28, 2), np.uint8))
    with pytest.raises(InputError, match="float64"):
        network(np.zeros((1, 28, 28, 3)))


def test_a_folder_without_the_network(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="action_units"):
        ActionUnitNet(folder=tmp_path)


def test_a_film_of_a_smile(analysis: Analysis) -> None:
    """The units of the truth (`clips.film`) are the most probable ones of the event that is found."""
    (event,) = analysis.timeline.of_kind("micro")
    assert {(u.unit, u.side) for u in event.action_units[:2]} == {("AU12", "both"), ("AU06", "both")}
    assert event.action_unit_probabilities[1] > 0.5
    assert analysis.timeline.models["action_units"]["labels"] == list(UNITS)


def test_people_held_out_who_are_moved_by_one_unit(network: ActionUnitNet, shared_data: Path) -> None:
    """Portraits of test people, measured as an analysis does: the unit is named in most films, its side in most."""
    rng = np.random.default_rng(11)
    named, right, count = dict.fromkeys(UNITS, 0), 0, 0
    faces = read_faces(shared_data, "test", per_person=1)[:8]
    for face in faces:
        fields = unit_fields(face.points)
        for name in UNITS:
            side = "both" if name in MIDLINE else ("left", "right", "both")[int(rng.integers(3))]
            sizes = np.zeros((len(NAMES), 2), np.float32)
            sizes[NAMES.index(name)] = {"left": (1, 0), "right": (0, 1), "both": (1, 1)}[side]
            movement = Movement(sizes, np.zeros((len(UNITS), 2), np.int64))
            image = image_of(face, fields, movement, 3.0, "learned", FilmSettings(noise=1.0), rng)
            if image is None:
                continue
            found = {u.unit: u.side for u in network.of_flow_image(image)}
            count += 1
            named[name] += name in found
            right += found.get(name) == side
    assert sum(named.values()) > 0.75 * count
    assert right > 0.6 * count
    assert sum(hits > 0 for hits in named.values()) >= len(UNITS) - 1
