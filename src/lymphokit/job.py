"""Context manager around the body of each rule: log, threads, errors."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from lymphokit.errors import LymphokitError, explain
from lymphokit.integrity import verify, write_records
from lymphokit.progress import log_to, note, say
from lymphokit.resume import end_with_run

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
    """Run the body of a rule with its messages copied to its log; yields its number of threads.

    The number is the param `threads`, or 1, however many cores Snakemake grants: the order of sums
    depends on it, and thereby results.

    No body runs on an input that is not as the job that made it wrote it, unless `verified` is
    False: for the audit, which reports such files. The outputs of a body that ends are on the disk,
    with their digests. An error is shown as `explain` says it, without a traceback; the log has
    both. The exit code is 1 for a LymphokitError and 70 for any other. The job ends when the run
    that started it ends.
    """
    end_with_run()
    threads = int(task.params.get("threads", 1))
    with Path(task.log[0]).open("w") as file, log_to(file), threadpool_limits(threads):
        # For libraries imported later; Snakemake has set these to the cores it grants.
        os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        try:
            inputs = verify(task.input) if verified else {}
            yield threads
            write_records(task.output, task.rule, inputs)
        except Exception as error:
            note(traceback.format_exc())
            say(explain(error, task.log[0]))
            raise SystemExit(1 if isinstance(error, LymphokitError) else os.EX_SOFTWARE) from error
        except BaseException:
            note(traceback.format_exc())
            raise
