"""One run at a time in a folder, and resume after a killed one.

A run holds a lock of the operating system until it ends, however it ends. Whoever holds it may
release the lock that Snakemake left after SIGKILL or a power cut, if a note shows that the killed
run and its jobs were on this host. Jobs of a killed run end themselves, and the next run waits for
that.
"""

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from lymphokit.errors import LymphokitError
from lymphokit.files import write_json
from lymphokit.progress import say

_FOLDER = Path(".snakemake")
_RUN = _FOLDER / "lymphokit_run.json"
_RUN_LOCK = _FOLDER / "lymphokit.lock"  # exclusive: the run
_JOBS_LOCK = _FOLDER / "lymphokit_jobs.lock"  # shared by the jobs that are writing
_LOCKS = _FOLDER / "locks"  # of Snakemake
_VARIABLE = "LYMPHOKIT_RUN"  # names the run to its jobs
_LOCAL = "local"  # Snakemake's executor of jobs on this host
_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 60.0
# Options of Snakemake that change no result, and --nolock, which asks for no lock.
_WITHOUT_LOCK = (
    *("dryrun", "lint", "list_target_rules", "list_rules", "print_compilation", "containerize"),
    *("dag", "rulegraph", "filegraph", "d3dag", "summary", "detailed_summary", "archive"),
    *("list_changes", "list_input_changes", "list_params_changes", "list_untracked"),
    *("list_conda_envs", "conda_create_envs_only", "conda_cleanup_envs"),
    *("container_cleanup_images", "generate_unit_tests", "unlock", "nolock"),
)


@dataclass(frozen=True)
class _Run:
    """The process of a run: its host, its number, when it started (seconds since 1970).

    executor: Snakemake's way to run its jobs, such as local or slurm.
    """

    host: str
    pid: int
    started: float
    executor: str

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_gone(self) -> bool:
        """Check whether this run of this host has ended."""
        try:
            # Another start time: the number now belongs to another process.
            return bool(psutil.Process(self.pid).create_time() != self.started)
        except (psutil.NoSuchProcess, ValueError, OverflowError):  # or no number of a process
            return True


def needs_lock(options: Mapping[str, Any]) -> bool:
    """Check whether a command with these options of Snakemake, by name, changes results."""
    only_report = options.get("reporter") or options.get("report")
    if only_report and not options.get("report_after_run"):
        return False
    return not any(options.get(name) not in (None, False) for name in _WITHOUT_LOCK)


def take_over(folder: Path, executor: str = _LOCAL) -> None:
    """Lock `folder` for this process until it ends, and note it as the run of the folder.

    A lock that Snakemake left is released where its run was killed on this host, with its jobs.
    Raises LymphokitError where another run holds the folder, and, with the command to type, where
    the run that left a lock, or a job of it, may be active elsewhere. Nothing is changed then.
    """
    note = folder / _RUN
    try:
        note.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise LymphokitError(f"{note.parent} cannot be made: {error.strerror}") from error
    is_ours = _hold(folder)
    if any((folder / _LOCKS).glob("*.lock")):
        _release(folder, _noted(note), is_ours)
    process = psutil.Process()
    run = _Run(socket.gethostname(), process.pid, process.create_time(), executor)
    write_json(note, asdict(run))  # whole or not at all, whenever the power fails
    os.environ[_VARIABLE] = json.dumps(asdict(run))


def _hold(folder: Path) -> bool:
    """Lock the folder; False where the file system has no locks."""
    try:
        if _lock(folder / _RUN_LOCK, fcntl.LOCK_EX) is None:
            raise LymphokitError(_holder(_noted(folder / _RUN)))
    except OSError as error:
        say(
            f"{folder / _RUN_LOCK} cannot be locked ({error.strerror}): nothing stops a second "
            "run here, which would damage the results of both. Start one at a time"
        )
        return False
    _wait_for_jobs(folder / _JOBS_LOCK)
    return True


def _lock(file: Path, kind: int) -> int | None:
    """Lock a file until this process ends: its descriptor; None where another holds it.

    Raises OSError where the file cannot be opened or its file system has no locks.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _holder(run: _Run | None) -> str:
    """Say who holds the folder. The note is that of an earlier run for a moment at the start."""
    who = ""
    if run is not None and not (run.is_here and run.is_gone):
        who = f", process {run.pid} on {run.host}"
    return f"another run is active in this folder{who}: wait until it has ended"


def _wait_for_jobs(file: Path) -> None:
    """Wait until the jobs of a killed run have ended: they would write beside those of this one."""
    end = time.monotonic() + _PATIENCE_SECONDS
    announced = False
    while (descriptor := _lock(file, fcntl.LOCK_EX)) is None:
        if time.monotonic() > end:
            raise LymphokitError(
                "jobs of a run that was killed are still active in this folder: end them (`ps`, or "
                "`squeue` and `scancel` on a cluster), then start again"
            )
        if not announced:
            say("waiting for the jobs of the killed run to end")
            announced = True
        time.sleep(_POLL_SECONDS / 4)
    os.close(descriptor)


def _release(folder: Path, run: _Run | None, is_ours: bool) -> None:
    """Release Snakemake's lock of a run that was killed here.

    Raises LymphokitError where it may be active. To go on would replace the note, and the next
    start would take the lock for one of ours.
    """
    reason = _doubt(run) if is_ours else "it may be active"
    if reason:
        raise LymphokitError(
            f"this folder is locked by an earlier run, and {reason}. If neither it nor a job of "
            "it is active any more, type `snakemake --unlock`, then start again"
        )
    for lock in (folder / _LOCKS).glob("*.lock"):
        lock.unlink(missing_ok=True)
    say("the last run here was killed: its lock is released, and this run continues it")


def _doubt(run: _Run | None) -> str:
    """Why an earlier run or its jobs may be active; empty where they cannot."""
    if run is None:
        return f"which one is unknown: {_RUN} is missing or damaged"
    if not run.is_here:
        return f"it was on another host, {run.host}"
    if run.executor != _LOCAL:
        return f"its jobs were on a cluster ({run.executor})"
    return "" if run.is_gone else f"its process {run.pid} is active"


def _noted(note: Path) -> _Run | None:
    """The run of a note; None where the note is missing or damaged."""
    try:
        return _run_of(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _run_of(text: str) -> _Run | None:
    """The run that a text in JSON describes; None where it describes none."""
    try:
        run = json.loads(text)
        return _Run(str(run["host"]), int(run["pid"]), float(run["started"]), str(run["executor"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def end_with_run() -> None:
    """End this process soon after the Snakemake process that started it has ended.

    At once where that has happened already, while this process was importing. Until then the next
    run waits. Does nothing in a process that Snakemake did not start.
    """
    run = _run_of(os.environ.get(_VARIABLE, ""))
    if run is not None and run.is_here and run.executor == _LOCAL:
        if run.is_gone:
            os._exit(1)
        process: psutil.Process | None = psutil.Process(run.pid)
    else:  # on a cluster a job has another Snakemake process above it
        process = next((each for each in psutil.Process().parents() if _is_snakemake(each)), None)
    if process is not None:
        threading.Thread(target=_exit_after, args=(process,), daemon=True).start()
        with contextlib.suppress(OSError):  # no such folder, or a file system without locks
            _lock(_JOBS_LOCK, fcntl.LOCK_SH)


def _is_snakemake(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended, or belongs to another user
        return False
    return any(Path(part).name == "snakemake" for part in command[:3])


def _exit_after(run: psutil.Process) -> None:
    while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
        threading.Event().wait(_POLL_SECONDS)
    os._exit(1)  # skips clean-up: nothing may declare half-written output complete
