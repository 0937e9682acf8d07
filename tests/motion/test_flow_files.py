from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fleeting.errors import InputError
from fleeting.motion.flow_files import flow_picture, from_flo, to_flo, write_flow


@pytest.fixture
def flow() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)


def test_three_files_say_the_same(tmp_path: Path, flow: np.ndarray) -> None:
    written = write_flow(tmp_path / "found.npz", flow)
    assert [p.name for p in written] == ["found.npz", "found.flo", "found.png"]
    with np.load(written[0]) as stored:
        np.testing.assert_array_equal(stored["flow"], flow)
        assert stored["flow"].dtype == np.float32
    np.testing.assert_array_equal(from_flo(written[1].read_bytes()), flow)
    picture = cv2.imread(str(written[2]))[..., ::-1]
    np.testing.assert_array_equal(picture, flow_picture(flow))


def test_a_dot_in_the_name_stays(tmp_path: Path, flow: np.ndarray) -> None:
    assert [p.name for p in write_flow(tmp_path / "s01.a.flo", flow)] == ["s01.a.npz", "s01.a.flo", "s01.a.png"]


def test_the_middlebury_layout(flow: np.ndarray) -> None:
    content = to_flo(flow)
    assert content[:4] == b"PIEH"
    assert np.frombuffer(content[4:12], "<i4").tolist() == [7, 5]
    np.testing.assert_array_equal(np.frombuffer(content[12:20], "<f4"), flow[0, 0])


@pytest.mark.parametrize(("cut", "said"), [(-4, "7 x 5 vectors"), (8, "a .flo file")])
def test_a_damaged_file_is_refused(flow: np.ndarray, cut: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_flo(to_flo(flow)[:cut])


def test_colours_stand_for_directions() -> None:
    flow = np.zeros((1, 5, 2), np.float32)
    flow[0, 1], flow[0, 2], flow[0, 3] = (1, 0), (-1, 0), (0.5, 0)
    white, right, left, half, _ = flow_picture(flow, scale_px=1.0)[0].tolist()
    assert white == [255, 255, 255]
    assert right == [255, 0, 0]
    assert left == [0, 255, 255]
    assert half == pytest.approx([255, 128, 128], abs=1)


def test_noise_alone_stays_pale() -> None:
    flow = np.full((4, 4, 2), 0.002, np.float32)
    assert flow_picture(flow).min() > 230


def test_other_shapes_and_suffixes_are_refused(tmp_path: Path, flow: np.ndarray) -> None:
    with pytest.raises(InputError, match="a flow"):
        write_flow(tmp_path / "a.npz", flow[..., 0])
    with pytest.raises(InputError, match=r"ends in \.npz"):
        write_flow(tmp_path / "a.txt", flow)
