"""A run killed with SIGKILL goes on, and ends as if nothing had happened."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.workflow.conftest import FEW_MODELS, Checkout, copy_of, environment

# A worker of their own, beside that of all other tests of the workflow.
pytestmark = pytest.mark.xdist_group("killed")

PATIENCE_SECONDS = 900


def kill_when(checkout: Checkout, is_time: Callable[[], bool], target: str = "submission") -> None:
    """Start a run and kill Snakemake, and only it, at that moment."""
    process = subprocess.Popen(
        checkout.command(target),
        cwd=checkout.folder,
        env=environment(checkout.folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    jobs: list[psutil.Process] = []
    for _ in range(PATIENCE_SECONDS * 20):
        # Between two jobs there is nobody who could outlive the run: wait for the next.
        if is_time() and (jobs := psutil.Process(process.pid).children(recursive=True)):
            break
        assert process.poll() is None, "the run ended before the moment came"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(jobs, timeout=30)
    assert jobs
    assert not alive, "jobs of the killed run live on"


def test_of_three_starts_at_once_one_runs_and_two_are_told(fresh: Checkout) -> None:
    """The second start comes while the first still reads its files, the third at once after it."""
    fresh.configure(FEW_MODELS)
    target = "results/demo/folds.csv"
    started = {"cwd": fresh.folder, "env": environment(fresh.folder), "text": True}
    first, *others = (
        subprocess.Popen(fresh.command(target), **started, stderr=subprocess.PIPE)
        for _ in range(3)
        if time.sleep(0.6) is None
    )
    assert "dry-run" in fresh.run(target, "--dry-run")  # it needs no lock
    printed = [each.communicate()[1] for each in (first, *others)]
    codes = [each.returncode for each in (first, *others)]
    assert sorted(codes) == [0, 1, 1], printed
    runner = (first, *others)[codes.index(0)]
    told = [text for text, code in zip(printed, codes, strict=True) if code]
    assert all(f"process {runner.pid}" in text for text in told), told
    assert (fresh.folder / target).exists()
    assert "Nothing to be done" in fresh.run(target, "--dry-run")


def predictions(checkout: Checkout) -> dict[str, bytes]:
    """The bytes of all predictions, by path."""
    results = checkout.folder / "results" / "demo"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*.csv")
        if "raw" not in path.parts and "truth" not in path.parts
    }


@pytest.fixture
def resumed(fresh: Checkout) -> Checkout:
    """A run killed in an autoencoder's second epoch, then in a fold, then left to end."""
    fresh.configure(FEW_MODELS)
    results = fresh.folder / "results" / "demo"
    checkpoint = results / "features" / "autoencoder_segmented.checkpoint"
    kill_when(fresh, checkpoint.exists)
    assert checkpoint.exists(), "the first epoch should be kept"
    folds: list[Path] = [results / f"fold{fold}" / "mi_svm" for fold in (1, 2)]
    kill_when(fresh, lambda: any(fold.exists() for fold in folds))
    fresh.run("submission")
    return fresh


def test_a_killed_run_ends_with_the_predictions_of_an_undisturbed_one(
    resumed: Checkout, undisturbed: Checkout
) -> None:
    assert predictions(resumed) == predictions(undisturbed)
    (ours,), (theirs,) = resumed.submissions(), undisturbed.submissions()
    assert ours.read_bytes() == theirs.read_bytes()


def test_rounds_killed_in_round_12_go_on_from_round_12(
    undisturbed: Checkout, tmp_path: Path
) -> None:
    copied = copy_of(undisturbed, tmp_path / "copied")
    copied.configure(
        f"""{FEW_MODELS}
    pseudo_label:
        rounds:
            - {{count: 2, add: 1}}
            - {{count: 1, add: 2}}
            - {{count: 9, add: 1}}
    """
    )
    rounds = "results/demo/fold1/pseudo_label/round"
    target = f"{rounds}12/added.csv"
    # The first three rounds are those of the finished run: further rounds leave them.
    assert copied.jobs(target) == [*range(4, 13)]
    log = copied.folder / "logs/demo/fold1/pseudo_label/round12.log"
    kill_when(copied, log.exists, target)
    eleventh = (copied.folder / f"{rounds}11/scores.npz").stat().st_mtime_ns
    assert copied.jobs(target) == [12]
    copied.run(target)
    assert (copied.folder / f"{rounds}11/scores.npz").stat().st_mtime_ns == eleventh
    resumed = (copied.folder / target).read_bytes()
    copied.run(target, "-R", "pseudo_label")
    assert (copied.folder / target).read_bytes() == resumed
