from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fleeting.errors import OutputError
from fleeting.video.frame_rate import exact_rate
from fleeting.video.writer import ImageFolderWriter, VideoWriter


def colours() -> np.ndarray:
    image = np.zeros((32, 48, 3), np.uint8)
    image[:] = (200, 100, 50)
    image[:16, :24] = (30, 30, 30)
    image[:16, 24:] = (250, 250, 250)
    return image


def decode(path: Path) -> tuple[list[Fraction], list[np.ndarray], Fraction]:
    """Read by PyAV alone, as another program would."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        rate = stream.average_rate
        assert rate is not None
        return [f.pts * f.time_base for f in frames], [f.to_ndarray(format="rgb24") for f in frames], rate


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (25, Fraction(25)),
        (29.97, Fraction(30000, 1001)),
        (30000 / 1001, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (999, Fraction(999)),
        (Fraction(2997, 100), Fraction(2997, 100)),
    ],
)
def test_rate_that_a_number_means(given: float, meant: Fraction) -> None:
    assert exact_rate(given) == meant


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_rate_must_be_positive(fps: float) -> None:
    with pytest.raises(ValueError, match="positive number of frames"):
        exact_rate(fps)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.mp4", {}, 3),
        ("a.mkv", {"codec": "ffv1"}, 0),
        ("a.webm", {"codec": "libvpx-vp9"}, 4),
        ("a.avi", {"codec": "mjpeg"}, 6),
        ("b.mp4", {"pixel_format": "yuv444p"}, 2),
    ],
)
def test_colours_and_times_survive(tmp_path: Path, name: str, options: dict[str, str], tolerance: int) -> None:
    path = tmp_path / name
    with VideoWriter(path, fps=29.97, size=(48, 32), **options) as writer:  # type: ignore[arg-type]
        for _ in range(5):
            writer.write(colours())
    times, images, rate = decode(path)
    assert rate == Fraction(30000, 1001)
    assert times == pytest.approx([i * 1001 / 30000 for i in range(5)], abs=6e-4)
    for image in images:
        for spot in [(4, 4), (4, 40), (28, 24)]:
            assert image[spot].astype(int) == pytest.approx(colours()[spot], abs=tolerance)


@pytest.mark.parametrize(("name", "options"), [("a.mkv", {"codec": "ffv1"}), ("a.mp4", {"crf": 0})])
def test_grey_without_loss(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (4, 32, 48), dtype=np.uint8)
    with VideoWriter(tmp_path / name, fps=100, size=(48, 32), pixel_format="gray", **options) as writer:  # type: ignore[arg-type]
        for image in noise:
            writer.write(image)
    _, images, _ = decode(tmp_path / name)
    assert [np.array_equal(image[..., 0], one) for image, one in zip(images, noise, strict=True)] == [True] * 4


def test_times_of_each_picture(tmp_path: Path) -> None:
    given = [0.0, 0.04, 0.05, 0.2, 0.21]
    with VideoWriter(tmp_path / "a.mp4", fps=25, size=(48, 32)) as writer:
        for t in given:
            writer.write(colours(), time_s=t)
    assert decode(tmp_path / "a.mp4")[0] == pytest.approx(given, abs=1e-4)


def test_the_same_pictures_give_the_same_file(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    scene = cv2.GaussianBlur(draw.integers(0, 255, (178, 146, 3), dtype=np.uint8), (0, 0), 3)
    noise = draw.integers(-5, 5, (16, 128, 96, 3))
    crops = [scene[i : i + 128, i % 10 : i % 10 + 96] for i in range(16)]
    pictures = [np.clip(c + n, 0, 255).astype(np.uint8) for c, n in zip(crops, noise, strict=True)]
    files = set()
    for _ in range(60):
        with VideoWriter(tmp_path / "a.mp4", fps=5, size=(96, 128), crf=21.5, preset="veryfast") as video:
            for picture in pictures:
                video.write(picture)
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


def write_times(path: Path, times: list[float | None]) -> None:
    with VideoWriter(path, fps=25, size=(48, 32)) as writer:
        for t in times:
            writer.write(colours(), time_s=t)


def test_times_must_rise_and_come_for_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="times that rise"):
        write_times(tmp_path / "a.mp4", [0.1, 0.1])
    with pytest.raises(ValueError, match="mixture"):
        write_times(tmp_path / "a.mp4", [0.1, None])
    assert list(tmp_path.iterdir()) == []


def test_stopped_writing_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"former")
    with pytest.raises(ValueError, match="times that rise"):
        write_times(path, [0.0, 0.1, 0.1])
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="at least one picture"),
        VideoWriter(tmp_path / "a.mp4", fps=25, size=(48, 32)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("image", [np.zeros((32, 40, 3), np.uint8), np.zeros((32, 48), np.float32)])
def test_picture_of_another_kind(tmp_path: Path, image: np.ndarray) -> None:
    with (
        pytest.raises(ValueError, match="Expected a uint8 picture of 32 x 48"),
        VideoWriter(tmp_path / "a.mp4", fps=25, size=(48, 32)) as writer,
    ):
        writer.write(image)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "no_such_encoder"), ("a.webm", "ffv1"), ("a.xyz", "libx264")])
def test_encoder_that_does_not_fit(tmp_path: Path, name: str, codec: str) -> None:
    with (
        pytest.raises(OutputError, match="Use .mp4 with libx264"),
        VideoWriter(tmp_path / name, fps=25, size=(48, 32), codec=codec) as writer,
    ):
        writer.write(colours())
    assert list(tmp_path.iterdir()) == []


def test_size_and_rate_are_checked_first(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even width and height"):
        VideoWriter(tmp_path / "a.mp4", fps=25, size=(47, 32))
    with pytest.raises(ValueError, match="positive number of frames"):
        VideoWriter(tmp_path / "a.mp4", fps=0, size=(48, 32))


def test_folder_of_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    for count in (3, 2):  # the second time it replaces the first
        with ImageFolderWriter(folder) as writer:
            for i in range(count):
                writer.write(np.roll(colours(), i, axis=1))
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["frame_000000.png", "frame_000001.png"]
    stored = cv2.cvtColor(cv2.imread(str(folder / names[1])), cv2.COLOR_BGR2RGB)
    assert np.array_equal(stored, np.roll(colours(), 1, axis=1))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds notes.txt"), ImageFolderWriter(folder):
        pass
    assert (folder / "notes.txt").exists()
    with pytest.raises(RuntimeError, match="stopped"), ImageFolderWriter(tmp_path / "other"):
        raise RuntimeError("stopped")
    assert list(tmp_path.iterdir()) == [folder]
