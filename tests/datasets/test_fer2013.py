from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from expression_faces import drawn, write_npz

from fleeting.datasets import fer2013
from fleeting.errors import DataError
from fleeting.labels import SEVEN_CLASSES


def test_all_three_layouts_give_the_same_pictures(tmp_path: Path) -> None:
    pictures, label = drawn(130)  # more than one sheet of 100
    usage = np.arange(130) % 3
    stored = fer2013.read(write_npz(tmp_path / "faces.npz", pictures, label, usage=usage))
    np.testing.assert_array_equal(stored.pictures, pictures)
    np.testing.assert_array_equal(stored.label, label)
    assert stored.part.tolist() == [("Training", "PublicTest", "PrivateTest")[u] for u in usage]
    assert stored.votes is not None

    lines = ["emotion,pixels,Usage"]
    for picture, k, part in zip(pictures, label, stored.part, strict=True):
        lines.append(f"{k},{' '.join(map(str, picture.ravel()))},{part}")
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    table = fer2013.read(tmp_path / "fer2013.csv")
    np.testing.assert_array_equal(table.pictures, pictures)
    assert table.part.tolist() == stored.part.tolist()
    assert table.votes is None

    names = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
    for i, (picture, k) in enumerate(zip(pictures, label, strict=True)):
        folder = tmp_path / "folders" / names[stored.part[i]] / SEVEN_CLASSES[k].title()
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    folders = fer2013.read(tmp_path / "folders")
    order = [int(Path(name).stem) for name in folders.name]
    np.testing.assert_array_equal(folders.pictures, pictures[order])
    np.testing.assert_array_equal(folders.label, label[order])
    assert folders.part.tolist() == stored.part[order].tolist()


def test_pictures_of_a_folder_may_have_any_size(tmp_path: Path) -> None:
    (tmp_path / "anger").mkdir()
    cv2.imwrite(str(tmp_path / "anger" / "large.jpg"), np.full((120, 96, 3), 90, np.uint8))
    found = fer2013.read(tmp_path)
    assert found.pictures.shape == (1, 48, 48)
    assert found.part.tolist() == [""]
    assert SEVEN_CLASSES[found.label[0]] == "angry"


def test_test_pictures_and_their_copies_are_not_trained_on() -> None:
    pictures, label = drawn(300)
    pictures[:4], pictures[4:6] = pictures[200:204], pictures[200]  # six copies of four test pictures
    pictures[10:20] = pictures[20:30]
    part = np.array(["Training"] * 200 + ["PublicTest"] * 50 + ["PrivateTest"] * 50)
    faces = fer2013.FacePictures(pictures, label, part, np.arange(300).astype(str))
    split = fer2013.training_rows(faces, validation_percent=20)
    assert split.dropped.tolist() == [0, 1, 2, 3, 4, 5]
    rows = np.concatenate([split.train, split.validation, split.dropped])
    assert sorted(rows) == list(range(200))
    assert not set(fer2013.digests(pictures[split.train])) & set(fer2013.digests(pictures[split.validation]))
    assert not set(fer2013.digests(pictures[split.train])) & set(fer2013.digests(pictures[200:]))
    assert 20 <= len(split.validation) <= 60
    shuffled = np.random.default_rng(0).permutation(300)
    again = fer2013.training_rows(faces.select(shuffled), validation_percent=20)
    assert sorted(shuffled[again.validation]) == split.validation.tolist(), "the order of rows says nothing"


def test_votes_become_shares_of_the_seven_classes() -> None:
    votes = np.zeros((3, 10))
    votes[0, [4, 6]] = (6, 2)  # anger, fear
    votes[1, [0, 7]] = (5, 5)  # neutral, contempt
    votes[2, 9] = 10  # no face
    shares = fer2013.seven_of_votes(votes)
    np.testing.assert_allclose(shares[0], [0.75, 0, 0.25, 0, 0, 0, 0])
    np.testing.assert_allclose(shares[1], [0, 0, 0, 0, 0, 0, 1])
    assert not shares[2].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emotion": np.full(20, 7)}, "labels 0 angry"),
        ({"emotion": np.zeros(0, int)}, "at least one labelled picture"),
        ({"emotion": np.zeros(200, int)}, "200 pictures"),
        ({"webp": np.zeros(50, np.uint8), "offsets": np.array([0, 50])}, "bytes that are no image"),
        ({"ferplus_votes": np.zeros((3, 10))}, "3 of ferplus_votes"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    pictures, label = drawn(20)
    with np.load(write_npz(tmp_path / "whole.npz", pictures, label)) as stored:
        values = {**stored, **change}
    if "emotion" in change:
        del values["usage"]
        del values["ferplus_votes"]
    np.savez(tmp_path / "damaged.npz", **values)
    with pytest.raises(DataError, match=message):
        fer2013.read(tmp_path / "damaged.npz")


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none.npz"):
        fer2013.read(tmp_path / "none.npz")
    with pytest.raises(DataError, match="one folder per class"):
        fer2013.read(tmp_path)
    (tmp_path / "joy").mkdir()
    cv2.imwrite(str(tmp_path / "joy" / "1.png"), np.zeros((48, 48), np.uint8))
    with pytest.raises(DataError, match="folders named after a class"):
        fer2013.read(tmp_path)
    np.savez(tmp_path / "other.npz", emotion=np.zeros(3, int))
    with pytest.raises(DataError, match="without webp, offsets"):
        fer2013.read(tmp_path / "other.npz")
    (tmp_path / "short.csv").write_text("emotion,pixels,Usage\n0,1 2 3,Training\n")
    with pytest.raises(DataError, match="2304 pixels.*3 in row 2"):
        fer2013.read(tmp_path / "short.csv")
    pictures, label = drawn(14)
    faces = fer2013.FacePictures(pictures, label, np.full(14, "PublicTest"), np.arange(14).astype(str))
    with pytest.raises(DataError, match="pictures to train on"):
        fer2013.training_rows(faces)


def test_the_shared_set_is_what_was_published(shared_data: Path) -> None:
    faces = fer2013.read(shared_data / "fer2013_training_publictest.npz")
    training = faces.part == "Training"
    assert training.sum() == 28709
    assert (~training).sum() == 3589
    assert np.bincount(faces.label[training]).tolist() == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    split = fer2013.training_rows(faces)
    digest = fer2013.digests(faces.pictures)
    assert np.isin(digest[~training], digest[training]).sum() == 280
    assert len(split.dropped) == 351
    assert faces.votes is not None
