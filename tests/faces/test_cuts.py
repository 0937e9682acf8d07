"""Films with cuts: each shot by itself, and no cut where light, hands or the camera change the picture."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import pictures
from command import Command
from test_live import play
from video_files import write_video

from fleeting.analysis.analyse import Analysis, analyse_video
from fleeting.errors import FleetingWarning, NoFaceError, SettingsError
from fleeting.export.media import read_faces, read_media, write_media
from fleeting.faces.cuts import CutFinder
from fleeting.faces.detect import FaceDetector
from fleeting.faces.looks import sightings
from fleeting.faces.track import Tracker
from fleeting.records import Cut
from fleeting.report.build import render
from fleeting.settings import AnalyseSettings, FaceSettings
from fleeting.video.frame import Frame

FPS = 50
CUT = 50
Film = list[np.ndarray]


@pytest.fixture(scope="module")
def ada(clip: Path) -> Film:
    return pictures(clip, 60)


@pytest.fixture(scope="module")
def bea(ada: Film) -> Film:
    """Somebody else: the looks of a face turned from left to right are not its own."""
    return [np.ascontiguousarray(p[:, ::-1]) for p in ada]


def room(film: Film) -> Film:
    """The same people smaller, before one wall."""
    rows, columns = np.mgrid[:240, :320]
    wall = 120 + 40 * np.sin(columns / 13) * np.cos(rows / 9) + 25 * ((columns // 30 + rows // 20) % 2)
    shown = []
    for picture in film:
        whole = np.repeat(wall[..., None], 3, axis=2).astype(np.uint8)
        whole[48:, 60:252] = picture
        shown.append(whole)
    return shown


def frames(film: Film, fps: float = FPS) -> list[Frame]:
    return [Frame(i, i / fps, p) for i, p in enumerate(film)]


def cuts_of(film: Film, fps: float = FPS) -> list[Cut]:
    return [cut for _, cut in CutFinder(FaceDetector()).marked(frames(film, fps)) if cut is not None]


@pytest.mark.parametrize("fps", [25.0, 29.97, 200.0])
def test_a_cut_is_found_in_its_frame(ada: Film, bea: Film, fps: float) -> None:
    (cut,) = cuts_of(ada[:30] + bea[10:40], fps)
    assert (cut.onset_frame, cut.frame) == (30, 30)
    assert cut.time_s == pytest.approx(30 / fps)


def test_a_cut_to_somebody_else_before_the_same_background_is_found(ada: Film, bea: Film) -> None:
    assert [c.frame for c in cuts_of(room(ada[:30] + bea[5:35] + ada[20:50]))] == [30, 60]


def test_a_frame_that_mixes_two_shots_belongs_to_neither(ada: Film, bea: Film) -> None:
    mixed = cv2.addWeighted(ada[30], 0.5, bea[9], 0.5, 0)
    (cut,) = cuts_of([*ada[:30], mixed, *bea[10:40]])
    assert (cut.onset_frame, cut.frame) == (30, 31)


def test_a_dissolve_is_found_with_its_borders(ada: Film, bea: Film) -> None:
    mixed = [cv2.addWeighted(ada[30 + i], 1 - s, bea[i], s, 0) for i, s in enumerate(np.linspace(0.09, 0.91, 10))]
    (cut,) = cuts_of(ada[:30] + mixed + bea[10:50], 25.0)
    assert 29 <= cut.onset_frame <= 31
    assert 39 <= cut.frame <= 44


def test_black_between_two_shots_is_one_cut(ada: Film, bea: Film) -> None:
    (cut,) = cuts_of([*ada[:30], *[np.zeros_like(ada[0])] * 10, *bea[:30]])
    assert cut.frame == 40


def flash(film: Film) -> Film:
    return [np.clip(p * 1.4 + 110.0, 0, 255).astype(np.uint8) if i in (30, 31) else p for i, p in enumerate(film)]


def exposure(film: Film) -> Film:
    return [np.clip(p * 0.5, 0, 255).astype(np.uint8) if i >= 30 else p for i, p in enumerate(film)]


def lamp(film: Film) -> Film:
    side = np.linspace(0.4, 1.1, film[0].shape[1])[None, :, None]
    return [np.clip(p * side, 0, 255).astype(np.uint8) if i >= 30 else p for i, p in enumerate(film)]


def knock(film: Film) -> Film:
    return [np.roll(p, (6, 9), (0, 1)) if i >= 30 else p for i, p in enumerate(film)]


def dropped(film: Film) -> Film:
    return film[:30] + film[36:]


def noise(film: Film) -> Film:
    rng = np.random.default_rng(0)
    return [np.clip(p + rng.normal(0, 10, p.shape), 0, 255).astype(np.uint8) for p in film]


def hand(film: Film) -> Film:
    """Half of the face is covered from one frame to the next."""
    ((box, _), *_) = FaceDetector()(cv2.cvtColor(film[30], cv2.COLOR_RGB2GRAY))
    covered = np.zeros(film[0].shape[:2], np.uint8)
    middle = (int(box.x + 0.7 * box.width), int(box.y + 0.75 * box.height))
    cv2.ellipse(covered, middle, (int(0.45 * box.width), int(0.5 * box.height)), 20, 0, 360, 1, -1)
    skin = 150 + 4 * cv2.GaussianBlur(np.random.default_rng(2).normal(0, 30, film[0].shape), (0, 0), 3)
    return [np.where(covered[..., None] & (30 <= i < 45), skin, p).astype(np.uint8) for i, p in enumerate(film)]


def covered(film: Film) -> Film:
    return [np.full_like(p, 12) if 30 <= i < 36 else p for i, p in enumerate(film)]


@pytest.mark.parametrize("change", [covered, flash, exposure, lamp, knock, dropped, noise, hand])
def test_light_hands_and_the_camera_are_no_cuts(ada: Film, change: Callable[[Film], Film]) -> None:
    assert cuts_of(change(ada)) == []


@pytest.mark.parametrize("fps", [25.0, 200.0])
def test_tracks_end_at_a_cut_and_nobody_gets_the_number_of_somebody_else(ada: Film, bea: Film, fps: float) -> None:
    tracker = Tracker()
    film = ada[:40] + bea[:40] + ada[20:60]
    shots: list[set[int]] = [set(), set(), set()]
    for frame, seen in sightings(frames(film, fps), tracker, cuts=CutFinder(tracker.detector)):
        assert len(seen) == 1
        shots[frame.index // 40] |= {one.track for one in seen}
    assert len(shots[0]) == len(shots[1]) == len(shots[2]) == 1
    assert not shots[1] & (shots[0] | shots[2])
    spans = sorted((s.onset_frame, s.offset_frame) for t in tracker.tracks() for s in t.segments)
    assert spans == [(0, 39), (40, 79), (80, 119)]


@pytest.fixture(scope="module")
def cut_film(ada: Film, bea: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of one person, and somewhat less of another, in the same place."""
    return write_video(
        tmp_path_factory.mktemp("cut") / "two.mp4", ada[:CUT] + bea[:40], rate=FPS, options={"crf": "12"}
    )


