"""The tables of docs/how-to/benchmarks.md are those of the code."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from documentation import ROOT, table_rows
from flow_clips import Learning, coded, data_of, made_up
from long_films import casme_sq, measure

from fleeting.errors import FleetingWarning
from fleeting.evaluation.benchmark.action_units import UNITS, UnitBenchmarkSettings, run_units
from fleeting.evaluation.benchmark.protocols import LEAKY, PROTOCOLS
from fleeting.evaluation.benchmark.run import BenchmarkSettings, run_benchmark
from fleeting.evaluation.benchmark.spotting import benchmark as spotting
from fleeting.evaluation.benchmark.spotting.spotters import SPOTTERS
from fleeting.recognisers.registry import RECOGNISERS
from fleeting.recognisers.unit_models import UNIT_MODELS, AllPositive

PAGE = ROOT / "docs" / "how-to" / "benchmarks.md"
INTERVALS = ("mean_f1", "mean_macro_f1", "mean_auc")


def names(head: str) -> set[str]:
    return {name for row in table_rows(PAGE, head) for name in re.findall(r"`([\w./-]+)`", row[0])}


def test_protocols_and_models_are_documented() -> None:
    from fleeting.cli import benchmark

    assert names("protocol") == set(PROTOCOLS) == set(benchmark.PROTOCOLS)
    assert names("model") == set(RECOGNISERS)


def test_action_units_are_documented(tmp_path: Path) -> None:
    assert names("model of action units") == set(UNIT_MODELS)
    plan = UnitBenchmarkSettings("all-positive", draws=10)
    found = run_units(data_of(coded()), AllPositive(), plan, out=tmp_path / "run")
    assert set(found) == names("in metrics.json of action units") | {f"{name}_interval" for name in INTERVALS}
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}_interval`" in text for name in INTERVALS)
    for unit in UNITS:
        assert unit in text or f" {unit[2:]}" in text, unit


def test_files_and_metrics_are_documented(tmp_path: Path) -> None:
    plan = BenchmarkSettings("learning", protocol=LEAKY, draws=10)
    with pytest.warns(FleetingWarning, match="LEAKY"):
        found = run_benchmark(data_of(made_up(subjects=3)), Learning(), plan, out=tmp_path / "run")
    assert names("file") == {p.name + "/" * p.is_dir() for p in (tmp_path / "run").iterdir()}
    parts = {*found, *found["uf1"]} - {"per_seed", "per_seed_interval", "per_data_set"}
    assert parts == names("in metrics.json")
    text = PAGE.read_text(encoding="utf-8")
    for key in (*found["calibration"], *found["uf1"], *found["confusion"]):
        assert key in ("classes", "rows") or f"`{key}`" in text, key


def test_spotting_is_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names("spotter") == set(SPOTTERS)
    monkeypatch.setitem(SPOTTERS, "simple", ("long_films", "Simple"))
    plan = BenchmarkSettings("simple", data=(f"casme-sq={casme_sq(tmp_path / 'set')}",), draws=10)
    found = spotting.benchmark(plan, measure=measure, out=tmp_path / "run")
    assert names("spotting run") == {p.name + "/" * p.is_dir() for p in (tmp_path / "run").iterdir()}
    assert names("in metrics.json of spotting") == set(found)
    text = PAGE.read_text(encoding="utf-8")
    with (tmp_path / "run" / "predictions.csv").open(encoding="utf-8") as table:
        columns = next(csv.reader(table))
    for key in (*found["right"], *found["right"]["micro"], *columns):
        assert f"`{key}`" in text, key
