"""A CSV that is not the receipt's, the test patients' or the decisions' is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lymphokit.audit.findings import Check
from lymphokit.audit.submission_check import check_submission
from lymphokit.ensemble.fold import submission_labels
from lymphokit.provenance import file_sha256
from tests.audit import runs

NAME = "submissions/now.csv"


def written(folder: Path, change: Callable[[list[str]], list[str]] | None = None) -> Any:
    """A submission with its decisions; changed, where asked, before it gets its sha256."""
    tables = runs.predictions()
    decisions = runs.decisions(tables, runs.blends(tables))
    labels = submission_labels(decisions, "stack")
    rows = [f"{row.patient},{row.label}" for row in labels.itertuples()]
    lines = ["ID,LABEL", *rows]
    file = folder / NAME
    file.parent.mkdir()
    file.write_text("\n".join(change(lines) if change else lines) + "\n")
    return decisions, {"file": NAME, "blend": "stack", "sha256": file_sha256(file)}


def checked(folder: Path, decisions: Any, receipt: Any) -> Check:
    return check_submission(receipt, folder, runs.patients(), decisions, header=("ID", "LABEL"))


def test_the_submission_that_was_decided_passes(tmp_path: Path) -> None:
    check = checked(tmp_path, *written(tmp_path))
    assert check.faults == ()
    assert check.compared == "now.csv: 5 rows, 5 test patients, the labels of stack"


def flipped(lines: list[str]) -> list[str]:
    patient, label = lines[1].split(",")
    return [lines[0], f"{patient},{1 - int(label)}", *lines[2:]]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda lines: lines[:-1], f"P28: {NAME} lacks this test patient"),
        (lambda lines: [*lines, lines[1]], f"P24: is 2 times in {NAME}"),
        (lambda lines: [*lines, "P3,1"], f"P3: is in {NAME} and is no test patient"),
        (lambda lines: ["Id,Predicted", *lines[1:]], f"{NAME}: starts with ['Id', 'Predicted']"),
        (lambda lines: [*lines[:-1], "P28"], f"{NAME}: a row of 1 values: P28"),
        (lambda _: [], "P24"),
        (flipped, f"P24: {NAME} has label "),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, change: Callable[[list[str]], list[str]], finding: str
) -> None:
    assert finding in runs.findings(checked(tmp_path, *written(tmp_path, change)))


def test_a_file_that_was_changed_afterwards_is_found(tmp_path: Path) -> None:
    decisions, receipt = written(tmp_path)
    with (tmp_path / NAME).open("a") as file:
        file.write("\n")
    found = runs.findings(checked(tmp_path, decisions, receipt))
    assert found == f"{NAME}: has another sha256 than its receipt: it was changed"


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    decisions, receipt = written(tmp_path)
    (tmp_path / NAME).unlink()
    assert runs.findings(checked(tmp_path, decisions, receipt)) == f"{NAME}: is not there"
