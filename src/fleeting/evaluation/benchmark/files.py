"""The folder of a benchmark: what was asked, where it ran, what came out."""

from __future__ import annotations

import json
import os
import platform
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fleeting import settings as toml
from fleeting.errors import DataError, MissingExtraError, SettingsError
from fleeting.evaluation.benchmark.settings import BenchmarkSettings
from fleeting.files import atomic_path, make_folder, write_text
from fleeting.reading import reading

if TYPE_CHECKING:
    import pandas as pd

JOBS = "jobs"
SETTINGS = "settings.toml"
ENVIRONMENT = "environment.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
LEAKY_PREDICTIONS = "leaky-predictions.parquet"
ANSWERS = "answers.parquet"
"""Of a model of several answers: the rows of `PREDICTIONS` for each, with the name of the answer."""
PACKAGES: tuple[str, ...] = ("fleeting", "numpy", "opencv-contrib-python-headless", "pandas", "scikit-learn", "torch")


@dataclass(frozen=True, slots=True)
class Run:
    """A finished benchmark, read back.

    Attributes
    ----------
    folder
        Where it lies.
    metrics, settings
        Content of ``metrics.json`` and ``settings.toml``.
    """

    folder: Path
    metrics: dict[str, Any]
    settings: dict[str, Any]

    def predictions(self, *, leaky: bool = False) -> pd.DataFrame:
        """Return one row per prediction; of the epochs chosen on test clips where `leaky`.

        Raises
        ------
        DataError
            Where the table is missing or cannot be read.
        MissingExtraError
            Without the extra ``research``.
        """
        require_tables()
        import pandas as pd

        path = self.folder / (LEAKY_PREDICTIONS if leaky else PREDICTIONS)
        with reading(path, "the predictions of a benchmark", "Run the benchmark again."):
            return pd.read_parquet(path)


class HasSettings(Protocol):
    """A model, whatever its task."""

    def settings(self) -> dict[str, Any]:
        """Return the resolved settings, as plain values for JSON and TOML."""
        ...


def require_tables() -> None:
    """Raise MissingExtraError where tables of predictions can be neither written nor read."""
    if not (find_spec("pandas") and find_spec("pyarrow")):
        raise MissingExtraError("research", "benchmarks")


def start(out: Path, settings: BenchmarkSettings, model: HasSettings) -> None:
    """Write ``settings.toml`` and ``environment.json``; in a folder of the same benchmark nothing changes.

    Raises
    ------
    SettingsError
        Where the folder holds another benchmark.
    OutputError
        Where the disk refuses.
    MissingExtraError
        Without the extra ``research``.
    """
    require_tables()
    text = toml.dict_to_toml({**toml.to_dict(settings), "model_settings": model.settings()})
    make_folder(out)
    path = out / SETTINGS
    if path.exists():
        former = path.read_text(encoding="utf-8")
        if former != text:
            changed = _changed(former, text)
            raise SettingsError(
                f"a folder without results, or those of the same benchmark, for {out}",
                f"other settings there ({changed})",
                "Choose another --out, or remove the folder.",
            )
    else:
        write_text(path, text)
    write_text(out / ENVIRONMENT, json.dumps(environment(), indent=2) + "\n")


def _changed(former: str, now: str) -> str:
    old, new = tomllib.loads(former), tomllib.loads(now)
    names = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    return ", ".join(f"{n}: {old.get(n)} there, {new.get(n)} now" for n in names[:3])


def environment() -> dict[str, Any]:
    """Return versions, platform, processors and the command line."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "python": platform.python_version(),
        "packages": versions,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "graphics": _graphics(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _graphics() -> str | None:
    # Asked of torch only where a model has loaded it: evaluation does not need it.
    torch = sys.modules.get("torch")
    return str(torch.cuda.get_device_name()) if torch is not None and torch.cuda.is_available() else None


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write predictions as a parquet file."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_metrics(metrics: dict[str, Any], out: Path) -> None:
    """Write ``metrics.json``."""
    write_text(out / METRICS, json.dumps(metrics, indent=2, allow_nan=False) + "\n")


def read_run(folder: str | Path) -> Run:
    """Read a finished benchmark.

    Raises
    ------
    DataError
        Where the folder holds none, or one that is not finished.
    """
    place = Path(folder)
    try:
        settings = tomllib.loads((place / SETTINGS).read_text(encoding="utf-8"))
        metrics = json.loads((place / METRICS).read_text(encoding="utf-8"))
    except OSError as error:
        unfinished = (place / JOBS).is_dir()
        raise DataError(
            "a folder of a finished benchmark",
            f"{place} {'that is not finished' if unfinished else f'without {Path(str(error.filename)).name}'}",
            "Run the same 'fleeting benchmark' again: it goes on." if unfinished else "Give the --out of a benchmark.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError("readable results of a benchmark", f"{place} ({error})", "Run the benchmark again.") from error
    if not isinstance(metrics, dict) or "uf1" not in metrics or "protocol" not in metrics:
        raise DataError("the metrics.json of a benchmark", f"another in {place}", "Give the --out of a benchmark.")
    return Run(place, metrics, settings)
