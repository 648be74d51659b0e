"""The structure of the code: imports point one way, models open no file, scripts only call."""

import ast
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lymphokit"
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
IN_MEMORY = [
    path
    for package in ("bags", "solvers", "models", "deep_mil")
    for path in sorted((PACKAGE / package).glob("*.py"))
]
MOST_MODULES = 15
OPENING = {"open", "read_csv", "read_text", "read_bytes", "write_text", "load", "save", "imread"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_point_one_way() -> None:
    """The layers, and the ban on Snakemake, stand in pyproject.toml under tool.importlinter."""
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("path", IN_MEMORY, ids=name)
def test_models_open_no_file(path: Path) -> None:
    calls = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    names = {getattr(call, "id", getattr(call, "attr", "")) for call in calls}
    assert names & OPENING == set()


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_is_a_page_and_defines_nothing(path: Path) -> None:
    text = path.read_text()
    body = text[text.index("with job(") :]
    assert len(body.splitlines()) <= 40
    defined = (ast.FunctionDef, ast.ClassDef)
    assert [node for node in ast.walk(ast.parse(text)) if isinstance(node, defined)] == []


def test_no_package_is_too_large_to_hold_in_the_head() -> None:
    packages = [path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    sizes = {path.name: len(list(path.glob("*.py"))) - 1 for path in packages}
    assert {name: n for name, n in sizes.items() if n > MOST_MODULES} == {}


def test_no_two_modules_have_the_same_name() -> None:
    names = [path.stem for path in PACKAGE.rglob("*.py") if path.stem != "__init__"]
    assert sorted({name for name in names if names.count(name) > 1}) == []
