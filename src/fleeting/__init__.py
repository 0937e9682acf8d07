"""Fleeting finds and recognises facial micro-expressions.

``fleeting.analyse("interview.mp4")`` gives a `Timeline`. Heavy imports happen when a name is first used, so that
``import fleeting`` stays quick.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fleeting.api import analyse, calibrate, methods
    from fleeting.batch import analyse_many
    from fleeting.datasets.load import load_samples
    from fleeting.datasets.samples import Samples
    from fleeting.errors import FleetingError, FleetingWarning
    from fleeting.evaluation.benchmark.benchmark import benchmark
    from fleeting.evaluation.benchmark.settings import BenchmarkSettings
    from fleeting.evaluation.comparison.compare import compare
    from fleeting.expressions.explain import explain_face
    from fleeting.expressions.files import emotion
    from fleeting.records import Calibration, Cut, Event, FaceTrack, Interval, Timeline, UnitAnswer, VideoInfo
    from fleeting.settings import AnalyseSettings
    from fleeting.shipped import evaluate

_HOME = {
    "analyse": "api",
    "analyse_many": "batch",
    "benchmark": "evaluation.benchmark.benchmark",
    "BenchmarkSettings": "evaluation.benchmark.settings",
    "calibrate": "api",
    "compare": "evaluation.comparison.compare",
    "emotion": "expressions.files",
    "evaluate": "shipped",
    "explain_face": "expressions.explain",
    "load_samples": "datasets.load",
    "methods": "api",
    "Samples": "datasets.samples",
    "FleetingError": "errors",
    "FleetingWarning": "errors",
    "Calibration": "records",
    "Cut": "records",
    "Event": "records",
    "FaceTrack": "records",
    "Interval": "records",
    "Timeline": "records",
    "UnitAnswer": "records",
    "VideoInfo": "records",
    "AnalyseSettings": "settings",
}

__all__ = [
    "AnalyseSettings",
    "BenchmarkSettings",
    "Calibration",
    "Cut",
    "Event",
    "FaceTrack",
    "FleetingError",
    "FleetingWarning",
    "Interval",
    "Samples",
    "Timeline",
    "UnitAnswer",
    "VideoInfo",
    "analyse",
    "analyse_many",
    "benchmark",
    "calibrate",
    "compare",
    "emotion",
    "evaluate",
    "explain_face",
    "load_samples",
    "methods",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return metadata.version("fleeting")
    if name in _HOME:
        return getattr(import_module(f"fleeting.{_HOME[name]}"), name)
    raise AttributeError(f"module 'fleeting' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Names that completion offers: those of the API, although none may have been imported yet."""
    return sorted({*__all__, "__version__", *globals()})
