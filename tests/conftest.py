from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command import Command, Known

    from fleeting.analysis.analyse import Analysis

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the data that lies beside the repository; tests that use it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLEETING_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short film of a real face with one micro-expression (see `clips.film`); not to be changed."""
    from clips import film

    return film(tmp_path_factory.mktemp("clip") / "ada.mp4")


@pytest.fixture(scope="session")
def analysis(clip: Path) -> Analysis:
    """The analysis of `clip`, made once."""
    from fleeting.analysis.analyse import analyse_video

    return analyse_video(clip)


@pytest.fixture
def fleeting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    from command import Command

    return Command(monkeypatch, capsys)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, analysis: Analysis) -> Known:
    """Makes the analysis of chosen videos quick, for tests of what is around it."""
    from command import Known

    from fleeting.analysis import analyse

    stand_in = Known(analysis)
    monkeypatch.setattr(analyse, "analyse_video", stand_in)
    return stand_in
