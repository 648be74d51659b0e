"""What lets a killed run go on: its lock is released, and its orphaned jobs end by themselves.

Snakemake locks the folder it works in and cannot unlock it when it is killed with SIGKILL or the
machine loses power. We note which process on which host runs; a lock whose process is gone is
stale. Jobs of a killed run would go on writing, so each watches the run that started it.
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
_EVERY_SECONDS = 1.0


def take_over(folder: Path) -> None:
    """Release the lock of a killed run in `folder`, and note that this process runs there now.

    A lock of a run that is alive, or on another host, is left alone: Snakemake then says so.
    """
    note = folder / _RUN
    locked = any((folder / _LOCKS).glob("*.lock"))
    if locked and not _is_gone(note):
        return
    if locked:
        for lock in (folder / _LOCKS).glob("*.lock"):
            lock.unlink(missing_ok=True)
        say("the last run here was killed: its lock is released, and this run goes on from there")
    note.parent.mkdir(exist_ok=True)
    own = psutil.Process()
    run = {"host": socket.gethostname(), "pid": own.pid, "started": own.create_time()}
    note.write_text(json.dumps(run))


def _is_gone(note: Path) -> bool:
    """Whether the run of this note was on this host and has ended."""
    if not note.exists():
        return False
    run = json.loads(note.read_text())
    if run["host"] != socket.gethostname():
        return False
    try:
        return bool(psutil.Process(run["pid"]).create_time() != run["started"])
    except psutil.NoSuchProcess:
        return True


def end_with_run() -> None:
    """End this process soon after the Snakemake process that started it has gone.

    Does nothing in a process that Snakemake did not start.
    """
    run = next((parent for parent in psutil.Process().parents() if _is_snakemake(parent)), None)
    if run is not None:
        threading.Thread(target=_watch, args=(run,), daemon=True).start()


def _is_snakemake(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended, or is not ours: not our run
        return False
    return any(Path(part).name == "snakemake" for part in command[:3])


def _watch(run: psutil.Process) -> None:
    while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
        threading.Event().wait(_EVERY_SECONDS)
    os._exit(1)  # nobody is left to tell; a half-written output is not declared finished
