"""A run on a SLURM cluster gives the bytes of a local one, and asks for no GPU."""

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow import slurm
from tests.workflow.conftest import FEW_MODELS, MORE, TINY, Checkout, copy_to, environment
from tests.workflow.test_killed import predictions

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("killed")]

ABSENT = slurm.missing_programs()
if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
    ABSENT.append("snakemake-executor-plugin-slurm")


@pytest.fixture(scope="module")
def on_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, str]]:
    """A checkout whose main job ran on the cluster, and what was printed."""
    checkout = copy_to(tmp_path_factory.mktemp("slurm"))
    checkout.configure(FEW_MODELS)
    with tempfile.TemporaryDirectory() as folder, slurm.cluster(Path(folder)) as variables:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "submission"),
                *("--workflow-profile", "profiles/slurm"),
                *("--configfile", str(TINY), MORE),
                *("--slurm-init-seconds-before-status-checks", "2"),
                *("--slurm-status-command", "squeue", "--latency-wait", "5"),
            ],
            cwd=checkout.folder,
            env=environment(checkout.folder) | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed[-6000:]
        yield checkout, printed


@pytest.mark.skipif(bool(ABSENT), reason=f"no cluster here: {', '.join(ABSENT)} not installed")
def test_a_cluster_gives_the_bytes_of_a_local_run(
    on_cluster: tuple[Checkout, str], undisturbed: Checkout
) -> None:
    checkout, printed = on_cluster
    assert predictions(checkout) == predictions(undisturbed)
    (ours,), (theirs,) = checkout.submissions(), undisturbed.submissions()
    assert ours.read_bytes() == theirs.read_bytes()
    submitted = re.findall(r"SLURM jobid", printed)
    assert len(submitted) > 50
