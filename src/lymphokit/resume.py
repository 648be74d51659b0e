"""Resume after a killed run: release its lock, and end its orphaned jobs.

Snakemake locks its working directory and cannot unlock it after SIGKILL or a power cut. A note in
the directory names the process and the host of the run; a lock whose process is gone is stale. Jobs
of a killed run would go on writing, so each job polls the run that started it.
"""

import json
import os
import socket
import threading
from pathlib import Path

import psutil

from lymphokit.progress import say

_RUN = Path(".snakemake") / "lymphokit_run.json"
_LOCKS = Path(".snakemake") / "locks"
_POLL_SECONDS = 1.0


def take_over(folder: Path) -> None:
    """Release the lock of a killed run in `folder`, and note this process as its run.

    The lock of a run that is alive, or on another host, stays; Snakemake then reports it.
    """
    note = folder / _RUN
    locked = any((folder / _LOCKS).glob("*.lock"))
    if locked and not _is_gone(note):
        return
    if locked:
        for lock in (folder / _LOCKS).glob("*.lock"):
            lock.unlink(missing_ok=True)
        say("the last run here was killed: its lock is released, and this run continues it")
    note.parent.mkdir(exist_ok=True)
    process = psutil.Process()
    run = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
    note.write_text(json.dumps(run))


def _is_gone(note: Path) -> bool:
    """Check whether the run of this note was on this host and has ended."""
    if not note.exists():
        return False
    run = json.loads(note.read_text())
    if run["host"] != socket.gethostname():
        return False
    try:
        # Another start time: the number now belongs to another process.
        return bool(psutil.Process(run["pid"]).create_time() != run["started"])
    except psutil.NoSuchProcess:
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
