"""One file per finished job, written whole or not at all, never written twice."""

from __future__ import annotations

import io
import json
import warnings
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from fleeting.errors import FleetingWarning, InputError, OutputError
from fleeting.files import atomic_path, claimed, write_text
from fleeting.scale.job import Job, Result

LOCK_NAME = ".fleeting-run.lock"
_HEAD = "job"


class ResultStore:
    """A folder with one file per finished job.

    A result without arrays is ``ID.json``; one with arrays is ``ID.npz``, whose entry ``job`` holds the rest as JSON.
    Both say which job made them.

    Parameters
    ----------
    folder
        Made when it is first written to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def read(self, job: Job) -> Result | None:
        """Return the result of a job; None where there is none.

        A file that is damaged counts as none, with a `FleetingWarning`, and is removed: the job is then done again.

        Raises
        ------
        OutputError
            Where the disk refuses: what is there may be whole.
        """
        for path, load in ((self._path(job, "json"), _from_json), (self._path(job, "npz"), _from_npz)):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise OutputError(
                    f"to be able to read {path}", error.strerror or str(error), "Look after the disk, or remove it."
                ) from error
            try:
                return load(content)
            except Exception as error:  # whatever damaged bytes make of a reader
                warnings.warn(f"{path} is damaged ({error}); the job is done again.", FleetingWarning, stacklevel=2)
                path.unlink(missing_ok=True)
        return None

    def write(self, job: Job, result: Result) -> Path:
        """Keep the result of a job and return its file; a result that is there already stays as it is.

        Raises
        ------
        InputError
            For a result that is no `job.Result`.
        OutputError
            Where the disk refuses.
        """
        plain, arrays = _parted(job, result)
        path = self._path(job, "npz" if arrays else "json")
        if self._path(job, "npz").exists() or self._path(job, "json").exists():
            return path
        head = {"id": job.id, "task": job.task, "name": job.name, "content": job.content, "result": plain}
        head["arrays"] = list(arrays)
        text = json.dumps(head, indent=None if arrays else 1, ensure_ascii=False, default=dict)
        if not arrays:
            return write_text(path, text + "\n")
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **{_HEAD: np.array(text)}, **arrays)
        return path

    def finished(self) -> set[str]:
        """Return the ids of all jobs that have a result here."""
        return {p.stem for p in self.folder.glob("*") if p.suffix in (".json", ".npz") and not p.name.startswith(".")}

    def claimed(self) -> AbstractContextManager[None]:
        """Keep other runs away from the store while the block lasts; the claim of a killed run ends with it.

        Raises
        ------
        OutputError
            Where another run is at work here, or the disk refuses.
        """
        return claimed(self.folder, self.folder / LOCK_NAME)

    def _path(self, job: Job, suffix: str) -> Path:
        return self.folder / f"{job.id}.{suffix}"


def _parted(job: Job, result: Any) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Return plain values and arrays of a result."""
    hint = "Return a dict of plain values and numpy arrays by name."
    if not isinstance(result, dict) or not all(isinstance(k, str) for k in result):
        raise InputError(f"a dict with text as keys from job {job.id}", type(result).__name__, hint)
    arrays = {key: value for key, value in result.items() if isinstance(value, np.ndarray)}
    plain = {key: value for key, value in result.items() if key not in arrays}
    for key, value in arrays.items():
        if value.dtype.hasobject or key == _HEAD:
            raise InputError(
                f"arrays of numbers or text, not named '{_HEAD}', from job {job.id}", f"{key} ({value.dtype})", hint
            )
    try:
        same = json.loads(json.dumps(plain))
    except (TypeError, ValueError) as error:
        raise InputError(f"plain values and arrays from job {job.id}", str(error), hint) from error
    return same, arrays


def _from_json(content: bytes) -> Result:
    return dict(json.loads(content)["result"])


def _from_npz(content: bytes) -> Result:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        head = json.loads(str(stored[_HEAD]))
        # By the names that were written, which the file's own list of contents may have lost.
        return {**head["result"], **{name: stored[name] for name in head["arrays"]}}
