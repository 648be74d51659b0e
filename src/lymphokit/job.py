"""The frame around the body of every rule."""

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
    """Run the body of a rule: what it says also goes to `log`, and it keeps to so many threads.

    An error that lymphokit raised on purpose is shown as its message alone, without a traceback;
    the log has both. The job ends when the run that started it does.
    """
    end_with_run()
    with Path(log).open("w") as file, log_to(file), threadpool_limits(threads):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for libraries that are loaded later
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
