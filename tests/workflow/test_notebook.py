"""The notebook for Kaggle, executed by a kernel on the simulated cohort, without a GPU."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lymphokit import config
from lymphokit.cohort.raw import COMPETITION

from .conftest import ROOT, TINY, Checkout

NOTEBOOK = ROOT / "notebooks" / "kaggle.ipynb"
FEW = {"clinical", "pooled", "bag_kernel_morphology"}


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def source(name: str) -> str:
    return str(next(cell.source for cell in read().cells if cell.id == name))


def few_models(folder: Path) -> Path:
    """Settings over the tiny ones that switch most models off."""
    tiny = config.merge(*map(config.read_yaml, (ROOT / "config.yaml", TINY)))
    models = {name: {"enabled": False} for name in tiny["models"] if name not in FEW}
    path = folder / "few.yaml"
    path.write_text(json.dumps({"models": models, "ensemble": {"choices": {}}}))
    return path


def test_the_notebook_has_three_cells_of_code_without_output_and_takes_the_gpu_preset() -> None:
    notebook = read()
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.id for cell in cells] == ["install", "run", "report"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert (ROOT / "config" / "gpu.yaml").is_file()
    assert "config/gpu.yaml" in source("run")


def test_the_notebook_runs_from_install_to_report(
    fresh: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(fresh.folder / "src"))
    monkeypatch.setenv("LYMPHOKIT_FOLDER", str(fresh.folder))
    monkeypatch.setenv("LYMPHOKIT_INPUT", str(tmp_path / "input"))
    monkeypatch.setenv("LYMPHOKIT_PRESET", f"{TINY} {few_models(tmp_path)}")
    notebook = read()
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": working}}
    )
    client.execute()
    (csv,) = fresh.submissions()
    assert (working / "submission.csv").read_bytes() == csv.read_bytes()
    page = fresh.folder / "results" / "demo" / "report.html"
    assert (working / "report.html").read_bytes() == page.read_bytes()
    shown = [
        output for output in notebook.cells[-1].outputs if output.output_type == "execute_result"
    ]
    assert "report.html" in shown[-1]["data"]["text/html"]


@pytest.mark.parametrize("above", [COMPETITION, f"competitions/{COMPETITION}", "mine/data"])
def test_the_mounted_folders_are_found_wherever_they_are(tmp_path: Path, above: str) -> None:
    mounts = tmp_path / "input"
    for name in (f"{above}/trainset", f"{above}/testset", "cells/ALL_IDB2", "other/trainset"):
        (mounts / name).mkdir(parents=True)
    commands: list[tuple[str, ...]] = []
    names: dict[str, Any] = {
        "INPUT": mounts,
        "KIT": tmp_path,
        "run": lambda *command: commands.append(command),
    }
    exec(source("install").partition("INPUT =")[0] + source("run"), names)
    settings = config.read_yaml(tmp_path / "notebook.yaml")
    assert settings == {
        "raw": str(mounts / above),
        "labelled_cells": str(mounts / "cells" / "ALL_IDB2"),
    }
    (command,) = commands
    assert command[-2:] == ("config/gpu.yaml", "notebook.yaml")


def test_the_kit_is_copied_from_its_data_set_and_installed_only_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = tmp_path / "input" / "my-kit" / "lymphokit"
    (attached / "src" / "lymphokit").mkdir(parents=True)
    (attached / "Snakefile").write_text("# the kit")
    monkeypatch.setenv("LYMPHOKIT_INPUT", str(tmp_path / "input"))
    monkeypatch.setenv("LYMPHOKIT_FOLDER", str(tmp_path / "kit"))
    installed: list[Any] = []
    monkeypatch.setattr("subprocess.Popen", lambda *given, **_: installed.append(given))
    exec(source("install"), {})
    assert (tmp_path / "kit" / "Snakefile").read_text() == "# the kit"
    (tmp_path / "kit" / "Snakefile").write_text("# changed")
    exec(source("install"), {})
    assert (tmp_path / "kit" / "Snakefile").read_text() == "# changed"
    assert installed == []  # lymphokit is there: the tests run it


def test_without_a_kit_the_notebook_says_what_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LYMPHOKIT_INPUT", str(tmp_path))
    monkeypatch.setenv("LYMPHOKIT_FOLDER", str(tmp_path / "kit"))
    with pytest.raises(RuntimeError, match="data set"):
        exec(source("install"), {})
