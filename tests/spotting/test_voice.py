"""The voice in a film's sound, at the times of its frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sounds import hiss, quiet, voice, write_film
from video_files import numbered, write_numbered

from fleeting.errors import FleetingWarning
from fleeting.spotting.voice import voice_share
from fleeting.video.reader import open_video

FRAMES, RATE = 100, 25


def shares(path: Path, *, fps: float | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    with open_video(path, fps=fps) as reader:
        time_s = np.array([frame.time_s for frame in reader])
        return time_s, voice_share(reader.sound(), time_s)


def film(path: Path, sound: np.ndarray | None, **how: float | str) -> Path:
    return write_film(path, [numbered(i) for i in range(FRAMES)], sound, rate=RATE, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "pcm_s16le"), ("a.mp4", "aac")])
def test_a_voice_is_heard_when_it_speaks(tmp_path: Path, name: str, codec: str) -> None:
    sound = np.concatenate([quiet(1.0), voice(2.0), quiet(1.0)]) + hiss(4.0, loud=0.001)
    time_s, share = shares(film(tmp_path / name, sound, codec=codec))
    assert share is not None
    assert share[(time_s > 1.3) & (time_s < 2.8)].mean() > 0.9
    # The detector holds on for some hundredths of a second.
    assert share[(time_s < 0.8) | (time_s > 3.5)].max() < 0.1


@pytest.mark.parametrize(("starts_s", "pictures_start_s"), [(1.5, 0.0), (0.0, 1.0), (2.0, 0.6)])
def test_sound_and_pictures_may_start_at_different_times(
    tmp_path: Path, starts_s: float, pictures_start_s: float
) -> None:
    sound = np.concatenate([hiss(0.8, loud=0.001), voice(1.0), hiss(1.0, loud=0.001)])
    path = film(tmp_path / "a.mkv", sound, starts_s=starts_s, pictures_start_s=pictures_start_s)
    time_s, share = shares(path)
    assert share is not None
    first = starts_s - pictures_start_s
    begins = time_s[np.flatnonzero(np.nan_to_num(share) > 0.5)[0]]
    assert begins == pytest.approx(max(first + 0.8, 0.0), abs=0.15)
    # Beyond its ends nothing is known.
    assert np.isnan(share[(time_s < first - 0.2) | (time_s > first + 2.8 + 0.25)]).all()
    assert np.isfinite(share[(time_s > first) & (time_s < first + 2.7)]).all()


def test_hiss_and_hum_are_no_voice(tmp_path: Path) -> None:
    _, share = shares(film(tmp_path / "a.mkv", hiss(4.0, loud=0.05)))
    assert share is not None
    assert share[15:].mean() < 0.1


@pytest.mark.parametrize("sound", [None, quiet(4.0), hiss(4.0, loud=0.0005)], ids=["none", "zeros", "microphone off"])
def test_without_sound_nothing_is_known(tmp_path: Path, sound: np.ndarray | None) -> None:
    assert shares(film(tmp_path / "a.mkv", sound))[1] is None


def test_a_rate_of_ones_own_leaves_the_sound_out(tmp_path: Path) -> None:
    assert shares(film(tmp_path / "a.mkv", voice(4.0)), fps=200)[1] is None


def test_a_folder_of_images_has_no_sound(tmp_path: Path) -> None:
    import cv2

    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index:03}.png"), numbered(index))
    assert shares(tmp_path, fps=25)[1] is None
    assert shares(write_numbered(tmp_path / "silent.mp4", 8))[1] is None


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
@pytest.mark.parametrize("seed", range(3))
def test_damaged_sound_never_stops_a_film(tmp_path: Path, seed: int) -> None:
    path = film(tmp_path / "a.mkv", np.concatenate([voice(2.0), hiss(2.0)]), codec="aac")
    spoilt = spoil_sound(path, np.random.default_rng(seed))
    time_s, share = shares(spoilt)
    assert len(time_s) == FRAMES
    assert share is None or share.shape == (FRAMES,)


def test_the_user_is_told_of_damaged_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", voice(4.0), codec="aac")
    with pytest.warns(FleetingWarning, match="sound is damaged"):
        shares(spoil_sound(path, np.random.default_rng(0)))


def spoil_sound(path: Path, rng: np.random.Generator) -> Path:
    """Overwrite the sound's packets with noise, and leave the pictures as they are."""
    import av

    data = path.read_bytes()
    with av.open(str(path)) as container:
        packets = [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size > 8]
    for packet in packets:
        assert data.count(packet) >= 1
        data = data.replace(packet, rng.integers(0, 256, len(packet), np.uint8).tobytes())
    path.write_bytes(data)
    return path


def test_a_voice_over_a_face_that_smiles_is_not_its_own(clip: Path, tmp_path: Path) -> None:
    from clips import FPS, pictures

    from fleeting.analysis.analyse import analyse_video

    images = pictures(clip)
    sound = np.clip(voice(len(images) / FPS), -1, 1)
    told = analyse_video(write_film(tmp_path / "a.mkv", images, sound, rate=FPS), pictures=False).timeline
    speaking = told.signals[0].speaking
    assert speaking is not None
    assert not speaking.any()
    assert [(e.kind, e.speaking) for e in told.events if e.kind == "micro"] == [("micro", False)]


@pytest.mark.shared_data
def test_people_who_talk_speak_and_one_who_smiles_does_not(shared_data: Path) -> None:
    from fleeting.analysis.analyse import analyse_video

    for name, least, most in (("talkers/grid_swiz3n.mpg", 0.5, 1.0), ("single_face.mp4", 0.0, 0.0)):
        told = analyse_video(shared_data / "videos" / name, pictures=False).timeline
        speaking = told.signals[0].speaking
        assert speaking is not None
        assert least <= speaking.mean() <= most
        assert not [e for e in told.of_kind("micro") if e.speaking]
