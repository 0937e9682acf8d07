"""Imports: no circles, ONNX Runtime in one place, a core without extras. What may import what: `lint-imports`."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from timelines import make_timeline

from fleeting.errors import MissingExtraError
from fleeting.evaluation.benchmark.files import Run

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "fleeting"
NEEDS_TORCH = {"recognisers", "training"}


def modules_named(path: Path) -> set[str]:
    """Return what a file imports, or asks pytest or importlib for by name."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _IMPORTERS:
            named |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return named


_IMPORTERS = ("importorskip", "import_module", "__import__")


def sources() -> list[Path]:
    return [p for p in sorted(SOURCE.rglob("*.py")) if p != SOURCE / "__init__.py"]


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions and for type checks count, too."""
    graph = grimp.build_graph("fleeting", cache_dir=None)
    assert len(graph.modules) > 300
    # The package itself offers the API by name, and its modules ask it for nothing.
    needs = {m: graph.find_modules_directly_imported_by(m) - {"fleeting"} for m in graph.modules - {"fleeting"}}
    assert not any("fleeting" in graph.find_modules_directly_imported_by(m) for m in needs)
    list(TopologicalSorter(needs).static_order())  # raises CycleError, which names the circle


def test_onnx_runtime_is_imported_in_one_place() -> None:
    """There its telemetry is off before it starts; SECURITY.md."""
    files = [p for room in ("src", "tests", "benchmarks", "scripts") for p in (ROOT / room).rglob("*.py")]
    assert len(files) > 300
    naming = [p for p in files if "onnxruntime" in p.read_text(encoding="utf-8")]  # to parse them all would be slow
    importing = [p for p in naming if any(m.split(".")[0] == "onnxruntime" for m in modules_named(p))]
    assert importing == [SOURCE / "weights" / "runtime.py"]


def test_core_imports_without_torch() -> None:
    rooms = [p for p in sources() if p.relative_to(SOURCE).parts[0] not in NEEDS_TORCH]
    names = [
        "fleeting." + ".".join(p.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for p in rooms
        if p.name != "__main__.py"
    ]
    program = (
        "import sys, importlib\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'torch', 'sklearn', 'scipy', 'mediapipe', 'skimage', 'onnx', 'pyarrow',\n"
        "                                  'pandas', 'matplotlib'}:\n"
        "            raise ImportError(f'{name} belongs to an extra')\n"
        "sys.meta_path.insert(0, Wall())\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pandas_is_imported_by_benchmarks_and_data_frames_alone() -> None:
    """Only those ask for an extra; whatever writes csv does not."""
    naming = [p for p in sources() if "pandas" in p.read_text(encoding="utf-8") and "pandas" in modules_named(p)]
    places = {p.relative_to(SOURCE).as_posix() for p in naming}
    benchmarks = {f"benchmark/{name}.py" for name in ("action_units", "files", "run", "scores")}
    benchmarks |= {"calibration_curves.py", "comparison/compare.py"}
    frames = {"records/timeline.py", "expressions/readings.py"}
    assert places == {f"evaluation/{name}" for name in benchmarks} | frames


def test_data_frames_and_benchmarks_say_which_extra_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"'tables' for data frames.*fleeting\[tables\]"):
        make_timeline().to_dataframe()
    with pytest.raises(MissingExtraError, match="'research' for benchmarks"):
        Run(tmp_path, {}, {}).predictions()
