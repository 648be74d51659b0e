"""The house keeps its plan: imports point one way, rooms keep to what they are for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lymphokit"
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
# A room may import from its own line and from those above it.
ORDER = [
    {"errors", "files", "provenance", "progress", "resume", "job", "config"},
    {"cohort"},
    {"simulation"},
    {"imaging"},
    {"features"},
    {"bags"},
    {"solvers"},
    {"models"},
    {"deep_mil"},
    {"evaluation"},
    {"figures"},
    {"pseudo_labels"},
    {"calibration"},
    {"ensemble"},
    {"studies"},
    {"submission"},
    {"leaderboard"},
    {"audit"},
    {"cli"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]
IN_MEMORY = [
    path for path in MODULES if path.parent.name in ("bags", "solvers", "models", "deep_mil")
]
OPENING = {"open", "read_csv", "read_text", "read_bytes", "write_text", "load", "save", "imread"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    own = LEVEL[room_of(path)]
    rooms = [module.split(".")[1] for module in imported(path) if module.startswith("lymphokit.")]
    assert [room for room in rooms if LEVEL[room] > own] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_package_knows_nothing_of_snakemake(path: Path) -> None:
    assert [module for module in imported(path) if module.split(".")[0] == "snakemake"] == []


@pytest.mark.parametrize(
    "path",
    [
        path
        for room in ("bags", "solvers", "models", "deep_mil")
        for path in sorted((PACKAGE / room).glob("*.py"))
    ],
    ids=name,
)
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
