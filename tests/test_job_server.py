"""A fork of the job server does what a fresh Python would do, and nothing is left of a run."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lymphokit import job_client

START = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # workers of a test run ignore it
from lymphokit import job_client, job_server
print(job_server.start(), os.environ[job_client.ADDRESS], sep="\\n", flush=True)
time.sleep(600)
"""
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A process with a job server: the process, the prefix of commands, the socket."""
    with subprocess.Popen(
        [sys.executable, "-c", START], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        prefix, address = (process.stdout.readline().rstrip("\n") for _ in range(2))
        yield process, prefix, address
        process.kill()


@pytest.fixture
def run(server: tuple[subprocess.Popen[str], str, str], tmp_path: Path) -> Run:
    """Start a script as Snakemake does, in `tmp_path`."""

    def start(code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        script = tmp_path / f"script{len(list(tmp_path.iterdir()))}.py"
        script.write_text(code)
        return subprocess.Popen(
            f"{server[1]}{shlex.join([sys.executable, str(script), *arguments])}",
            shell=True,
            executable="/bin/bash",
            cwd=tmp_path,
            env={**os.environ, job_client.ADDRESS: server[2], **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def test_a_script_has_its_folder_arguments_variables_and_streams(run: Run, tmp_path: Path) -> None:
    code = """
import os, sys
assert __name__ == "__main__"
print(os.getcwd(), sys.argv[1:], os.environ["GIVEN"], os.environ.get("TAKEN"), sys.path[0], sep="|")
print("a warning", file=sys.stderr)
"""
    printed, warned = run(code, "a b", GIVEN="x y").communicate()
    assert printed.rstrip().split("|") == [str(tmp_path), "['a b']", "x y", "None", str(tmp_path)]
    assert warned == "a warning\n"


def test_scripts_are_forks_of_a_process_that_has_the_libraries(run: Run) -> None:
    code = "import os, sys; print(os.getppid(), 'numpy' in sys.modules)"
    parents = {run(code).communicate()[0] for _ in range(2)}
    assert len(parents) == 1
    assert parents.pop().endswith("True\n")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit", 0),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_exit_codes_are_those_of_a_fresh_python(run: Run, code: str, expected: int) -> None:
    process = run(code)
    _, printed = process.communicate()
    assert process.returncode == expected
    assert ("ZeroDivisionError" in printed) == (expected == 1)


def test_jobs_run_at_once(run: Run, tmp_path: Path) -> None:
    """Each waits for the file that the other makes."""
    code = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
end = time.monotonic() + 60
while not other.exists():
    assert time.monotonic() < end
    time.sleep(0.01)
"""
    both = [run(code, "a", "b"), run(code, "b", "a")]
    assert [process.wait() for process in both] == [0, 0]


def test_a_job_ends_with_its_client(run: Run, tmp_path: Path) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    process = run(code)
    assert process.stdout is not None
    job = int(process.stdout.readline())
    process.kill()
    wait_until(lambda: not is_alive(job))


def test_threads_are_those_that_a_job_asks_for(run: Run) -> None:
    code = """
import torch
from threadpoolctl import threadpool_info, threadpool_limits
with threadpool_limits(2):
    torch.set_num_threads(2)
    import numpy as np
    np.ones((300, 300)) @ np.ones((300, 300))
    torch.ones(300, 300) @ torch.ones(300, 300)
    print(torch.get_num_threads())
"""
    printed, warned = run(code).communicate()
    assert (printed, warned) == ("2\n", "")


def test_without_a_server_a_command_runs_as_it_is(
    server: tuple[subprocess.Popen[str], str, str], tmp_path: Path
) -> None:
    command = f"{server[1]}{sys.executable} -c 'raise SystemExit(7)'"
    for address in ({}, {job_client.ADDRESS: ""}, {job_client.ADDRESS: str(tmp_path / "nobody")}):
        variables = {**os.environ, **address}
        done = subprocess.run(command, shell=True, executable="/bin/bash", env=variables)
        assert done.returncode == 7


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_after_the_run(kind: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        _, address = (process.stdout.readline().rstrip("\n") for _ in range(2))
        process.send_signal(kind)
    wait_until(lambda: not Path(address).parent.exists())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_job_ends_as_a_script_does(run: Run, tmp_path: Path) -> None:
    code = """
import atexit, pathlib, sys, threading, time
atexit.register(pathlib.Path("farewell").touch)
threading.Thread(target=lambda: time.sleep(0.2) or pathlib.Path("thread").touch()).start()
sys.stdout.write("no end of line")
sys.exit("a reason")
"""
    printed, warned = run(code).communicate()
    assert (printed, warned) == ("no end of line", "a reason\n")
    assert (tmp_path / "farewell").exists()
    assert (tmp_path / "thread").exists()
