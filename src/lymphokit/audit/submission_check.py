"""The CSV that is handed in: the file of the receipt, the test patients, the labels decided."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.audit.findings import Check, counted
from lymphokit.ensemble.fold import submission_labels
from lymphokit.errors import Fault
from lymphokit.provenance import file_sha256

_SUBMIT = "hand in nothing; write the submission again: delete submission.json and run"


def check_submission(
    receipt: Mapping[str, Any],
    root: Path,
    patients: pd.DataFrame,
    decisions: pd.DataFrame,
    *,
    header: Sequence[str],
) -> Check:
    """Compare the CSV that a receipt names with the test patients and the decisions.

    root: the folder that the receipt's path starts from. The file must have the recorded sha256,
    the cohort's header, every test patient once and nobody else, and the labels that the decisions
    of the recorded blend come to.
    """
    file, test = root / receipt["file"], patients.loc[patients["part"] == "test", "patient"]
    if not file.is_file():
        return Check("submission", "nothing", (Fault(receipt["file"], "is not there", _SUBMIT),))
    text = io.StringIO(file.read_text(encoding="utf-8"), newline="")
    lines = [line for line in csv.reader(text) if line]
    first, rows = lines[0] if lines else [], lines[1:]
    findings = []
    if file_sha256(file) != receipt["sha256"]:
        findings.append((receipt["file"], "has another sha256 than its receipt: it was changed"))
    if first != list(header):
        findings.append((receipt["file"], f"starts with {first}, to be {list(header)}"))
    decided = submission_labels(decisions, receipt["blend"])
    label_of = dict(zip(decided["patient"], decided["label"].astype(str), strict=True))
    findings += _of_rows(rows, set(test), label_of, receipt["file"])
    compared = (
        f"{Path(receipt['file']).name}: {counted(len(rows), 'row')}, {len(test):,} test patients, "
        f"the labels of {receipt['blend']}"
    )
    faults = tuple(Fault(patient, finding, _SUBMIT) for patient, finding in findings)
    return Check("submission", compared, faults)


def _of_rows(
    rows: Sequence[Sequence[str]], test: set[str], label_of: Mapping[str, str], file: str
) -> list[tuple[str, str]]:
    """Who is missing, there twice, no test patient, or has another label than was decided."""
    whole = [row for row in rows if len(row) == 2]
    findings = [
        (file, f"a row of {len(row)} values: {','.join(row)}") for row in rows if len(row) != 2
    ]
    times = Counter(patient for patient, _ in whole)
    findings += [(name, f"{file} lacks this test patient") for name in sorted(test - set(times))]
    for patient, n in times.items():
        if n > 1:
            findings.append((patient, f"is {n} times in {file}"))
        if patient not in test:
            findings.append((patient, f"is in {file} and is no test patient"))
    findings += [
        (patient, f"{file} says {label}, decided was {label_of[patient]}")
        for patient, label in whole
        if patient in label_of and label_of[patient] != label
    ]
    return findings
