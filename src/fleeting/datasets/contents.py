"""What pictures hold: fingerprints of clips, without reading again what looks unchanged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from fleeting.datasets.frames import Place, images_of, place_in
from fleeting.datasets.manifest import ManifestRow
from fleeting.errors import DataError, VideoError
from fleeting.files import write_text
from fleeting.scale.job import fingerprint


class Contents:
    """Fingerprints of clips' pictures; files that look unchanged (path, size, time of change) are not read again.

    Parameters
    ----------
    index
        File that keeps them from run to run.
    """

    def __init__(self, index: Path) -> None:
        self._index = index
        self._changed = False
        self._folder: tuple[Path, dict[int, Path]] | None = None
        try:
            self._known: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def of(self, row: ManifestRow) -> tuple[Place, list[Path], str]:
        """Return where a clip lies, its pictures (or its video) and the fingerprint of what they hold.

        Raises
        ------
        VideoError
            Where there are no pictures.
        DataError
            Where they are not those of the clip, or its rate is unknown.
        """
        path = Path(row.path)
        if path.is_dir():
            if not row.fps > 0:
                raise DataError(f"frames per second of {row.id}", f"{row.fps}", "Add them to the table.")
            images = self._images(path)
            place = place_in(row, list(images))
            files = list(images.values())[place.onset : place.offset + 1]
        elif path.is_file():
            place, files = place_in(row, None), [path]
        else:
            raise VideoError(f"the frames of {row.id}", f"nothing at {row.path}", "Check the path of the data set.")
        return place, files, self.digest(files)

    def save(self) -> None:
        """Keep what was read, whole or not at all."""
        if self._changed:
            write_text(self._index, json.dumps(self._known) + "\n")
            self._changed = False

    def _images(self, folder: Path) -> dict[int, Path]:
        # Long videos hold many clips.
        if self._folder is None or self._folder[0] != folder:
            self._folder = (folder, images_of(folder))
        return self._folder[1]

    def digest(self, files: Sequence[Path]) -> str:
        """Return the fingerprint of what files hold, in their order; their names do not count."""
        stats = [[str(p.resolve()), s.st_size, s.st_mtime_ns] for p in files for s in (p.stat(),)]
        looks = fingerprint(stats)
        if looks not in self._known:
            digest = hashlib.sha256()
            for file in files:
                with file.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
            self._known[looks] = digest.hexdigest()
            self._changed = True
        return self._known[looks]
