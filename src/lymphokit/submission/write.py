"""Write the submission CSV: header of the cohort, one row per test patient, labels 0 and 1."""

import csv
import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock
from natsort import natsorted

from lymphokit.errors import LymphokitError
from lymphokit.files import write_atomically

MAX_NAMED = 10  # patients named in an error


class SubmissionError(LymphokitError):
    """A submission does not have exactly one label, 0 or 1, for each test patient."""


def utc_stamp(now: dt.datetime) -> str:
    """Format a time for a file name, such as 20261123T141530Z.

    Raises ValueError for a time without time zone.
    """
    if now.tzinfo is None:
        raise ValueError("a time without time zone cannot be put in UTC")
    return now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def submission_name(now: dt.datetime, cohort: str, blend: str) -> str:
    """Build `<UTC>_<cohort>_<blend>.csv`; characters unsafe in a file name become a dash."""
    parts = [re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip(".-") for part in (cohort, blend)]
    return "_".join([utc_stamp(now), *parts]) + ".csv"


def write_submission(
    path: Path,
    header: tuple[str, str],
    ids: Sequence[str],
    labels: Sequence[int],
    *,
    test_patients: Sequence[str],
) -> Path:
    """Write the submission in the natural order of patients and return its path.

    header: the two column names of the cohort's sample submission; ids and labels: one per
    patient; test_patients: all patients of the test set. An existing file is never overwritten:
    the new one gets `-2`, `-3` ... before its suffix.
    Raises SubmissionError naming every patient that is missing, named twice or not in the test
    set, and every label other than 0 and 1; nothing is written.
    """
    _check(ids, labels, test_patients)
    label_of = {patient: int(label) for patient, label in zip(ids, labels, strict=True)}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows((patient, label_of[patient]) for patient in natsorted(label_of))
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(path.parent):
        path = _unused(path)
        write_atomically(path, text.getvalue().encode())
    return path


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for one process; others wait. The lock of a killed process is released."""
    with FileLock(folder / ".lock"):
        yield


def _unused(path: Path) -> Path:
    """Return the path, or the first of `name-2.csv`, `name-3.csv` ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def _check(ids: Sequence[str], labels: Sequence[int], test_patients: Sequence[str]) -> None:
    """Raise SubmissionError with all faults."""
    if len(ids) != len(labels):
        raise SubmissionError(f"{len(ids)} patients but {len(labels)} labels")
    lines = faults(ids, labels, test_patients)
    if lines:
        raise SubmissionError(
            "the leaderboard would refuse or misread this submission; nothing was written\n"
            + "\n".join(lines)
            + "\n  remedy: predict every test patient of patients.csv once, then submit again"
        )


def faults(ids: Sequence[str], labels: Sequence[object], test_patients: Sequence[str]) -> list[str]:
    """List the faults of labels (one per id), one line per kind of fault, naming the patients."""
    seen, expected = set(ids), set(test_patients)
    doubled = {patient for patient, times in Counter(ids).items() if times > 1}
    wrong = {p for p, label in zip(ids, labels, strict=True) if label not in (0, 1)}
    findings = {
        "test patients without a label": expected - seen,
        "patients named more than once": doubled,
        "patients that are not in the test set": seen - expected,
        "labels other than 0 and 1, for": wrong,
    }
    return [f"  {finding}: {_named(found)}" for finding, found in findings.items() if found]


def _named(patients: set[str]) -> str:
    """Name the first few patients and count the others."""
    ordered = natsorted(patients)
    more = len(ordered) - MAX_NAMED
    return ", ".join(ordered[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
