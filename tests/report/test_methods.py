"""The methods paragraph says what the results say: settings, networks, scores, quality."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from timelines import make_timeline
from typer.testing import CliRunner

import fleeting
from fleeting import weights
from fleeting.analysis.analyse import describe_models
from fleeting.cli.app import app
from fleeting.errors import DataError, SettingsError
from fleeting.export.timeline_json import write_timeline
from fleeting.naming.expression_net import ExpressionNet
from fleeting.records import Timeline
from fleeting.report.methods import methods
from fleeting.report.references import WORKS
from fleeting.settings import AnalyseSettings, MotionSettings, SpottingSettings, to_dict


def analysed(settings: AnalyseSettings | None = None, *, name: str = "interview") -> Timeline:
    """A timeline as an analysis with these settings leaves it."""
    settings = settings or AnalyseSettings()
    made = make_timeline(seconds=3, name=name)
    models = describe_models(settings, network=ExpressionNet())
    return replace(made, settings=to_dict(settings), models=models, version=fleeting.__version__, warnings=())


def test_every_network_of_an_analysis_is_named_with_its_sum_and_its_score() -> None:
    text = methods([analysed()])
    used = ("face_finder", "landmarks", "spotter", "micro_flow", "fleeting", "action_units", "expression")
    paragraphs = re.findall(r"^The network .*$", text, re.MULTILINE)
    assert len(paragraphs) == len(used)
    for name, paragraph in zip(used, paragraphs, strict=True):
        assert paragraph.startswith(f"The network {name} (version ")
        assert paragraph.endswith(f" SHA-256 {weights.card(name)['sha256']}.")
        assert re.search(r"On data that it was not trained on: .*\d", paragraph), paragraph
    assert f"UF1 {weights.card('fleeting')['scores']['elsewhere']['uf1']:.3f} [" in paragraphs[4]
    assert "71 % of" in paragraphs[-1], "of the test pictures, not of those that settings were chosen on"
    assert "do not name the network" not in text


def test_the_flow_network_is_named_only_where_it_was_used() -> None:
    plain = describe_models(AnalyseSettings(motion=MotionSettings(event_flow="dis")))
    assert "micro_flow" not in plain
    assert "spotter" in plain


def test_settings_are_told_where_they_differ() -> None:
    assert f"All settings were the defaults of Fleeting {fleeting.__version__}." in methods([analysed()])
    text = methods([analysed(AnalyseSettings(spotting=SpottingSettings(max_micro_s=0.4, min_probability=0.9)))])
    assert "spotting.max_micro_s = 0.4; spotting.min_probability = 0.9." in text
    assert "A micro-expression lasts at most 0.4 s" in text
    assert "a probability of at least 0.9 (0.95 for the lower face" in text


def test_many_films_are_described_together() -> None:
    other = analysed(AnalyseSettings(spotting=SpottingSettings(threshold=8.0)), name="second")
    slow = replace(other, video=replace(other.video, fps=29.97, width=640, height=480, variable_frame_rate=True))
    text = methods([analysed(), slow, replace(slow, quality={}, models={})])
    assert "The 3 recordings together last 9 s, at 30 to 200 frames per second (varying in 2;" in text
    assert "1280 x 720 (in 1), 640 x 480 (in 2) pixels" in text
    assert "spotting.threshold = 8.0 (in 2)." in text
    assert "blur was poor in 2 (0.42)" in text
    assert "classified events in 2 of 3 recordings." in text


def test_what_the_results_do_not_say_is_said_so() -> None:
    text = methods([replace(make_timeline(seconds=1), models={"watcher": {"name": "watcher"}}, version="0.0.1")])
    assert "The network watcher (version ?) classified events. The results state no score of it." in text
    assert "do not name the network that judged the candidates" in text
    assert f"Fleeting {fleeting.__version__} wrote this text. Some results are of another version" in text
    assert "Warnings of the analysis: The video breaks off" in text


@pytest.mark.parametrize(("style", "mark"), [("markdown", r"\[@(\w+)\]"), ("latex", r"~\\cite\{(\w+)\}")])
def test_every_citation_has_an_entry(style: str, mark: str, tmp_path: Path) -> None:
    strange = AnalyseSettings(motion=MotionSettings(flow="tvl1"))
    write_timeline(analysed(strange), tmp_path / "interview" / "timeline.json")
    text = fleeting.methods(tmp_path, style=style)  # type: ignore[arg-type]
    cited = set(re.findall(mark, text))
    assert cited == {"fleeting", "ekman1978", "yan2013", "zach2007"}
    entries = fleeting.methods(tmp_path, style="bibtex")
    assert re.findall(r"^@\w+\{(\w+),$", entries, re.MULTILINE) == sorted(cited)
    assert entries.count("{") == entries.count("}")
    assert fleeting.methods(tmp_path).endswith(f"\n\n{entries}")
    assert "[[" not in fleeting.methods(tmp_path) + text


def test_latex_is_escaped() -> None:
    odd = replace(analysed(), warnings=("50 % of a_b & {c} \\d",))
    assert r"50 \% of a\_b \& \{c\} \textbackslash{}d" in methods([odd], "latex")


@pytest.mark.parametrize("key", WORKS)
def test_a_work_is_whole(key: str) -> None:
    cited, _, fields = WORKS[key]
    assert {"author", "title", "year"} <= set(fields)
    assert cited.endswith(f", {fields['year']}")
    assert key.endswith(fields["year"])


def test_the_command_prints_it(tmp_path: Path) -> None:
    write_timeline(analysed(), tmp_path / "interview" / "timeline.json")
    done = CliRunner().invoke(app, ["methods", str(tmp_path), "--format", "bibtex"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("@book{ekman1978,")
    assert f"version = {{{fleeting.__version__}}}" in done.stdout
    wrong = CliRunner().invoke(app, ["methods", str(tmp_path), "--format", "bibtext"])
    assert isinstance(wrong.exception, SettingsError)
    assert "Did you mean 'bibtex'" in str(wrong.exception)
    with pytest.raises(DataError, match="a folder of results"):
        fleeting.methods(tmp_path / "interview" / "nothing")
