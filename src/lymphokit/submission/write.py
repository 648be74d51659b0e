"""The CSV that is handed in: the cohort's header, every test patient once, labels 0 and 1."""

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

SHOWN = 10  # patients named in an error


class SubmissionError(LymphokitError):
    """A submission would not be one label, 0 or 1, for each test patient."""


def utc_stamp(now: dt.datetime) -> str:
    """The time as a file name holds it, such as 20261123T141530Z.

    Raises ValueError for a time without time zone.
    """
    if now.tzinfo is None:
        raise ValueError("a time without time zone cannot be put in UTC")
    return now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def submission_name(now: dt.datetime, cohort: str, blend: str) -> str:
    """`<UTC>_<cohort>_<blend>.csv`; what a file name should not hold becomes a dash."""
    named = [re.sub(r"[^A-Za-z0-9.-]+", "-", part).strip(".-") for part in (cohort, blend)]
    return "_".join([utc_stamp(now), *named]) + ".csv"


def write_submission(
    path: Path,
    header: tuple[str, str],
    ids: Sequence[str],
    labels: Sequence[int],
    *,
    test_patients: Sequence[str],
) -> Path:
    """Write the submission in the natural order of patients; return where it was written.

    header: the two column names of the cohort's sample submission; ids and labels: one a patient;
    test_patients: all who must be in it. A file of that name is never overwritten: the new one
    gets `-2`, `-3` ... before its suffix. The file appears whole or not at all.
    Raises SubmissionError naming every patient who is missing, named twice or not of the test set,
    and every label that is not 0 or 1.
    """
    _check(ids, labels, test_patients)
    label_of = {patient: int(label) for patient, label in zip(ids, labels, strict=True)}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows((patient, label_of[patient]) for patient in natsorted(label_of))
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(path.parent):
        free = _free(path)
        write_atomically(free, text.getvalue().encode())
    return free


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder for one process; others wait. A killed process lets go of it."""
    with FileLock(folder / ".lock"):
        yield


def _free(path: Path) -> Path:
    """The path, or the first of `name-2.csv`, `name-3.csv` ... that is not taken."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def _check(ids: Sequence[str], labels: Sequence[int], test_patients: Sequence[str]) -> None:
    """Raise SubmissionError with all that is wrong."""
    if len(ids) != len(labels):
        raise SubmissionError(f"{len(ids)} patients but {len(labels)} labels")
    lines = faults(ids, labels, test_patients)
    if lines:
        raise SubmissionError(
            "this submission would be refused or misread; nothing was written\n"
            + "\n".join(lines)
            + "\n  remedy: predict every test patient of patients.csv once, then submit again"
        )


def faults(ids: Sequence[str], labels: Sequence[object], test_patients: Sequence[str]) -> list[str]:
    """All that is wrong with labels (one an id), a line a kind of fault, naming the patients."""
    seen, expected = set(ids), set(test_patients)
    doubled = {patient for patient, times in Counter(ids).items() if times > 1}
    wrong = {p for p, label in zip(ids, labels, strict=True) if label not in (0, 1)}
    findings = {
        "test patients without a label": expected - seen,
        "patients named more than once": doubled,
        "patients who are not of the test set": seen - expected,
        "labels other than 0 and 1, for": wrong,
    }
    return [f"  {finding}: {_some(who)}" for finding, who in findings.items() if who]


def _some(patients: set[str]) -> str:
    """The first few of the patients, and how many more there are."""
    ordered = natsorted(patients)
    more = len(ordered) - SHOWN
    return ", ".join(ordered[:SHOWN]) + (f" and {more} more" if more > 0 else "")
