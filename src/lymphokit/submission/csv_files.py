"""Write, read and check submission CSVs: a header, one row per test patient, labels 0 and 1."""

import csv
import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import BaseFileLock, FileLock
from natsort import natsorted
from numpy.typing import NDArray

from lymphokit.cohort.layout import is_submission_header
from lymphokit.cohort.table_values import id_finding
from lymphokit.errors import LymphokitError, quoted
from lymphokit.files import read_regular, write_atomically
from lymphokit.provenance import file_sha256

MAX_NAMED = 10  # patients named in an error


class SubmissionError(LymphokitError):
    """A submission does not have exactly one label, 0 or 1, for each test patient."""


@dataclass(frozen=True)
class Submission:
    """One file: the label, 0 or 1, of each patient; patients in natural order."""

    path: Path
    sha256: str
    patients: tuple[str, ...]
    labels: NDArray[np.int64]


def utc_stamp(now: dt.datetime) -> str:
    """Format a time for a file name, such as 20261123T141530Z; without a zone it is local time."""
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
    _check(
        ids,
        labels,
        test_patients,
        finding="the leaderboard would refuse or misread this submission; nothing was written",
        remedy="predict every test patient of patients.csv once, then submit again",
    )
    label_of = {patient: int(label) for patient, label in zip(ids, labels, strict=True)}
    rows = [(patient, label_of[patient]) for patient in natsorted(label_of)]
    text = pd.DataFrame(rows, columns=list(header)).to_csv(index=False, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(path.parent):
        path = _unused(path)
        write_atomically(path, text.encode())
    return path


def read_submission(path: Path) -> Submission:
    """Read a CSV whose header is that of a sample submission, such as `ID,LABEL` or `Id,Predicted`.

    Raises SubmissionError, with the file, the patients and a remedy, for a file that is not such a
    CSV, names a patient twice, or holds a label other than 0 and 1.
    """
    rows = _read_rows(path)
    ids = [patient.strip() for patient, _ in rows]
    for number, patient in enumerate(ids, start=2):
        if finding := id_finding(patient):
            raise SubmissionError(
                f"{path}, row {number}: the id {finding}; write the ids of the sample submission"
            )
    # A text that is no number becomes NaN, which the check reports as neither 0 nor 1.
    labels = pd.to_numeric(pd.Series([text for _, text in rows], dtype=str), errors="coerce")
    _check(
        ids,
        labels.tolist(),
        ids,
        finding=f"{path} is no submission",
        remedy="one row per patient, with label 0 or 1, as `snakemake submission` writes",
    )
    label_of = dict(zip(ids, labels, strict=True))
    patients = tuple(natsorted(label_of))
    values = np.array([label_of[patient] for patient in patients], dtype=np.int64)
    return Submission(path, file_sha256(path), patients, values)


def read_submissions(paths: Sequence[Path]) -> list[Submission]:
    """Read two or more submissions of the same test patients.

    Raises SubmissionError for fewer than two, or for a file whose patients differ from those of
    the first.
    """
    if len(paths) < 2:
        raise SubmissionError(
            "a comparison needs two or more files: lymphokit compare A.csv B.csv, or lymphokit "
            "compare alone for the newest two"
        )
    files = [read_submission(path) for path in paths]
    for file in files:
        _check(
            file.patients,
            file.labels.tolist(),
            files[0].patients,
            finding=f"{file.path} has other patients than {files[0].path}",
            remedy="compare submissions of one cohort, each with all its test patients",
        )
    return files


def parse_csv(path: Path, content: bytes, error: type[LymphokitError]) -> list[list[str]]:
    """Split a CSV into its non-empty rows of fields, as many in each as in the first.

    Raises `error` for a text that is not UTF-8 (a byte order mark is allowed), a quote that is
    not closed, or a row of another length.
    """
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = [row for row in csv.reader(text, strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as cause:
        raise error(f"{path}: {cause}; save it as CSV in UTF-8 with commas") from cause
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise error(
                f"{path}: row {number}, {quoted(row[0])}, has {len(row)} fields, the first has "
                f"{len(rows[0])}; correct that row"
            )
    return rows


def folder_lock(folder: Path) -> BaseFileLock:
    """Lock of a folder for one process; others wait. The lock of a killed process is released."""
    return FileLock(folder / ".lock")


def _read_rows(path: Path) -> list[list[str]]:
    """Rows after the header, two fields each."""
    try:
        content = read_regular(path)
    except OSError as error:
        raise SubmissionError(f"{path}: {error.strerror}; is the path right?") from error
    header, *rows = parse_csv(path, content, SubmissionError) or [[]]
    if not is_submission_header([name.strip() for name in header]):
        found = quoted(",".join(header))
        raise SubmissionError(
            f"{path}: the first line is {found}, no header such as ID,LABEL or Id,Predicted; put "
            "that of the sample submission there, with a comma"
        )
    if not rows:
        raise SubmissionError(f"{path}: no patient in it; write one row per test patient")
    return rows


def _unused(path: Path) -> Path:
    """Return the path, or the first of `name-2.csv`, `name-3.csv` ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def _check(
    ids: Sequence[str],
    labels: Sequence[object],
    test_patients: Sequence[str],
    *,
    finding: str,
    remedy: str,
) -> None:
    """Raise SubmissionError with all faults, a line per kind of fault, naming the patients."""
    seen, expected = set(ids), set(test_patients)
    faults = {
        "test patients without a label": expected - seen,
        "patients named more than once": {p for p, times in Counter(ids).items() if times > 1},
        "patients that are not in the test set": seen - expected,
        "labels other than 0 and 1, for": {
            patient for patient, label in zip(ids, labels, strict=True) if label not in (0, 1)
        },
    }
    lines = [f"  {fault}: {_named(found)}" for fault, found in faults.items() if found]
    if lines:
        raise SubmissionError("\n".join([finding, *lines, f"  remedy: {remedy}"]))


def _named(patients: set[str]) -> str:
    """Name the first few patients and count the others."""
    ordered = natsorted(patients)
    more = len(ordered) - MAX_NAMED
    return ", ".join(ordered[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
