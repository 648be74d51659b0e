"""A process that has imported the libraries, and forks for every job of a run.

Most jobs of the demo work for less time than their imports take: torch, scikit-learn or LightGBM
need one to three seconds each. A fork has them at once: see benchmarks/job_server.py for the ratio.
A fork starts no thread and no CUDA before its job does, so results are those of a fresh process.
"""

import atexit
import contextlib
import gc
import importlib
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from lymphokit import job_client

# In the order in which the jobs of a run need them. What a job uses beyond these, it imports.
LIBRARIES = (
    *(
        "numpy",
        "pandas",
        "rich.table",
        "rich.progress",
        "natsort",
        "PIL.Image",
        "cv2",
        "scipy.stats",
    ),
    *("sklearn.linear_model", "sklearn.ensemble", "sklearn.decomposition", "sklearn.cluster"),
    *("sklearn.isotonic", "sklearn.svm", "torch", "lightgbm", "xgboost", "matplotlib.figure"),
    *("matplotlib.backends.backend_agg", "lymphokit.features.backbone"),
)
WORTH_JOBS = 10  # of a run: fewer take less than the imports of the server
_SECONDS_BETWEEN_LOOKS = 1.0  # at whether the run still exists


def is_worth(n_jobs: int) -> bool:
    """Check whether a run of this many jobs is faster with a server, or there is one already."""
    return n_jobs >= WORTH_JOBS or bool(os.environ.get(job_client.ADDRESS))


def start(program: Sequence[str] = ("-m", __name__)) -> str:
    """Start the server of this run; the text that Snakemake is to put before its commands.

    program: what Python runs as the server. The server ends with this process. The variable of
    `job_client.ADDRESS` names its socket; where it names one already, its jobs are forks of that.
    """
    if not os.environ.get(job_client.ADDRESS):
        os.environ[job_client.ADDRESS] = _launch(program)
    client = [sys.executable, "-I", "-S", job_client.__file__]
    return f"set -euo pipefail; exec {shlex.join(client)} "


def _launch(program: Sequence[str]) -> str:
    """Start a server that ends with this process; its socket."""
    folder = Path(tempfile.mkdtemp(prefix="lymphokit-"))  # only for this user
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "jobs"))
        listener.listen(64)
        given = [str(listener.fileno()), str(folder), str(os.getpid())]
        command = [sys.executable, *program, *given]
        # One thread until a job asks for more: a process with threads must not fork.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **threads}
        files = [listener.fileno()]
        server = subprocess.Popen(command, pass_fds=files, env=environment)
    atexit.register(_stop, server, folder)
    return str(folder / "jobs")


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    server.terminate()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


class Server:
    """Accepts jobs at a socket and reports their exit codes."""

    def __init__(self, listener: socket.socket, run: int, libraries: Sequence[str]) -> None:
        """run: the process that started the server; libraries: what forks have imported."""
        self._listener = listener
        self._libraries = libraries
        self._run = run
        self._jobs: dict[int, socket.socket] = {}  # process number -> connection to its client
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def serve(self) -> list[str] | None:
        """Serve until the run ends; in the fork of a job, return the command of the job."""
        # Ctrl-C is for the jobs, which get it, too.
        self._on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)
        libraries = _imports(self._libraries)
        timeout = 0.0
        while os.getppid() == self._run:
            waiting: list[socket.socket | int] = [self._listener, self._woken, *self._jobs.values()]
            ready, _, _ = select.select(waiting, [], [], timeout)
            if not ready:
                timeout = 0.0 if next(libraries, None) else _SECONDS_BETWEEN_LOOKS
            if self._listener in ready and (command := self._accept()):
                return command
            if self._woken in ready:
                os.read(self._woken, 4096)
            self._end_abandoned([each for each in ready if isinstance(each, socket.socket)])
            self._report()
        return None

    def _accept(self) -> list[str] | None:
        """Fork for a job: its command in the fork, None in the server."""
        connection, _ = self._listener.accept()
        try:
            size, files, _, _ = socket.recv_fds(connection, 8, 3)
            content = _received(connection, int.from_bytes(size))
        except OSError:
            files, content = [], b""
        if not content:  # the client was killed while it asked
            _close(files)
            connection.close()
            return None
        folder, n_words, *texts = map(os.fsdecode, content.split(b"\0"))
        command, variables = texts[: int(n_words)], texts[int(n_words) :]
        process = os.fork()
        if process:
            self._jobs[process] = connection
            _close(files)
            return None
        self._become_job(connection, files)
        os.environ.clear()
        for text in variables:
            name, _, value = text.partition("=")
            os.environ[name] = value
        os.chdir(folder)
        return command

    def _become_job(self, connection: socket.socket, files: list[int]) -> None:
        """In a fork: nothing of the server is left open, and the streams are the client's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, self._on_interrupt)
        for each in (self._listener, connection, *self._jobs.values()):
            each.close()
        for stream, file in enumerate(files):
            os.dup2(file, stream)
        _close([*files, self._woken, self._wake])

    def _end_abandoned(self, ready: list[socket.socket]) -> None:
        """End the jobs whose client has gone: a client sends nothing after its request."""
        for process, connection in self._jobs.items():
            if connection in ready:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)

    def _report(self) -> None:
        """Send the exit codes of the jobs that have ended; 128 and the signal of a killed one."""
        for process in list(self._jobs):
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                with self._jobs.pop(process) as connection, contextlib.suppress(OSError):
                    connection.sendall(bytes([code if code >= 0 else 128 - code]))


def _imports(libraries: Sequence[str]) -> Iterator[str]:
    """Import one library after the other, each when it is asked for."""
    for name in libraries:
        # A job that needs a library that is missing or broken says so itself.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
        yield name
    gc.collect()
    gc.freeze()  # the collector of a fork leaves the pages of the server alone


def _received(connection: socket.socket, size: int) -> bytes:
    """The next bytes of a connection, as many as announced; nothing where it ends before."""
    with connection.makefile("rb") as stream:
        content = stream.read(size)
    return content if len(content) == size else b""


def _close(files: Iterable[int]) -> None:
    for file in files:
        os.close(file)


def run_script(command: Sequence[str]) -> int:
    """Run `python SCRIPT ARGUMENTS` in this process; its exit code."""
    sys.argv = list(command[1:])
    sys.path[0] = str(Path(sys.argv[0]).parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except KeyboardInterrupt:  # its log has the traceback
        return 130
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python ends a script
        traceback.print_exc()
        return 1
    return 0


def main(libraries: Sequence[str] = LIBRARIES, prepare: Callable[[], None] = lambda: None) -> None:
    """Serve; in a fork, run the script of the job as if Python had started with it.

    prepare: what a fork does before its script.
    """
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        command = Server(listener, int(sys.argv[3]), libraries).serve()
    if command is None:
        shutil.rmtree(sys.argv[2], ignore_errors=True)
        return
    prepare()
    code = run_script(command)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads of the script
    # To take down an interpreter with all libraries would take a third of a second for every job.
    # What matters of it is done: files of the job are closed, and these are its last acts.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
