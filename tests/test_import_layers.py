"""A lower layer never imports a higher one, and the core never imports torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "fleeting"

# What each room may import of the others, beside itself.
FOUNDATION = {"errors", "files", "metrics", "records", "labels", "settings", "threads", "weights"}
FACES = FOUNDATION | {"video", "faces"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": {"errors"},
    "records": {"errors"},
    "metrics": {"errors"},
    "threads": set(),
    "scale": {"errors", "files", "threads"},
    "labels": {"errors", "records"},
    "settings": {"errors", "records"},
    "weights": {"errors", "records", "labels", "settings"},
    "video": FOUNDATION,
    "faces": FOUNDATION | {"video"},
    "motion": FACES,
    "spotting": FACES | {"motion"},
    "synthesis": FACES | {"motion"},
    "datasets": FACES | {"motion", "scale"},
    "models": FACES | {"motion", "spotting", "datasets", "synthesis"},
    "training": FACES | {"motion", "spotting", "datasets", "synthesis", "models"},
    "evaluation": FACES | {"motion", "spotting", "datasets", "synthesis", "models", "training", "scale"},
    "inference": FACES | {"motion", "spotting", "synthesis", "explain"},
    "explain": FACES | {"models"},
    "report": FOUNDATION | {"motion"},
    "export": FOUNDATION,
}
ABOVE = (
    FACES
    | {"motion", "spotting", "synthesis", "datasets", "models", "training", "evaluation", "inference"}
    | {"explain", "report", "export", "scale"}
)
ALLOWED["results"] = FOUNDATION
ALLOWED["api"] = ABOVE | {"results"}
ALLOWED["batch"] = ABOVE | {"results", "api"}
ALLOWED["cli"] = ABOVE | {"api", "results", "batch"}
ALLOWED["__main__"] = {"cli"}
ALLOWED["web"] = ABOVE | {"api"}
NEEDS_TORCH = {"models", "training"}


def imported_rooms(path: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it in full so that the layers can be read"
            modules = [node.module or ""]
            if node.module == "fleeting":
                modules = [f"fleeting.{alias.name}" for alias in node.names]
        else:
            continue
        rooms |= {m.split(".")[1] for m in modules if m.startswith("fleeting.")}
    return rooms


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


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    room = relative.parts[0].removesuffix(".py")
    assert room in ALLOWED, f"{relative}: a new room needs a place in the layers"
    wrong = imported_rooms(path) - ALLOWED[room] - {room, "__version__"}
    assert not wrong, f"{relative} imports {sorted(wrong)}, which lie above or beside it"


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
        "        if name.split('.')[0] in ('torch', 'sklearn', 'scipy', 'mediapipe', 'skimage', 'onnx'):\n"
        "            raise ImportError(f'{name} belongs to an extra')\n"
        "sys.meta_path.insert(0, Wall())\n"
        f"for name in {names!r}:\n    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
