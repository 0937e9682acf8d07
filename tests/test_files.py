from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fleeting import files
from fleeting.errors import OutputError
from fleeting.files import atomic_path, make_folder, write_bytes, write_text


def test_writes_the_text_and_makes_the_folders(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a" / "b" / "é.txt", "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    assert os.listdir(path.parent) == ["é.txt"]


def test_a_result_can_be_read_by_others_as_any_file_can(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert write_bytes(tmp_path / "x", b"1").stat().st_mode == plain.stat().st_mode


def write_half(path: Path) -> None:
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
        temporary.write_text("half")
        raise RuntimeError("midway")


def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x.csv", "old")
    with pytest.raises(RuntimeError, match="midway"):
        write_half(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.csv"]


def test_the_former_file_stands_until_the_block_ends(tmp_path: Path) -> None:
    path = write_text(tmp_path / "x", "old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="to be able to write"), atomic_path(tmp_path / "x"):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "full disk"), (errno.EACCES, "no permission"), (errno.EROFS, "only be read"), (errno.EIO, "error")],
)
def test_trouble_with_the_disk_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_flush", refuse)
    with pytest.raises(OutputError, match=words):
        write_text(tmp_path / "x.csv", "text")
    assert os.listdir(tmp_path) == []


def test_trouble_with_another_file_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="input"), atomic_path(tmp_path / "x"):
        (tmp_path / "input").read_text()


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "out", "")
    with pytest.raises(OutputError, match="a file where a folder is needed"):
        make_folder(tmp_path / "out")
    with pytest.raises(OutputError, match="a file where a folder is needed"):
        write_text(tmp_path / "out" / "x", "")


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    make_folder(tmp_path / "x.csv")
    with pytest.raises(OutputError, match="a folder of that name"):
        write_text(tmp_path / "x.csv", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="no permission"):
            write_text(tmp_path / "x", "")
    finally:
        tmp_path.chmod(0o700)
