"""A SLURM cluster of one controller and two compute daemons on this machine, for tests."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo")
NODES = ("n1", "n2")
PATIENCE_SECONDS = 60

CONF = """
ClusterName=test
SlurmctldHost={host}
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MinJobAge=300
SchedulerParameters=sched_min_interval=100000,defer
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool_%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd_%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd_%n.log
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_programs() -> list[str]:
    """The programs of SLURM and munge that this machine lacks."""
    return [program for program in PROGRAMS if _path(program) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start the daemons; the variables with which commands of SLURM reach them.

    The folder's path must be short: a socket's path has 107 characters at most.
    """
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    for name in ("state", *(f"spool_{node}" for node in NODES)):
        (folder / name).mkdir()
    nodes = "\n".join(
        f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={_port()} "
        "CPUs=2 RealMemory=8000 State=UNKNOWN"
        for node in NODES
    )
    conf = folder / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=f"{socket.gethostname()}(127.0.0.1)",
            port=_port(),
            user=user,
            folder=folder,
            nodes=nodes,
        )
    )
    added = {"SLURM_CONF": str(conf), "PATH": f"{_srun(folder, conf)}:{os.environ['PATH']}"}
    environment = os.environ | added
    with ExitStack() as stack:
        _start(stack, _munged(folder), environment, folder / "munged.out")
        _start(stack, ["slurmctld", "-D"], environment, folder / "slurmctld.out")
        for node in NODES:
            _start(stack, ["slurmd", "-D", "-N", node], environment, folder / f"{node}.out")
        _wait_for_nodes(environment)
        yield added


def _srun(folder: Path, conf: Path) -> Path:
    """A folder with `srun` that finds the cluster: the executor hides SLURM_CONF from jobs."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    script = bin_folder / "srun"
    script.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {_path("srun")} "$@"\n')
    script.chmod(0o755)
    return bin_folder


def _munged(folder: Path) -> list[str]:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = {
        "key-file": key,
        "socket": folder / "munge.socket",
        "pid-file": folder / "munge.pid",
        "log-file": folder / "munge.log",
        "seed-file": folder / "munge.seed",
    }
    return ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items())]


def _start(stack: ExitStack, command: list[str], environment: dict[str, str], log: Path) -> None:
    """Start a daemon that ends with the stack."""
    program = _path(command[0])
    assert program is not None
    output = stack.enter_context(log.open("w"))
    process = subprocess.Popen(
        [program, *command[1:]], env=environment, stdout=output, stderr=subprocess.STDOUT
    )
    stack.callback(process.wait, timeout=PATIENCE_SECONDS)
    stack.callback(process.terminate)


def _wait_for_nodes(environment: dict[str, str]) -> None:
    """Wait until every node is idle."""
    until = time.monotonic() + PATIENCE_SECONDS
    states = ""
    while time.monotonic() < until:
        done = subprocess.run(
            ["sinfo", "--noheader", "--Node", "--format=%T"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        states = done.stdout + done.stderr
        if done.stdout.split() == ["idle"] * len(NODES):
            return
        time.sleep(0.5)
    raise AssertionError(f"the nodes did not start: {states}")


def _path(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
