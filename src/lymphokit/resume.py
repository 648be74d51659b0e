"""Resume after a killed run: release its lock, and end its orphaned jobs.

Snakemake locks its working directory and cannot unlock it after SIGKILL or a power cut. A note in
the directory names the process and the host of the run; a lock whose process is gone is stale. Jobs
of a killed run would go on writing, so each job polls the run that started it.
"""

import json
import os
import socket
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from lymphokit.files import write_json
from lymphokit.progress import say

_RUN = Path(".snakemake") / "lymphokit_run.json"
_LOCKS = Path(".snakemake") / "locks"
_POLL_SECONDS = 1.0


def take_over(folder: Path) -> None:
    """Release the lock of a killed run in `folder`, and note this process as its run.

    The lock of a run that is alive, or on another host, stays; Snakemake then reports it. So does
    a lock whose run is unknown, because its note is missing or damaged.
    """
    note = folder / _RUN
    locked = any((folder / _LOCKS).glob("*.lock"))
    if locked:
        run = _noted(note)
        if run is None:
            say(
                f"this folder is locked, and the run is unknown: {_RUN} is missing or damaged. If "
                "no other run is active here, type `snakemake --unlock`, then start again"
            )
        if run is None or not _is_gone(run):
            return
        for lock in (folder / _LOCKS).glob("*.lock"):
            lock.unlink(missing_ok=True)
        say("the last run here was killed: its lock is released, and this run continues it")
    note.parent.mkdir(exist_ok=True)
    process = psutil.Process()
    run = _Run(socket.gethostname(), process.pid, process.create_time())
    write_json(note, asdict(run))  # whole or not at all, whenever the power fails


@dataclass(frozen=True)
class _Run:
    """The process of a run: its host, its number, and when it started, in seconds since 1970."""

    host: str
    pid: int
    started: float


def _noted(note: Path) -> _Run | None:
    """The run of a note; None where the note is missing or damaged."""
    try:
        run = json.loads(note.read_text(encoding="utf-8"))
        return _Run(str(run["host"]), int(run["pid"]), float(run["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_gone(run: _Run) -> bool:
    """Check whether this run was on this host and has ended."""
    if run.host != socket.gethostname():
        return False
    try:
        # Another start time: the number now belongs to another process.
        return bool(psutil.Process(run.pid).create_time() != run.started)
    except (psutil.NoSuchProcess, ValueError, OverflowError):  # or no number of a process
        return True


def end_with_run() -> None:
    """End this process soon after the Snakemake process that started it has ended.

    Does nothing in a process that Snakemake did not start.
    """
    run = next((parent for parent in psutil.Process().parents() if _is_snakemake(parent)), None)
    if run is not None:
        threading.Thread(target=_exit_after, args=(run,), daemon=True).start()


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
