"""Read and check submission CSVs."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from natsort import natsorted
from numpy.typing import NDArray

from lymphokit.errors import LymphokitError
from lymphokit.provenance import file_sha256
from lymphokit.submission.write import SubmissionError, faults

HEADERS = (("id", "label"), ("id", "predicted"))  # of the 2024 and of the 2021 edition


@dataclass(frozen=True)
class Submission:
    """One file: the label, 0 or 1, of each patient; patients in natural order."""

    path: Path
    sha256: str
    patients: tuple[str, ...]
    labels: NDArray[np.int64]


def read_submission(path: Path) -> Submission:
    """Read a CSV with the header `ID,LABEL` or `Id,Predicted`, in any case.

    Raises SubmissionError, with the file, the patients and a remedy, for a file that is not such a
    CSV, names a patient twice, or holds a label other than 0 and 1.
    """
    rows = _read_rows(path)
    ids = [patient.strip() for patient, _ in rows]
    labels = [_as_number(text) for _, text in rows]
    lines = faults(ids, labels, ids) if rows else ["  no patient in it"]
    if lines:
        raise SubmissionError(
            f"{path} is no submission\n"
            + "\n".join(lines)
            + "\n  remedy: one row per patient, with label 0 or 1, as `snakemake submission` writes"
        )
    label_of = dict(zip(ids, labels, strict=True))
    patients = tuple(natsorted(label_of))
    values = np.array([label_of[patient] for patient in patients], dtype=np.int64)
    return Submission(path, file_sha256(path), patients, values)


def read_submissions(paths: Sequence[Path]) -> list[Submission]:
    """Read two or more submissions of the same test patients.

    Raises SubmissionError for fewer than two, or for a file whose patients differ from those of
    most files.
    """
    if len(paths) < 2:
        raise SubmissionError("a comparison needs two or more files: lymphokit compare A.csv B.csv")
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


def parse_csv(path: Path, content: bytes, error: type[LymphokitError]) -> list[list[str]]:
    """Split a CSV into its non-empty rows of fields.

    Raises `error` for a text that is not UTF-8 (a byte order mark is allowed) or a quote that is
    not closed.
    """
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        return [row for row in csv.reader(text, strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as cause:
        raise error(f"{path}: {cause}; save it as CSV in UTF-8 with commas") from cause


def _read_rows(path: Path) -> list[list[str]]:
    """Rows after the header, two fields each."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SubmissionError(f"{path}: {error.strerror}; is the path right?") from error
    header, *rows = parse_csv(path, content, SubmissionError) or [[]]
    if tuple(name.strip().lower() for name in header) not in HEADERS:
        raise SubmissionError(
            f"{path}: the first line is {','.join(header)!r}, not ID,LABEL or Id,Predicted; put "
            "the header of the sample submission there, with a comma"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != 2:
            raise SubmissionError(
                f"{path}: row {number}, {row[0]!r}, has {len(row)} fields, not 2; write patient "
                "and label with one comma between them"
            )
    return rows


def _as_number(text: str) -> float:
    """Convert a label to a number, NaN where it is none; `faults` accepts only 0 and 1."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
