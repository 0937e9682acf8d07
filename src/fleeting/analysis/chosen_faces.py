"""Which faces of a video are analysed: the one with the largest area over time, one that is named, or all."""

from __future__ import annotations

from fleeting.analysis.first_look import FirstLook
from fleeting.errors import NoFaceError, SettingsError
from fleeting.faces.track import area_over_time
from fleeting.labels import counted
from fleeting.records import FaceTrack
from fleeting.settings import AnalyseSettings, FaceSettings

MEASURED = 0.98
"""Share of a face's frames in which its motion must have been measured."""

MOST_NAMED = 8
"""Faces that a sentence names one by one."""


def check_faces(settings: FaceSettings) -> None:
    """Raise SettingsError where the settings ask for one face and for all of them, or for an impossible one."""
    if settings.face < -1:
        raise SettingsError("the id of a face, or -1 for the largest", f"{settings.face}", "Change faces.face.")
    if settings.all_faces and settings.face >= 0:
        raise SettingsError("one face or all faces", f"face {settings.face} and all of them", "Leave one of them out.")


def analysed_tracks(seen: FirstLook, settings: AnalyseSettings, path: str) -> list[FaceTrack]:
    """Return the faces to analyse: the largest, the one that is named, or all that are large enough, largest first.

    Raises
    ------
    NoFaceError
        Where there is none, or not the one that is named.
    """
    faces = settings.faces
    if not seen.tracks:
        dark = seen.brightness < 20
        raise NoFaceError(
            "a face in view",
            f"{path}, in which no face was found in {len(seen.times)} frames"
            + (" (the picture is black or very dark)" if dark else ""),
            "Use more light." if dark else "Film the face from the front, unobscured, at least 80 px wide.",
        )
    large = large_enough(seen, settings)
    if faces.face >= 0:
        named = [t for t in large if t.id == faces.face]
        if not named:
            small = any(t.id == faces.face for t in seen.tracks)
            raise NoFaceError(
                f"face {faces.face} with at least {faces.min_iod_px:.0f} px between the outer eye corners",
                f"{path}, where it is {'too small' if small else 'never seen'}",
                f"Choose from {described(large, seen)}." if large else "No face there is large enough.",
            )
        return named
    if not large:
        widest = max(t.median_iod_px for t in seen.tracks)
        raise NoFaceError(
            f"a face with at least {faces.min_iod_px:.0f} px between the outer eye corners",
            f"{path}, where the largest has {widest:.0f} px",
            "Film from closer by or at a higher resolution. A small movement must cover a good part of a pixel.",
        )
    return large if faces.all_faces else large[:1]


def large_enough(seen: FirstLook, settings: AnalyseSettings) -> list[FaceTrack]:
    """Tracks that are large enough to analyse, the one with the largest area over time first."""
    large = [t for t in seen.tracks if t.median_iod_px >= settings.faces.min_iod_px]
    return sorted(large, key=lambda t: -area_over_time(t))


def fully_measured(seen: FirstLook, track: FaceTrack) -> bool:
    """Whether a face was measured wherever it was in view."""
    return track.id in seen.logs and len(seen.logs[track.id]) >= MEASURED * track.frame_count


def remarks_on_faces(seen: FirstLook, chosen: list[FaceTrack], settings: AnalyseSettings) -> list[str]:
    """Say what was left out, and that shots are analysed each by itself."""
    notes = []
    others = [t for t in large_enough(seen, settings) if t.id not in {c.id for c in chosen}]
    if others:
        why = "" if settings.faces.face >= 0 else ", the largest area over time,"
        notes.append(
            f"{len(others) + len(chosen)} faces were seen: {described(chosen, seen)}{why} was analysed; "
            f"{described(others, seen)} {'was' if len(others) == 1 else 'were'} left out. "
            "--face N takes another one, --all-faces all."
        )
    cuts = len(seen.tracker.cuts)
    if cuts:
        notes.append(
            f"{counted(cuts, 'cut')}: nothing is measured across {'it' if cuts == 1 else 'them'}. "
            "After a cut a face has a new number unless it surely is an earlier one."
        )
    return notes


def described(tracks: list[FaceTrack], seen: FirstLook) -> str:
    """Name faces with the seconds that each is in view."""
    frame_s = (seen.times[-1] - seen.times[0]) / max(len(seen.times) - 1, 1)
    named = [f"face {t.id} ({t.frame_count * frame_s:.1f} s)" for t in tracks[:MOST_NAMED]]
    return ", ".join(named) + (f" and {len(tracks) - MOST_NAMED} more" if len(tracks) > MOST_NAMED else "")
