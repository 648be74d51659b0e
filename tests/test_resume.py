"""The lock of a dead run is released, that of a running one is not; orphaned jobs end."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lymphokit.resume import take_over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that Snakemake has locked."""
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/demo/oof.csv\n")
    return tmp_path


def note(folder: Path, **run: object) -> None:
    (folder / ".snakemake" / "lymphokit_run.json").write_text(json.dumps(run))


def is_locked(folder: Path) -> bool:
    return any((folder / ".snakemake" / "locks").glob("*.lock"))


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
    take_over(folder)
    assert is_locked(folder)


def test_the_lock_of_another_host_stays(folder: Path) -> None:
    note(folder, host="elsewhere", pid=1, started=0.0)
    take_over(folder)
    assert is_locked(folder)


def test_a_lock_without_a_note_stays(folder: Path) -> None:
    take_over(folder)
    assert is_locked(folder)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"[]", b"null", b"3", b"{}", b'{"host": "x", "pid": 1}'),
        *(b'{"host": "x", "pid": "many", "started": 0}', b'{"host": 1, "pid": [], "started": {}}'),
        b'{"host": "x", "pid": null, "started": 0.0}',
    ],
)
def test_a_damaged_note_leaves_the_lock_and_says_what_to_type(
    folder: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".snakemake" / "lymphokit_run.json").write_bytes(content)
    take_over(folder)
    assert is_locked(folder)
    printed = capsys.readouterr()
    assert "snakemake --unlock" in printed.out + printed.err


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
