"""Every command in README.md and docs/workflow.md runs, on the tiny cohort where it is long."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from lymphokit import config
from tests.workflow.conftest import ROOT, SNAKEMAKE, TINY, Checkout, copy_of

# One worker for all of them, so that the finished checkout is made once.
pytestmark = pytest.mark.xdist_group("workflow")

# What stands for a path of the reader's, and for the folder that `make test` runs the tests of.
DOWNLOAD = "path/to/dlmi-lymphocytosis-classification"
FEW_TESTS = "tests/bags/test_segments.py"
OF_A_DOWNLOAD = {"clinical", "pooled", "bag_kernel_morphology"}


def commands() -> list[str]:
    """The commands in the shell blocks of both pages, without comments and the environment's."""
    text = "\n".join((ROOT / page).read_text() for page in ("README.md", "docs/workflow.md"))
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("source ")]


@pytest.fixture(scope="module")
def reader(studied: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished checkout with the environment of `make env`, tiny without further options.

    Its studies are finished, too: that they run through, the tests of each show.
    A download runs few models: it stands for data whose configuration is config.yaml alone.
    """
    folder = tmp_path_factory.mktemp("reader") / "lymphokit"
    checkout = copy_of(studied, folder)
    demo = folder / "config" / "demo.yaml"
    files = (folder / "config.yaml", demo, TINY)
    tiny = config.merge(*map(config.read_yaml, files))
    demo.write_text(yaml.safe_dump(tiny))
    resting = {name: {"enabled": False} for name in tiny["models"] if name not in OF_A_DOWNLOAD}
    few = config.merge(tiny, {"models": resting, "ensemble": {"choices": {}}})
    (folder / "config.yaml").write_text(yaml.safe_dump(few, sort_keys=False))
    for file in ("Makefile", "pyproject.toml", "constraints.txt", FEW_TESTS, "tests/conftest.py"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    for package in ("tests", "tests/bags"):
        (folder / package / "__init__.py").touch()
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".complete":
            (folder / ".venv" / part.name).symlink_to(part)
    (folder / ".venv" / ".complete").touch()  # newer than the pins, so that nothing is installed
    shutil.copytree(folder / "results/demo/raw", folder / DOWNLOAD)
    return checkout


def run(reader: Checkout, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as README has it, in a shell whose PATH starts with the environment's.

    Snakemake runs in a fork of the warm server, and afresh where make starts it.
    """
    path = os.pathsep.join([str(SNAKEMAKE.parent), os.environ["PATH"]])
    words = shlex.split(command.replace("submissions/*.csv", " ".join(csv_files(reader))))
    if words[0] == "snakemake":
        return reader.execute([sys.executable, str(SNAKEMAKE), *words[1:]], PATH=path)
    return replace(reader, server="").execute(words, PATH=path)


def csv_files(reader: Checkout) -> list[str]:
    """What a shell makes of submissions/*.csv."""
    return [f"submissions/{file.name}" for file in sorted(reader.folder.glob("submissions/*.csv"))]


@pytest.mark.parametrize("command", dict.fromkeys(commands()))
def test_a_command_of_the_readme_runs(reader: Checkout, command: str) -> None:
    done = run(reader, command)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_the_readme_has_the_commands_it_is_about() -> None:
    assert {"make submission", "make test", "snakemake -R pseudo_label"} <= set(commands())
