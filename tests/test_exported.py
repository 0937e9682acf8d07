from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fleeting


@pytest.mark.parametrize("name", fleeting.__all__)
def test_every_public_name_resolves(name: str) -> None:
    value = getattr(fleeting, name)
    assert value.__name__ == name
    assert value.__module__.startswith("fleeting.")


def test_public_names_are_sorted_and_typed() -> None:
    assert fleeting.__all__ == sorted(fleeting.__all__)
    tree = ast.parse(Path(fleeting.__file__).read_text(encoding="utf-8"))
    typed = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(fleeting.__all__) <= typed


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'analyze_video'"):
        fleeting.analyze_video  # noqa: B018


def test_completion_offers_the_api_before_anything_is_imported() -> None:
    program = f"import fleeting, sys\nsys.exit(', '.join(set({fleeting.__all__}) - set(dir(fleeting))) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"dir(fleeting) lacks {done.stderr}"


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert fleeting.__version__ == version("fleeting")


def test_importing_is_light() -> None:
    heavy = "{'numpy', 'cv2', 'av', 'pandas', 'onnxruntime', 'plotly', 'torch'}"
    for start in ("import fleeting", "import fleeting.cli.app"):
        program = f"import sys\n{start}\nsys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{start} imports {done.stderr}"


def test_every_file_that_is_no_module_is_in_the_distribution() -> None:
    root = Path(fleeting.__file__).parent
    project = tomllib.loads((root.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["fleeting"]
    packed = {path for pattern in patterns for path in root.glob(pattern)}
    others = {p for p in root.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    assert others == packed
