"""From what a person types to submissions: paths, patterns, names without folder or suffix."""

import datetime as dt
import glob
import re
from collections.abc import Iterable
from pathlib import Path

from natsort import natsort_keygen

from lymphokit.folders import is_regular
from lymphokit.submission.csv_files import SubmissionError, read_submission, utc_stamp
from lymphokit.submission.ledger import LEDGER

FOLDER = Path("submissions")
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_natural = natsort_keygen()


def submission_path(path: Path) -> Path:
    """The CSV of a path: itself, the one that a folder belongs to, or the one of a name in FOLDER.

    The path itself where there is none of these, for the reader to report.
    """
    candidates = [path, Path(f"{path}.csv")]
    if len(path.parts) == 1:
        candidates += [FOLDER / path, FOLDER / f"{path}.csv"]
    return next(filter(is_regular, candidates), path)


def submission_paths(paths: Iterable[Path]) -> list[Path]:
    """The CSVs of paths and patterns, such as `submissions/*.csv`, without the ledgers among them.

    A pattern that matches nothing is kept, for the reader to report.
    """
    found: list[Path] = []
    for path in paths:
        text = str(path)
        is_pattern = glob.has_magic(text) and "\0" not in text and not is_regular(path)
        matches = sorted(map(Path, glob.glob(text)), key=_natural) if is_pattern else []  # noqa: PTH207  of any folder
        found += map(submission_path, matches or [path])
    return [path for path in found if not is_ledger(path)]


def newest_two(folder: Path = FOLDER) -> list[Path]:
    """The newest submission in a folder, and before it the newest other one of the same patients.

    The time is that in the name, else that of the last change.
    Raises SubmissionError where there are no two such files.
    """
    files = _by_age(folder)
    if len(files) < 2:
        raise SubmissionError(
            f"a comparison needs two submissions, and {folder.absolute()} holds {len(files)}: run "
            "`snakemake submission` with other settings, or name two files"
        )
    *others, last = files
    patients = read_submission(last).patients
    for other in reversed(others):
        if read_submission(other).patients == patients:
            return [other, last]
    raise SubmissionError(
        f"no other submission in {folder.absolute()} has the patients of {last.name}: run "
        "`snakemake submission` with other settings, or name two files"
    )


def newest(folder: Path = FOLDER) -> Path:
    """The newest submission in a folder. Raises SubmissionError where there is none."""
    if not (files := _by_age(folder)):
        raise SubmissionError(
            f"{folder.absolute()} holds no submission: run `snakemake submission`, or name a file"
        )
    return files[-1]


def is_ledger(path: Path) -> bool:
    """Whether a file is a ledger, also one under another name."""
    if path.name == LEDGER or not is_regular(path):
        return path.name == LEDGER
    try:
        with path.open("rb") as file:
            header = file.readline(4096).split(b",")
    except OSError:  # may not be read: the reader reports it
        return False
    return {b"sha256", b"config_digest"} <= set(header)


def _by_age(folder: Path) -> list[Path]:
    """The submissions in a folder, the oldest first."""
    files = [path for path in folder.glob("*.csv") if is_regular(path) and not is_ledger(path)]
    return sorted(files, key=_age)


def _age(path: Path) -> tuple[str, object]:
    stamp = _STAMP.match(path.name)
    changed = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    return stamp[0] if stamp else utc_stamp(changed), _natural(path.stem)
