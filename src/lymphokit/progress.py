"""Messages and progress of long jobs: a bar on a terminal, lines in a log."""

import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import track as bar

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 15.0  # on the terminal; most jobs are over before the first
_log: Console | None = None
_quiet = False


def say(line: str) -> None:
    """Print a line to standard error and, inside `log_to`, to the log."""
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)
    note(line)


def note(text: str) -> None:
    """Write text to the log only; without a log, nowhere."""
    if _log is not None:
        _log.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def log_to(file: IO[str]) -> Iterator[None]:
    """Copy the messages inside the block to this file; progress is lines instead of bars.

    Jobs that run at once share a terminal, where their bars would overwrite each other.
    """
    global _log
    _log = Console(file=file, width=100)
    try:
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

    Inside `log_to` the log has a line for every fifth of the items, and the terminal those of them
    that come at least 15 seconds after the start and after one another.
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
        if not total or (done % step and done < total):
            continue
        is_due = time.monotonic() - shown >= _SECONDS_BETWEEN_LINES
        (say if is_due or _log is None else note)(f"{what}: {done:,} of {total:,}")
        shown = time.monotonic() if is_due else shown
