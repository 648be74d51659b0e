"""Context manager around the body of each rule: log, threads, errors."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from lymphokit.errors import LymphokitError
from lymphokit.progress import log_to, note, say
from lymphokit.resume import end_with_run


@contextmanager
def job(log: str | Path, threads: int) -> Iterator[None]:
    """Run the body of a rule with its messages copied to `log` and at most so many threads.

    A LymphokitError is shown as its message, without a traceback; the log has both. The job ends
    when the run that started it ends.
    """
    end_with_run()
    with Path(log).open("w") as file, log_to(file), threadpool_limits(threads):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries imported later
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)
        try:
            yield
        except LymphokitError as error:
            note(traceback.format_exc())
            say(str(error))
            raise SystemExit(1) from error
        except BaseException:
            note(traceback.format_exc())
            raise