@pytest.fixture(scope="module")
def analysed(cut_film: Path) -> Analysis:
    with pytest.warns(FleetingWarning, match="1 cut: nothing is measured across it"):
        return analyse_video(cut_film, settings=AnalyseSettings(faces=FaceSettings(all_faces=True)))


def test_nothing_is_measured_across_a_cut(analysed: Analysis) -> None:
    timeline = analysed.timeline
    assert timeline.cuts == (Cut(CUT, CUT / FPS, CUT),)
    assert [[(s.onset_frame, s.offset_frame) for s in t.segments] for t in timeline.tracks] == [[(0, 49)], [(50, 89)]]
    first, second = sorted(timeline.signals, key=lambda s: s.face)
    assert np.isnan(first.motion[CUT:]).all()
    assert np.isnan(second.motion[:CUT]).all()
    one, other = sorted(timeline.expressions, key=lambda c: c.face)
    assert one.frame.max() < CUT <= other.frame.min()
    assert all((e.onset_frame < CUT) == (e.offset_frame < CUT) for e in timeline.events)


def test_the_face_with_the_largest_area_over_time_is_analysed_and_the_others_are_named(cut_film: Path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        timeline = analyse_video(cut_film, pictures=False).timeline
    assert [s.face for s in timeline.signals] == [0]
    (note,) = [str(w.message) for w in said if "faces were seen" in str(w.message)]
    assert note.startswith(
        "2 faces were seen: face 0 (1.0 s), the largest area over time, was analysed; face 1 (0.8 s)"
    )


def test_the_command_takes_the_face_that_is_named(cut_film: Path, fleeting: Command, tmp_path: Path) -> None:
    from fleeting.export.timeline_json import read_timeline

    done = fleeting("analyse", cut_film, "--face", "1", "--out", tmp_path, "--format", "json")
    assert done.status == 0, done
    timeline = read_timeline(tmp_path / "two" / "timeline.json")
    assert [s.face for s in timeline.signals] == [1]
    assert timeline.cuts == (Cut(CUT, CUT / FPS, CUT),)


def test_a_face_that_is_not_there_is_said_with_those_that_are(cut_film: Path) -> None:
    settings = AnalyseSettings(faces=FaceSettings(face=5))
    with pytest.raises(NoFaceError, match=r"(?s)face 5.*never seen.*face 0 \(1.0 s\), face 1 \(0.8 s\)"):
        analyse_video(cut_film, settings=settings)


@pytest.mark.parametrize("faces", [FaceSettings(face=1, all_faces=True), FaceSettings(face=-2)])
def test_impossible_choices_of_faces(cut_film: Path, faces: FaceSettings) -> None:
    with pytest.raises(SettingsError, match="face"):
        analyse_video(cut_film, settings=AnalyseSettings(faces=faces))


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_a_small_face_that_is_longest_in_view_is_measured_beside_a_large_one(
    ada: Film, bea: Film, tmp_path: Path
) -> None:
    """The larger face leaves the picture; whoever stays has the larger area over time, and is measured throughout."""
    small = [cv2.resize(p, (104, 104), interpolation=cv2.INTER_AREA) for p in ada]
    large = [cv2.resize(p, (200, 200), interpolation=cv2.INTER_LINEAR) for p in bea]
    film = []
    for i in range(120):
        room = np.full((204, 320, 3), 110, np.uint8)
        room[60:164, 6:110] = small[min(i, 119 - i)]
        left = 120 + max(0, 8 * (i - 10))
        if left < 320:
            room[2:202, left:] = large[min(i, 59)][:, : 320 - left]
        film.append(room)
    path = write_video(tmp_path / "both.mp4", film, rate=FPS, options={"crf": "12"})
    timeline = analyse_video(path, pictures=False).timeline
    assert timeline.cuts == ()
    (signals,) = timeline.signals
    assert timeline.tracks[signals.face].median_box.x < 110
    assert np.isfinite(signals.motion).all(axis=1).mean() > 0.95


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_live_tells_shots_apart_too(cut_film: Path) -> None:
    _, analysis, _ = play(cut_film)
    timeline = analysis.timeline()
    assert [cut.frame for cut in timeline.cuts] == [CUT]
    assert [[(s.onset_frame, s.offset_frame) for s in t.segments] for t in timeline.tracks] == [[(0, 49)], [(50, 89)]]


def test_the_report_shows_every_face_and_the_cuts(analysed: Analysis, tmp_path: Path) -> None:
    store = write_media(analysed.media, tmp_path / "media.npz", faces=analysed.faces)
    faces = read_faces(store)
    assert {face: picture.shape for face, picture in faces.items()} == {0: (96, 96, 3), 1: (96, 96, 3)}
    assert all(np.array_equal(faces[k], analysed.faces[k]) for k in faces)
    assert set(read_media(store)) == set(analysed.media)
    page = render(replace(analysed.timeline, signals=analysed.timeline.signals[:1]), {}, faces=faces)
    assert page.count('<img src="data:image/webp;base64,') == 2
    assert 'alt="Face 0"' in page
    assert 'alt="Face 1"' in page
    assert f'"cuts":[{CUT / FPS}]' in page
    assert "(not analysed)" in page
    marks = re.findall(r'<path class="cut" d="M([\d.]+) 0V100"/>', page)
    assert len(marks) == 4, "one in each row of the timeline that is drawn without scripts"
    place = 1000 * CUT / (analysed.timeline.frame_count - 1)
    assert [float(m) for m in marks] == pytest.approx([place] * 4, abs=0.06)


def test_pictures_of_older_versions_have_no_faces(analysed: Analysis, tmp_path: Path) -> None:
    store = write_media(analysed.media, tmp_path / "media.npz")
    assert read_faces(store) == {}
    assert 'alt="Face' not in render(analysed.timeline, {})


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
def test_three_people_and_two_cuts(shared_data: Path) -> None:
    timeline = analyse_video(
        shared_data / "videos" / "failing" / "three_people_cut.mp4",
        settings=AnalyseSettings(faces=FaceSettings(all_faces=True)),
        pictures=False,
    ).timeline
    assert [cut.frame for cut in timeline.cuts] == [75, 150]
    spans = [[(s.onset_frame, s.offset_frame) for s in t.segments] for t in timeline.tracks]
    assert spans == [[(0, 74)], [(75, 149)], [(150, 224)]]
    assert all(e.onset_frame // 75 == e.offset_frame // 75 for e in timeline.events)


@pytest.mark.parametrize("name", ["grid_swiz3n.mpg", "intel_asl_yes.mkv"])
def test_real_films_without_cuts(shared_data: Path, name: str) -> None:
    from fleeting.video.reader import open_video

    with open_video(shared_data / "videos" / "talkers" / name) as reader:
        assert [cut for _, cut in CutFinder(FaceDetector()).marked(reader) if cut is not None] == []
