"""One run at a time; the lock of a dead run is released, that of a living one is not."""

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from snakemake.cli import parse_args

from lymphokit.errors import LymphokitError
from lymphokit.resume import needs_lock, take_over


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Snakemake has locked."""
    monkeypatch.setenv("LYMPHOKIT_RUN", "")  # put back after the test
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/demo/oof.csv\n")
    return tmp_path


def note(folder: Path, **run: object) -> None:
    described = {"executor": "local", **run}
    (folder / ".snakemake" / "lymphokit_run.json").write_text(json.dumps(described))


def is_locked(folder: Path) -> bool:
    return any((folder / ".snakemake" / "locks").glob("*.lock"))


def assert_left_alone(folder: Path) -> None:
    """Nothing is changed, and a second start does not take the first one for the dead run."""
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    for _ in range(2):
        started = start(folder)
        assert started.returncode == 1, started.stderr
        assert "snakemake --unlock" in started.stderr
        assert is_locked(folder)
        assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before


def start(folder: Path) -> subprocess.CompletedProcess[str]:
    """Another process that starts a run in the folder and ends at once."""
    return subprocess.run(
        [sys.executable, "-c", TAKE_OVER], cwd=folder, capture_output=True, text=True, check=False
    )


TAKE_OVER = """
from pathlib import Path
from lymphokit.errors import LymphokitError
from lymphokit.resume import take_over
try:
    take_over(Path())
except LymphokitError as error:
    raise SystemExit(str(error))
