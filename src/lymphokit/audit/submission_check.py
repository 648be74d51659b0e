"""Check of the submitted CSV against its receipt, the test patients and the decisions."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lymphokit.audit.findings import Check, counted
from lymphokit.ensemble.fold import submission_labels
from lymphokit.errors import Fault
from lymphokit.provenance import file_sha256

_SUBMIT = "do not submit it; write the submission again: delete submission.json and run"


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
    the cohort's header, every test patient once and nobody else, and the labels that follow from
    the decisions of the recorded blend.
    """
    name, blend = receipt["file"], receipt["blend"]
    file, test = root / name, patients.loc[patients["part"] == "test", "patient"]
    if not file.is_file():
        return Check("submission", "nothing", (Fault(name, "is not there", _SUBMIT),))
    text = io.StringIO(file.read_text(encoding="utf-8"), newline="")
    first, *rows = [line for line in csv.reader(text) if line] or [[]]
    findings = []
    if file_sha256(file) != receipt["sha256"]:
        findings.append((name, "has another sha256 than its receipt: it was changed"))
    if first != list(header):
        findings.append((name, f"starts with {first}, expected {list(header)}"))
    decided = submission_labels(decisions, blend)
    label_of = dict(zip(decided["patient"], decided["label"].astype(str), strict=True))
    findings += [
        (name, f"a row of {len(row)} values: {','.join(row)}") for row in rows if len(row) != 2
    ]
    findings += _row_findings(rows, set(test), label_of, name)
    compared = (
        f"{Path(name).name}: {counted(len(rows), 'row')}, {len(test):,} test patients, "
        f"the labels of {blend}"
    )
    faults = tuple(Fault(patient, finding, _SUBMIT) for patient, finding in findings)
    return Check("submission", compared, faults)


def _row_findings(
    rows: Sequence[Sequence[str]], test: set[str], label_of: Mapping[str, str], file: str
) -> Iterator[tuple[str, str]]:
    """Patients who are missing, there twice, no test patient, or have an undecided label."""
    labels = [(row[0], row[1]) for row in rows if len(row) == 2]
    times = Counter(patient for patient, _ in labels)
    for patient in sorted(test - set(times)):
        yield patient, f"{file} lacks this test patient"
    for patient, n in times.items():
        if n > 1:
            yield patient, f"is {n} times in {file}"
        if patient not in test:
            yield patient, f"is in {file} and is no test patient"
    for patient, label in labels:
        if label_of.get(patient, label) != label:
            yield patient, f"{file} has label {label}, decided was {label_of[patient]}"
