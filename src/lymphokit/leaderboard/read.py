"""Submissions as they were handed in: read, checked, and put side by side."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from lymphokit.provenance import file_sha256
from lymphokit.submission.write import SubmissionError, faults

HEADERS = (("id", "label"), ("id", "predicted"))  # of the 2024 and of the 2021 edition


@dataclass(frozen=True)
class Submission:
    """One file: the label, 0 or 1, of each patient, in the natural order of patients."""

    path: Path
    sha256: str
    patients: tuple[str, ...]
    labels: NDArray[np.int64]


def read_submission(path: Path) -> Submission:
    """Read a CSV with the header `ID,LABEL` or `Id,Predicted`, in any case.

    Raises SubmissionError, with the file, the patients and a remedy, for a file that is not such a
    CSV, names a patient twice, or holds a label other than 0 and 1.
    """
    rows = _rows(path)
    ids = [patient.strip() for patient, _ in rows]
    labels = [_label(text) for _, text in rows]
    lines = faults(ids, labels, ids)
    if not rows:
        lines = ["  no patient in it"]
    if lines:
        raise SubmissionError(
            f"{path} is no submission\n"
            + "\n".join(lines)
            + "\n  remedy: a row a patient, once, with label 0 or 1, as `snakemake submission` "
            "writes them"
        )
    label_of = dict(zip(ids, labels, strict=True))
    patients = tuple(natsorted(label_of))
    in_order = np.array([label_of[patient] for patient in patients], dtype=np.int64)
    return Submission(path, file_sha256(path), patients, in_order)


def read_alike(paths: Sequence[Path]) -> list[Submission]:
    """Read submissions of one cohort.

    Raises SubmissionError for fewer than two, or for one with other patients than most have.
    """
    if len(paths) < 2:
        raise SubmissionError(
            "one file alone cannot be compared; name two or more: lymphokit compare A.csv B.csv"
        )
    files = [read_submission(path) for path in paths]
    usual = Counter(file.patients for file in files).most_common(1)[0][0]
    example = next(file.path for file in files if file.patients == usual)
    for file in files:
        lines = faults(file.patients, file.labels.tolist(), usual)
        if lines:
            raise SubmissionError(
                f"{file.path} has other patients than {example}\n"
                + "\n".join(lines)
                + "\n  remedy: compare submissions of one cohort, each with all its test patients"
            )
    return files


def _rows(path: Path) -> list[list[str]]:
    """The rows after the header, two fields each."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except OSError as error:
        raise SubmissionError(f"{path}: {error.strerror}; is the path right?") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SubmissionError(f"{path}: {error}; save it as CSV in UTF-8 with commas") from error
    header = tuple(name.strip().lower() for name in rows[0]) if rows else ()
    if header not in HEADERS:
        raise SubmissionError(
            f"{path}: the first line is {','.join(rows[0]) if rows else ''!r}, not ID,LABEL or "
            "Id,Predicted; put the header of the sample submission there, with a comma"
        )
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise SubmissionError(
                f"{path}: row {number}, {row[0]!r}, has {len(row)} fields, not 2; write patient "
                "and label with one comma between them"
            )
    return rows[1:]


def _label(text: str) -> float:
    """The label as a number, NaN where it is none; whether it is 0 or 1 is for others to judge."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
