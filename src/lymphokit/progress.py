"""Messages and progress of long jobs: a bar on a terminal, lines in a log."""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import track as bar

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 2.0  # in a log, whose last line the terminal shows while the job runs
_log: Console | None = None
_quiet = False


def say(line: str) -> None:
    """Print a line to standard error; inside `log_to`, to the log."""
    console = _log or Console(stderr=True)
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Write text to the log only; without a log, nowhere."""
    if _log is not None:
        say(text)


@contextmanager
def log_to(file: IO[str]) -> Iterator[None]:
    """Write messages, and all that is printed inside the block, to this file.

    Jobs that run at once share a terminal, where their lines would break one another's.
    """
    global _log
    _log = Console(file=file, width=100)
    try:
        with redirect_stdout(file), redirect_stderr(file):
            yield
    finally:
        _log = None


@contextmanager
def quiet() -> Iterator[None]:
    """No progress inside the block: for steps so many that their lines would bury the rest."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items and show the progress of `what`.

    On a terminal, a bar; elsewhere a line for every fifth of the items, and one whenever the last
    is two seconds old.
    total: number of items, where `items` has no length.
    """
    if _quiet:
        yield from items
        return
    console = Console(stderr=True)
    if total is None and isinstance(items, Sized):
        total = len(items)
    if console.is_terminal and _log is None:
        yield from bar(items, description=what, total=total, console=console, transient=True)
        return
    step, shown = -(-(total or 1) // 5), time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        is_due = time.monotonic() - shown >= _SECONDS_BETWEEN_LINES
        if total and (is_due or done % step == 0 or done == total):
            say(f"{what}: {done:,} of {total:,}")
            shown = time.monotonic()
