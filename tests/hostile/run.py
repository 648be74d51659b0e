"""Run every reader on hostile inputs, each with a bound on time and memory; `make torture`.

Prints the counts of each reader: cases, errors of ours, accepted, errors of ours that do not name
the file, exceptions of other kinds, hangs, and cases that ran out of memory or killed the process.
"""

import argparse
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from lymphokit.errors import CohortError, LymphokitError
from tests.hostile.mutations import PLACES, remove
from tests.hostile.readers import READERS, Reader

SECONDS = 10  # for one case; the parent kills the process after twice as many
MOST_CHARACTERS = 20_000  # of a message
MEGABYTES = 600  # beyond what the process has at its start
OUTCOMES = ("ours", "accepted", "unnamed", "foreign", "hang", "memory")


class Case(NamedTuple):
    reader: str
    number: int


class Result(NamedTuple):
    case: Case
    outcome: str
    finding: str


class TookTooLongError(BaseException):
    """No reader may catch it."""


def damage(reader: Reader, case: Case, folder: Path) -> str:
    """Write the input of a case; what was done to it. The same case gives the same input."""
    rng = random.Random(f"{case.reader} {case.number}")
    reader.write(folder)
    target = reader.targets[case.number % len(reader.targets)]
    path = folder / target
    data = path.read_bytes() if path.is_file() else b""
    place = case.number // len(reader.targets)
    if place < len(PLACES) or not data:
        make = PLACES[place % len(PLACES)]
        if path.exists():
            remove(path)
        make(path)
        return f"{target}: {make.__name__}"
    mutations = reader.mutations(target)
    mutation = mutations[place % len(mutations)]
    path.write_bytes(mutation(data, rng))
    return f"{target}: {mutation.__name__}"


def outcome_of(reader: Reader, folder: Path, done: str) -> tuple[str, str]:
    """How a reader ends on a damaged input."""
    try:
        reader.read(folder)
    except LymphokitError as error:
        named = _is_complete(error, Path(done.partition(":")[0]))
        return ("ours" if named else "unnamed"), str(error)[:300]
    except TookTooLongError:
        return "hang", "".join(traceback.format_exc()[-700:])
    except MemoryError:
        return "memory", traceback.format_exc()[-700:]
    except Exception:  # noqa: BLE001  what this run looks for
        return "foreign", traceback.format_exc()[-900:]
    return "accepted", ""


def _is_complete(error: LymphokitError, target: Path) -> bool:
    """Whether a message names the file, or each fault its patient and remedy, on a few pages."""
    message = str(error)
    if len(message) > MOST_CHARACTERS:
        return False
    if isinstance(error, CohortError):
        return all(fault.patient and fault.remedy for fault in error.faults)
    return target.stem in message


def read_valid(reader: Reader) -> None:
    """Read an input as it was written."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        reader.write(Path(folder))
        reader.read(Path(folder))


def run_cases(cases: list[Case], results: Connection) -> None:
    """Run the cases in this process, and send each result."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _interrupt)
    for name in dict.fromkeys(case.reader for case in cases):
        read_valid(READERS[name])  # imports what it needs, before the limit is set
    used = _megabytes_mapped() * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (used + MEGABYTES * 2**20,) * 2)
    for case in cases:
        reader = READERS[case.reader]
        folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        try:
            done = damage(reader, case, folder)
            signal.alarm(SECONDS)
            outcome, finding = outcome_of(reader, folder, done)
        finally:
            signal.alarm(0)
            shutil.rmtree(folder, ignore_errors=True)
        results.send(Result(case, outcome, f"{done}: {finding}"))


def run(cases: list[Case]) -> Iterator[Result]:
    """The results of all cases; a process that hangs or dies is replaced by a new one."""
    context = multiprocessing.get_context("fork")
    while cases:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=run_cases, args=(cases, theirs))
        process.start()
        theirs.close()
        while cases:
            try:
                if not ours.poll(2 * SECONDS):
                    process.kill()
                    yield Result(cases[0], "hang", "killed from outside")
                    break
                yield ours.recv()
            except EOFError:
                yield Result(cases[0], "memory", "the process died")
                break
            finally:
                cases = cases[1:]
        process.join()


def cases_of(each: int, names: list[str]) -> list[Case]:
    """`each` cases of every reader; each place and mutation of every target occurs in the first."""
    return [Case(name, number) for name in names for number in range(each)]


def table_of(results: list[Result]) -> str:
    """The counts of all results, a line for each reader."""
    counts = Counter((result.case.reader, result.outcome) for result in results)
    names = list(dict.fromkeys(result.case.reader for result in results))
    lines = [f"{'reader':16} {'cases':>7}" + "".join(f" {name:>9}" for name in OUTCOMES)]
    for name in [*names, "all"]:
        numbers = [
            sum(counts[reader, outcome] for reader in (names if name == "all" else [name]))
            for outcome in OUTCOMES
        ]
        lines.append(f"{name:16} {sum(numbers):7,}" + "".join(f" {n:9,}" for n in numbers))
    return "\n".join(lines)


def failures(results: list[Result]) -> list[Result]:
    """The results that no reader may have."""
    return [result for result in results if result.outcome not in ("ours", "accepted")]


def _interrupt(*_: object) -> None:
    raise TookTooLongError


def _megabytes_mapped() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize() // 2**20


def main() -> int:
    """Run the cases, print the counts and every failure; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=200, help="cases of every reader")
    parser.add_argument("--only", nargs="*", default=list(READERS), help="readers")
    options = parser.parse_args()
    results = list(run(cases_of(options.each, options.only)))
    for result in failures(results):
        sys.stderr.write("\n  ".join(map(str, result)) + "\n")
    sys.stdout.write(f"{table_of(results)}\n")
    return 1 if failures(results) else 0


if __name__ == "__main__":
    sys.exit(main())
