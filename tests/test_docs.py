"""The documentation says what is so: its commands parse and run, its snippets run, its tables are those of the code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from documentation import PAGES, ROOT, Command, anchors, blocks, commands, links, load_script, name_of, table_rows
from flow_clips import made_up, stored
from typer.testing import CliRunner

from fleeting.cli.app import app
from fleeting.settings import AnalyseSettings, from_dict, to_dict

GROUP: Any = typer.main.get_command(app)
CONTEXT = GROUP.make_context("fleeting", ["probe"], resilient_parsing=True)
SHOWN = {name: command for name, command in GROUP.commands.items() if not command.hidden}
COMMANDS = [command for page in PAGES for command in commands(page)]
OWN = [c for c in COMMANDS if c.words[0] == "fleeting"]

SNIPPETS_ELSEWHERE = {
    "docs/how-to/calibrate.md": "calibration/test_calibrate.py",
    "docs/reference/formats.md": "cli/test_cli_report.py",
    "docs/explanation/motion.md": "test_docs_motion.py",
    "docs/how-to/synthesis.md": "test_docs_synthesis.py",
}
"""Pages whose snippets need more than the desk below; the test that runs them."""

NOT_RUN = {
    "calibrate": "takes a minute, and more than the second that the film lasts; test_calibrate.py",
    "demo": "films 2,520 frames; scripts/demo",
    "serve": "runs until it is stopped; test_privacy.py, web/test_server_coding.py",
    "train": "takes long and needs the data; test_recogniser_training.py",
}
NEEDED_ELSEWHERE = {
    "--weights": "a network of one's own; test_systems.py",
    "casme2=/data/casme2": "licensed clips; test_sequence_layouts.py",
    "casme3=/data/casme3": "licensed films; test_spotting_benchmark.py",
    "casme-sq=/data/casme_sq": "licensed films; test_spotting_benchmark.py",
    "samm-lv=/data/samm_long": "licensed films; test_spotting_benchmark.py",
}
"""Words of commands that need what is not on the desk; the test that has it."""
FILM = ("--fps", "30", "--seconds", "1.5", "--size", "256x256", "--iod", "56")


def cheaper(name: str, words: list[str]) -> list[str]:
    """Options that are added when a documented command is run, so that it is quick; the last of an option counts."""
    if name != "synthesise":
        return []
    return ["--events", "1", *(FILM if words[0].endswith(".jpg") else ())]


def subcommand(command: Command) -> tuple[str | None, list[str]]:
    """Name and words of the subcommand; None where there are options of ``fleeting`` itself alone."""
    words = list(command.words[1:])
    while words and words[0].startswith("-"):
        words.pop(0)
    return (words[0], words[1:]) if words else (None, [])


def parse(command: Command) -> None:
    """Parse without running; raises what the command line would print."""
    name, words = subcommand(command)
    if name is None:
        assert set(command.words[1:]) <= {"--help", "--version", "-h"}, str(command)
        return
    assert name in GROUP.commands, f"{command}: there is no command '{name}'"
    sub = GROUP.commands[name]
    try:
        sub.make_context(name, words, parent=CONTEXT)
    except Exception as error:
        # Inline code may name a command without calling it whole; what it does say must be right.
        if command.fenced or "Missing" not in str(error):
            raise


@pytest.mark.parametrize("command", OWN, ids=str)
def test_every_command_of_fleeting_parses(command: Command) -> None:
    parse(command)


def test_a_wrong_option_would_be_seen() -> None:
    for fenced in (True, False):
        with pytest.raises(Exception, match="No such option"):
            parse(Command("README.md", ("fleeting", "probe", "interview.mp4", "--fsp", "3"), fenced))
    with pytest.raises(AssertionError, match="there is no command"):
        parse(Command("README.md", ("fleeting", "prob", "interview.mp4"), False))
    with pytest.raises(Exception, match="Missing"):
        parse(Command("README.md", ("fleeting", "probe"), True))


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] != "fleeting"], ids=str)
def test_every_other_command_exists(command: Command) -> None:
    program, *words = command.words
    if program.startswith("scripts/"):
        assert os.access(ROOT / program, os.X_OK)
        subprocess.run(["bash", "-n", str(ROOT / program)], check=True)
    elif program in ("pip", ".venv/bin/pip"):
        assert words[0] == "install"
        extras = {e for w in words for group in re.findall(r"\.\[([\w,]+)\]", w) for e in group.split(",")}
        known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert extras <= set(known["optional-dependencies"]), f"{command}: unknown extra"
        assert all((ROOT / w).exists() for flag, w in zip(words, words[1:], strict=False) if flag == "-c")
    elif program == "python" and words[:2] != ["-m", "venv"]:
        source = module_file(words)
        assert source.exists(), f"{command}: {source} does not exist"
        text = source.read_text(encoding="utf-8")
        unknown = [w for w in words[1:] if w.startswith("--") and f'"{w}"' not in text]
        assert not unknown, f"{command}: no option {unknown}"
    elif program == "pytest":
        assert all((ROOT / w).exists() for w in words if w.startswith("tests/"))
    else:
        assert (program, *words[:2]) in {
            ("python", "-m", "venv"),
            ("ruff", "check", "."),
            ("ruff", "format", "."),
            ("mypy",),
        }


def module_file(words: list[str]) -> Path:
    if words[0] == "-m":
        return ROOT / "src" / (words[1].replace(".", "/") + ".py")
    path = ROOT / words[0]
    return path / "__main__.py" if path.is_dir() else path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the documentation talks of: a portrait, a film of it, recordings, frames, flow images, an
    analysis."""
    demo = pytest.importorskip("fleeting.synthesis.demo")
    pytest.importorskip("skimage", reason="the portrait of the demonstration comes with the extra demo")
    from fleeting.synthesis.clip import ClipSettings, PortraitClip
    from fleeting.synthesis.face.emotions import activations_of
    from fleeting.synthesis.face.movement import Movement
    from fleeting.synthesis.face.profile import Profile
    from fleeting.synthesis.render import render_clip
    from fleeting.video.writer import ImageFolderWriter

    folder = tmp_path_factory.mktemp("desk")
    portrait = demo.portrait()
    cv2.imwrite(str(folder / "portrait.jpg"), np.ascontiguousarray(portrait[..., ::-1]))
    for name, shift in (("onset.png", 0), ("apex.png", 1)):
        cv2.imwrite(str(folder / name), np.roll(portrait[90:186, 150:278, 1], shift, 1))
    smile = Movement("micro", Profile(0.4, 0.55, 0.75), activations_of("happiness"), 4.0, "happiness")
    settings = ClipSettings(fps=30.0, seconds=1.3, width=256, height=256, iod_px=56.0)
    clip = PortraitClip(portrait, demo.PORTRAIT_POINTS, movements=(smile,), settings=settings, seed=1)
    render_clip(clip, folder / "interview.mp4")
    (folder / "recordings").mkdir()
    shutil.copy(folder / "interview.mp4", folder / "recordings" / "first.mp4")
    for name in ("clip", "frames"):
        with ImageFolderWriter(folder / name) as writer:
            for frame in range(15):
                writer.write(clip.frame(frame))
    for block in (b for page in PAGES for b in blocks(page) if b.language == "python"):
        if named := re.match(r"# (\w+\.py)\n", block.text):  # a module that its page tells to write
            (folder / named[1]).write_text(block.text, encoding="utf-8")
    (folder / "strict.toml").write_text("[spotting]\nthreshold = 8.0\n", encoding="utf-8")
    (folder / "study.csv").write_text("film,person,condition\ninterview,ada,alone\n", encoding="utf-8")
    units = np.tile(["1+2", "L4B+7", "12"], 4)
    stored(made_up(subjects=4, each=3), folder / "flow_images.npz", action_units=units)
    stored(made_up(subjects=2, each=3, name="samm", seed=1), folder / "other_people.npz")
    assert run("fleeting", "analyse", "interview.mp4", "--out", "results", cwd=folder) == 0
    return folder