"""


def test_the_lock_of_a_process_that_is_gone_is_released(folder: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    note(folder, host=socket.gethostname(), pid=gone.pid, started=0.0)
    take_over(folder)
    assert not is_locked(folder)


def test_the_lock_of_a_process_that_reuses_the_number_is_released(folder: Path) -> None:
    note(folder, host=socket.gethostname(), pid=os.getpid(), started=0.0)
    take_over(folder)
    assert not is_locked(folder)


def test_the_lock_of_a_running_run_stays(folder: Path) -> None:
    process = psutil.Process()
    note(folder, host=socket.gethostname(), pid=process.pid, started=process.create_time())
    assert_left_alone(folder)


def test_the_lock_of_another_host_stays(folder: Path) -> None:
    note(folder, host="elsewhere", pid=1, started=0.0)
    assert_left_alone(folder)


def test_the_lock_of_a_run_whose_jobs_may_live_on_a_cluster_stays(folder: Path) -> None:
    note(folder, host=socket.gethostname(), pid=os.getpid(), started=0.0, executor="slurm")
    assert_left_alone(folder)


def test_a_lock_without_a_note_stays(folder: Path) -> None:
    assert_left_alone(folder)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"[]", b"null", b"3", b"{}", b'{"host": "x", "pid": 1}'),
        *(b'{"host": "x", "pid": "many", "started": 0}', b'{"host": 1, "pid": [], "started": {}}'),
        *(b'{"host": "x", "pid": null, "started": 0.0}', b"[" * 100_000),
        b'{"host": "x", "pid": 1, "started": 0.0}',  # it does not say where its jobs were
        b'{"host": "x", "pid": 1e999, "started": 0.0, "executor": "local"}',
    ],
)
def test_a_damaged_note_leaves_the_lock_and_says_what_to_type(folder: Path, content: bytes) -> None:
    (folder / ".snakemake" / "lymphokit_run.json").write_bytes(content)
    with pytest.raises(LymphokitError, match="snakemake --unlock"):
        take_over(folder)
    assert is_locked(folder)
    assert (folder / ".snakemake" / "lymphokit_run.json").read_bytes() == content


def test_after_unlocking_a_damaged_note_is_replaced(folder: Path) -> None:
    damaged = folder / ".snakemake" / "lymphokit_run.json"
    damaged.write_bytes(b"")
    (folder / ".snakemake" / "locks" / "0.output.lock").unlink()
    take_over(folder)
    assert json.loads(damaged.read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("pid", [-1, 0, 2**70])
def test_a_number_that_no_process_can_have_is_gone(folder: Path, pid: int) -> None:
    note(folder, host=socket.gethostname(), pid=pid, started=0.0)
    take_over(folder)
    assert not is_locked(folder)


def test_a_second_start_touches_neither_the_note_nor_the_locks_of_the_first(folder: Path) -> None:
    note(folder, host=socket.gethostname(), pid=os.getpid(), started=0.0)
    take_over(folder)
    (folder / ".snakemake" / "locks" / "0.output.lock").touch()  # as Snakemake does seconds later
    before = (folder / ".snakemake" / "lymphokit_run.json").read_bytes()
    for _ in range(2):
        second = start(folder)
        assert second.returncode == 1
        assert str(os.getpid()) in second.stderr
        assert is_locked(folder)
        assert (folder / ".snakemake" / "lymphokit_run.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 4096])
def test_a_second_start_is_refused_whatever_the_note_says(folder: Path, content: bytes) -> None:
    (folder / ".snakemake" / "locks" / "0.output.lock").unlink()
    take_over(folder)
    (folder / ".snakemake" / "lymphokit_run.json").write_bytes(content)
    assert start(folder).returncode == 1
    assert (folder / ".snakemake" / "lymphokit_run.json").read_bytes() == content


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".snakemake").touch()
    with pytest.raises(LymphokitError, match=r"\.snakemake cannot be made"):
        take_over(tmp_path)


def test_without_locks_in_the_file_system_no_lock_is_released(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    note(folder, host=socket.gethostname(), pid=os.getpid(), started=0.0)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LymphokitError, match="snakemake --unlock"):
        take_over(folder)
    assert is_locked(folder)


def test_a_start_waits_for_the_jobs_of_a_killed_run(folder: Path) -> None:
    (folder / ".snakemake" / "locks" / "0.output.lock").unlink()
    orphan = subprocess.Popen(
        [sys.executable, "-c", ORPHAN], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == "writing\n"
    take_over(folder)
    assert (folder / "written").exists()
    orphan.wait()


ORPHAN = """
import fcntl, os, time
from pathlib import Path
jobs = os.open(".snakemake/lymphokit_jobs.lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(jobs, fcntl.LOCK_SH)
print("writing", flush=True)
time.sleep(2)
Path("written").touch()
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", True),
        *(("--touch", True), ("--delete-all-output", True), ("--cleanup-metadata x", True)),
        *(("-n", False), ("--dry-run", False), ("--lint", False), ("--dag", False)),
        *(("--summary", False), ("--unlock", False), ("--report", False), ("--nolock", False)),
        *(("--list-rules", False), ("--rulegraph", False), ("--delete-all-output -n", False)),
        ("--report x.html --report-after-run", True),
    ],
)
def test_only_commands_that_change_results_need_the_lock(options: str, expected: bool) -> None:
    arguments = ["submission", "--cores", "1", *options.split()]
    assert needs_lock(vars(parse_args(arguments)[1])) == expected


@pytest.mark.parametrize("executor", ["local", "slurm"])
def test_a_job_whose_run_has_ended_before_it_began_writes_nothing(
    folder: Path, executor: str
) -> None:
    """It was importing when the run was killed. A job on a cluster does not end with its run."""
    run = {"host": socket.gethostname(), "pid": os.getpid(), "started": 0.0, "executor": executor}
    code = "from lymphokit.resume import end_with_run; end_with_run(); print('writing')"
    environment = os.environ | {"LYMPHOKIT_RUN": json.dumps(run)}
    job = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert job.stdout == ("" if executor == "local" else "writing\n")


def test_a_job_ends_when_its_run_is_killed(tmp_path: Path) -> None:
    """A process named snakemake starts a job and is killed; the job must not live on."""
    job = "from lymphokit.resume import end_with_run; import time; end_with_run(); time.sleep(60)"
    run = tmp_path / "snakemake"
    run.write_text(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {job!r}])\n"
        "print(child.pid, flush=True)\nchild.wait()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    parent = subprocess.Popen(
        [sys.executable, str(run)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(2.0)  # the child imports and looks for its run
    assert child.is_running()
    parent.kill()
    parent.wait()
    gone, _ = psutil.wait_procs([child], timeout=20)
    assert gone == [child]
