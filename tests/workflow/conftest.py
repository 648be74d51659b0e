"""A copy of the workflow with a tiny cohort, and a way to run it as a person would."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lymphokit import job_client, job_server
from tests.workflow import warm

ROOT = Path(__file__).parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
PARTS = ["Snakefile", "config.yaml", "environment.yml", "config", "profiles", "workflow", "src"]
TINY = Path(__file__).parent / "tiny.yaml"
MORE = "more.yaml"
STUDIES = ["ablation", "permutation", "spread", "cell_draws", "preprocessing"]
STUDIES += ["instance_comparison", "starting_networks"]
FEW_MODELS = """
    models:
      clinical_xgb: {enabled: false}
      d_mil_tuned: {enabled: false}
      mi_svm_xgb: {enabled: false}
      end_to_end: {enabled: false}
      one_class: {enabled: false}
      pooled_blood: {enabled: false}
      instance_cnn: {enabled: false}
      instance_cnn_xgb: {enabled: false}
      round_zero_xgb: {enabled: false}
      pseudo_label_lgbm_shares: {enabled: false}
    """


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository in which a test may run and edit things."""

    folder: Path
    cores: int = 2
    server: str = ""  # the socket of the warm server; none: all processes start afresh

    def command(self, *arguments: str) -> list[str]:
        """The command line of a run with the tiny settings, and those of `more.yaml` if there."""
        snakemake = [sys.executable, str(SNAKEMAKE), *arguments, "--cores", str(self.cores)]
        more = self.folder / MORE
        return [*snakemake, "--configfile", str(TINY), *([str(more)] if more.exists() else [])]

    def configure(self, text: str) -> None:
        """Settings on top of the tiny ones, as YAML, for every run from now on."""
        (self.folder / MORE).write_text(textwrap.dedent(text))

    def run(self, *arguments: str) -> str:
        """Run the workflow to its end; what it printed."""
        done = self.finish(*arguments)
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed[-4000:]
        return printed

    def refusal(self, *arguments: str) -> str:
        """What a run that must fail printed."""
        done = self.finish(*arguments)
        assert done.returncode != 0
        return done.stdout + done.stderr

    def finish(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow to its end, however it ends."""
        return self.execute(self.command(*arguments))

    def execute(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a script of Python in a fork of the warm server, or afresh if there is none."""
        client = [sys.executable, "-I", "-S", job_client.__file__] if self.server else []
        return subprocess.run(
            [*client, *command],
            cwd=self.folder,
            env=environment(self.folder) | variables | {job_client.ADDRESS: self.server},
            capture_output=True,
            text=True,
            check=False,
        )

    def log(self, name: str) -> str:
        """The log of a job of the simulated cohort, such as `leaks`."""
        return (self.folder / f"logs/demo/{name}.log").read_text()

    def planned(self, *arguments: str) -> set[str]:
        """Rules that the main job and `approaches` would run; for `fit`, the models to fit."""
        printed = self.run("submission", "approaches", "--dry-run", *arguments)
        return names_planned(printed) - {"submission"}

    def main_job(self) -> set[str]:
        """Rules that the main job would run; after a study, the report alone."""
        return names_planned(self.run("submission", "--dry-run")) - {"submission"}

    def jobs(self, target: str) -> list[int]:
        """The rounds of pseudo-labelling that a run of this target would run."""
        printed = self.run(target, "--dry-run")
        return sorted(map(int, re.findall(r"Round (\d+) of fold", printed)))

    def submissions(self) -> list[Path]:
        """The CSVs written so far, oldest first."""
        return sorted((self.folder / "submissions").glob("*_demo_*.csv"))

    def edit(self, path: str, before: str, after: str) -> None:
        """Replace a text that stands in a file exactly once."""
        file = self.folder / path
        text = file.read_text()
        assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {path}"
        file.write_text(text.replace(before, after))


def names_planned(printed: str) -> set[str]:
    """The rules in the table of jobs that a run printed, models in place of `fit`."""
    table = printed.rpartition("Job stats:")[2].partition("total ")[0]
    rules = set(re.findall(r"^(\w+) +\d+$", table, re.M)) - {"fit"}
    return rules | set(re.findall(r"Fit (\w+) in fold", printed))


def environment(folder: Path) -> dict[str, str]:
    """The environment in which the package of this checkout is the one installed."""
    return {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "",
    }


def copy_to(folder: Path) -> Checkout:
    """A fresh checkout without results."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            shutil.copy(source, folder / part)
    return Checkout(folder)


def copy_of(checkout: Checkout, folder: Path) -> Checkout:
    """A copy of a checkout with its results."""
    shutil.copytree(checkout.folder, folder, symlinks=True)
    return replace(checkout, folder=folder)


@pytest.fixture(scope="session")
def server() -> str:
    """The socket of a warm server, see `warm`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the Snakefile sets it
    job_server.start([warm.__file__])
    return os.environ.pop(job_client.ADDRESS)  # for the checkouts that ask for it


@pytest.fixture
def fresh(tmp_path: Path, server: str) -> Checkout:
    """A checkout in which nothing has run."""
    return replace(copy_to(tmp_path), server=server)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, server: str) -> Checkout:
    """A checkout in which all models have run once; tests leave it as they found it.

    These runs start as a user's, without the warm server.
    """
    checkout = copy_to(tmp_path_factory.mktemp("finished"))
    checkout.run("approaches")
    checkout.run("submission")  # afterwards, so that its report has the approaches
    return replace(checkout, server=server)


@pytest.fixture(scope="session")
def studied(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the finished checkout in which the studies have run; tests leave it as it is."""
    checkout = copy_of(finished, tmp_path_factory.mktemp("studied") / "copied")
    checkout.run(*STUDIES)
    return checkout


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, server: str) -> Checkout:
    """A checkout in which the main job has run once, with few models."""
    checkout = replace(copy_to(tmp_path_factory.mktemp("undisturbed")), server=server)
    checkout.configure(FEW_MODELS)
    checkout.run("submission")
    return checkout


@pytest.fixture
def edited(finished: Checkout) -> Iterator[Checkout]:
    """The finished checkout, whose sources are put back after the test."""
    yield finished
    for part in ("src", "workflow"):
        shutil.rmtree(finished.folder / part)
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / part, finished.folder / part, ignore=ignored)


@pytest.fixture
def copied(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished checkout, in which a test may run other things."""
    return copy_of(finished, tmp_path / "copied")
