"""Context manager around the body of each rule: log, threads, errors."""

import os
import resource
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from threadpoolctl import threadpool_limits

from lymphokit.errors import LymphokitError, explain
from lymphokit.integrity import verify, write_records
from lymphokit.progress import log_to, note
from lymphokit.resume import end_with_run

_FAILURE = "--- failed ---"  # the line of a log after which comes what its user is shown
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Task(Protocol):
    """What Snakemake hands to a script, as far as `job` reads it."""

    rule: str
    params: Mapping[str, Any]
    log: Sequence[str]
    input: Sequence[str]
    output: Sequence[str]


@contextmanager
def job(task: Task, *, verified: bool = True) -> Iterator[int]:
    """Run the body of a rule with all that it prints in its log; yields its number of threads.

    Nothing goes to the terminal, which Snakemake's logger owns while jobs run: it shows the last
    line of the log of a running job, and of a failed one the message, see `failure_in`.

    The number is the param `threads`, or 1, however many cores Snakemake grants: the order of sums
    depends on it, and thereby results.

    No body runs on an input that is not as the job that made it wrote it, unless `verified` is
    False: for the audit, which reports such files. The outputs of a body that ends are on the disk,
    with their digests. An error is shown as `explain` says it; the log has the traceback, too. The
    exit code is 1 for a LymphokitError and 70 for any other. The job ends when the run that started
    it ends.
    """
    end_with_run()
    threads = int(task.params.get("threads", 1))
    with _log_of(task) as file, log_to(file), threadpool_limits(threads):
        # For libraries imported later; Snakemake has set these to the cores it grants.
        os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        try:
            inputs = verify(task.input) if verified else {}
            yield threads
            write_records(task.output, task.rule, inputs)
            note(_usage())
        except Exception as error:
            note(traceback.format_exc())
            note(f"{_FAILURE}\n{explain(error, task.log[0])}")
            raise SystemExit(1 if isinstance(error, LymphokitError) else os.EX_SOFTWARE) from error
        except BaseException as error:
            note(traceback.format_exc())
            if isinstance(error, KeyboardInterrupt):
                note(f"{_FAILURE}\ninterrupted; the same command goes on")
            raise


@contextmanager
def _log_of(task: Task) -> Iterator[TextIO]:
    """Open the log of a job; until the end, what libraries written in C print goes there, too."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    try:
        with Path(task.log[0]).open("w", buffering=1) as file:
            for stream in kept:
                os.dup2(file.fileno(), stream)
            yield file
    finally:
        for stream, before in kept.items():
            os.dup2(before, stream)
            os.close(before)


def _usage() -> str:
    """CPU time and memory of this process, which Snakemake's benchmark does not see in a fork."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime
    return f"{seconds:.1f} s of CPU time, {usage.ru_maxrss / 1024:,.0f} MB at most"


def failure_in(log: Path) -> str:
    """The message of the job that failed with this log; empty where it left none."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return text.rpartition(f"{_FAILURE}\n")[2].strip() if _FAILURE in text else ""