def run(*words: str, cwd: Path) -> int:
    """Run a command in this process; its output is shown where it fails."""
    before = Path.cwd()
    os.chdir(cwd)
    try:
        done = CliRunner().invoke(app, list(words[1:]))
    finally:
        os.chdir(before)
    if done.exit_code:
        print(shlex.join(words), done.output, done.stderr, done.exception, sep="\n")
    return done.exit_code


def cheap() -> list[tuple[str, ...]]:
    """Every fenced command that can be run on the desk, once: films are made first, then in the order of the pages."""
    found: dict[tuple[str, ...], None] = {}
    for command in sorted(
        (c for c in OWN if c.fenced), key=lambda c: (c.words[1] != "synthesise", c.page != "README.md")
    ):
        name, words = subcommand(command)
        if name is None or name in NOT_RUN or (name == "evaluate" and words[0] != "spotting"):
            continue
        if NEEDED_ELSEWHERE.keys() & set(words):
            continue
        found[("fleeting", name, *words, *cheaper(name, words))] = None
    return list(found)


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")  # the films are shorter than the advice allows
def test_the_cheap_commands_run(desk: Path) -> None:
    names = {words[1] for words in cheap()}
    assert names == set(SHOWN) - set(NOT_RUN), "every command has a fenced example that runs"
    failed = [shlex.join(words) for words in cheap() if run(*words, cwd=desk) != 0]
    assert not failed
    assert (desk / "magnified.mp4").exists()
    assert (desk / "interview.html").exists()
    assert (desk / "results" / "first" / "report.html").exists()
    names = {p.name for p in (desk / "elan" / "interview").iterdir()}
    assert names == {"events.csv", "events.eaf", "timeline.json", "timeline.npz", "run.json"}
    metrics = json.loads((desk / "measured" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["micro"]["true_positives"] + metrics["micro"]["false_negatives"] >= 1
    assert not metrics["failed"]


SNIPPETS = [b for page in PAGES for b in blocks(page) if b.language == "python" and b.page not in SNIPPETS_ELSEWHERE]


@pytest.mark.filterwarnings("ignore::fleeting.errors.FleetingWarning")
@pytest.mark.parametrize("number", range(len(SNIPPETS)), ids=lambda n: f"{SNIPPETS[n].page}-{n}")
def test_snippets_run(number: int, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    block = SNIPPETS[number]
    if '"clips"' in block.text and not (desk / "clips").exists():
        assert run("fleeting", "synthesise", "portrait.jpg", "--out", "clips", "--events", "1", *FILM, cwd=desk) == 0
    if "own.npz" in block.text and not (desk / "own.npz").exists():
        assert run("fleeting", "synthesise", "portrait.jpg", "--out", "clips", "--events", "1", *FILM, cwd=desk) == 0
        assert run("fleeting", "prepare", "own=clips", "--out", "own.npz", cwd=desk) == 0
    if '"runs/svm"' in block.text and not (desk / "runs").exists():
        for words in (w for w in cheap() if w[1] == "benchmark"):
            assert run(*words, cwd=desk) == 0
    exec(compile(block.text, block.page, "exec"), {})


@pytest.mark.parametrize("page", SNIPPETS_ELSEWHERE)
def test_other_snippets_are_run_elsewhere(page: str) -> None:
    text = (ROOT / "tests" / SNIPPETS_ELSEWHERE[page]).read_text(encoding="utf-8")
    assert Path(page).name in text
    assert "exec(compile(" in text


def test_settings_snippets_are_settings() -> None:
    found = [b for page in PAGES for b in blocks(page) if b.language == "toml"]
    assert found
    for block in found:
        from_dict(AnalyseSettings, tomllib.loads(block.text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{name_of(page)} links to {link}"
        assert path.is_relative_to(ROOT), f"{name_of(page)} links out of the repository: {link}"
        if anchor:
            assert anchor in anchors(path), f"{name_of(page)} links to {link}; headings: {sorted(anchors(path))}"


def test_every_page_can_be_reached() -> None:
    index = ROOT / "docs" / "index.md"
    reached = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)} | {index}
    assert set(PAGES) <= reached


def test_every_command_is_in_the_index_with_its_needs() -> None:
    rows = {row[0].strip("`").split()[1]: row for row in table_rows(ROOT / "docs" / "index.md", "command")}
    assert set(rows) == set(SHOWN)
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for alias in set(GROUP.commands) - set(SHOWN):
        assert f"`fleeting {alias}`" in text


@pytest.mark.parametrize("name", SHOWN)
def test_help_has_an_example_that_parses(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"})
    assert done.exit_code == 0
    (example,) = re.findall(r"Example: (fleeting .+)", re.sub(r"\n\s+", " ", GROUP.commands[name].help))
    parse(Command("--help", tuple(shlex.split(example)), True))
    assert example.split()[1] == name
    assert example in " ".join(done.output.split())


def test_settings_table_has_every_setting_with_its_default() -> None:
    rows = {
        row[0].strip("`"): row[1].strip("`")
        for row in table_rows(ROOT / "docs" / "reference" / "settings.md", "setting")
    }
    defaults = {f"{room}.{key}": v for room, values in to_dict(AnalyseSettings()).items() for key, v in values.items()}
    assert set(rows) == set(defaults)
    for name, text in rows.items():
        assert tomllib.loads(f"value = {text}")["value"] == defaults[name], name


def names_in(page: str, head: str) -> set[str]:
    return {name for row in table_rows(ROOT / page, head) for name in re.findall(r"`([\w-]+)`", row[0])}


def test_truth_columns_are_documented() -> None:
    from fleeting.synthesis.truth import COLUMNS

    assert names_in("docs/how-to/evaluate.md", "column of truth.csv") == set(COLUMNS)


def test_metrics_are_documented() -> None:
    from fleeting.evaluation import expression, landmarks, spotting
    from fleeting.evaluation.benchmark.predictions import Predictions, scores
    from fleeting.evaluation.unit_scores import UnitPredictions, unit_scores

    table = Predictions(
        np.array(["a", "b"]), np.array(["a/1", "b/1"]), np.array(["a", "b"]), np.array([0, 1]),
        np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], np.float32), np.array([True, False]),
    )  # fmt: skip
    faces = expression.summarise(np.eye(7, dtype=np.float32), np.arange(7))
    computed = {*landmarks.summarise([], seconds=1.0), *scores(table, draws=10), *spotting.summarise([], seconds=1.0)}
    computed |= set(faces)
    two = np.array([[1], [0]], np.int8)
    units = unit_scores([UnitPredictions(("AU01",), two, two * 0.8, two > 0, np.array(["a", "b"]))], draws=10)
    computed |= {*units, *units["units"]["AU01"], *units["cd6me"]}
    documented = names_in("docs/how-to/evaluate.md", "in metrics.json")
    assert computed <= documented, f"not documented: {sorted(computed - documented)}"
    source = "".join(
        (ROOT / "src" / "fleeting" / "evaluation" / f"{name}.py").read_text(encoding="utf-8")
        for name in ("action_units", "expression", "landmarks", "megc_tables", "recogniser", "spotting")
    )
    made_up = {name for name in documented - computed if f'"{name}"' not in source}
    assert not made_up


def test_evaluations_and_their_arrays_are_documented() -> None:
    from fleeting.datasets.composite import FIELDS, UNITS
    from fleeting.shipped import EVALUATIONS

    assert names_in("docs/how-to/evaluate.md", "model") == set(EVALUATIONS)
    faces = {"webp", "emotion", "usage"}
    assert names_in("docs/how-to/evaluate.md", "array") == {
        *FIELDS,
        UNITS,
        *faces,
        "jpeg",
        "offsets",
        "landmarks",
        "person",
    }


def test_recipes_tasks_and_benchmarks_are_documented() -> None:
    from fleeting.training.run import TASKS

    recipes = {row[0].strip("`") for row in table_rows(ROOT / "docs" / "how-to" / "train.md", "recipe")}
    assert recipes == {p.relative_to(ROOT).as_posix() for p in (ROOT / "recipes").glob("*.toml")}
    assert {tomllib.loads((ROOT / r).read_text(encoding="utf-8"))["task"] for r in recipes} == set(TASKS)
    text = (ROOT / "docs" / "how-to" / "train.md").read_text(encoding="utf-8")
    for path in (ROOT / "benchmarks").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix().removesuffix("/__main__.py")
        assert f"{name}`" in text or f"{name} " in text, f"{name} is not in docs/how-to/train.md"


def test_public_names_are_documented() -> None:
    import fleeting

    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    for name in fleeting.__all__:
        assert re.search(rf"\b{name}\b", text), f"{name} is not in docs/reference/api.md"
    for row in table_rows(ROOT / "docs" / "reference" / "api.md", "name"):
        record = getattr(fleeting, row[0].strip("`"))
        for member in re.findall(r"`(\w+)(?:\([^`]*\))?`", row[1]):
            known = {f.name for f in fields(record)} | set(vars(record)) | {"len"}
            assert member in known, f"{row[0]} has no {member}"


def test_the_model_card_is_that_of_the_shipped_networks() -> None:
    text = (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert text == load_script("model_card").model_card(), "run python scripts/model_card.py"


def test_the_figures_are_those_that_were_measured() -> None:
    for page, text in load_script("figures").pages().items():
        assert text == page.read_text(encoding="utf-8"), "run python scripts/figures.py"
    recogniser = json.loads((ROOT / "benchmarks" / "results" / "fleeting.json").read_text(encoding="utf-8"))
    for page in (ROOT / "README.md", ROOT / "docs" / "reference" / "figures.md"):
        assert f"| {recogniser['shipped']['uf1']:.3f} [" in page.read_text(encoding="utf-8")


def test_a_figure_that_was_not_measured_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = load_script("figures")
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    for rows in (figures.main_figures(), figures.all_figures()):
        assert rows
        assert {f.value for f in rows} == {figures.MISSING}


def test_the_picture_is_small() -> None:
    picture = ROOT / "docs" / "images" / "report.png"
    assert picture.stat().st_size <= 400_000
    assert cv2.imread(str(picture)).shape[1] == 1280
