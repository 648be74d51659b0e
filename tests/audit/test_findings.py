import io

import pytest
from rich.console import Console

from lymphokit.audit.findings import (
    AuditError,
    Check,
    FindingsByModel,
    as_json,
    audit_table,
    raise_on_findings,
    some,
)
from lymphokit.errors import Fault

CHECKS = [
    Check("folds", "5 folds", ()),
    Check("images", "9 images", (Fault("P1", "a.jpg is b.jpg of P2", "remove one"),)),
    Check("fits", "3 fits", (Fault("P2", "was fitted on", "fit again"),) * 2),
]


def test_the_error_lists_all_findings_of_all_checks_with_their_remedies() -> None:
    with pytest.raises(AuditError) as caught:
        raise_on_findings(CHECKS)
    found = str(caught.value).splitlines()
    assert found[0].startswith("the audit fails with 3 findings")
    assert found[1:4] == ["[images]", "P1: a.jpg is b.jpg of P2", "remove one"]
    assert found[4] == "[fits]"
    assert found[-1] == "fit again"


def test_nothing_is_raised_where_nothing_is_found() -> None:
    raise_on_findings(CHECKS[:1])


def test_the_file_lists_what_passed_as_well() -> None:
    written = as_json(CHECKS, known_duplicates=[])
    assert [check["passed"] for check in written["checks"]] == [True, False, False]
    assert written["checks"][1]["findings"] == [
        {"patient": "P1", "finding": "a.jpg is b.jpg of P2", "remedy": "remove one"}
    ]


def test_a_finding_of_many_models_is_listed_once() -> None:
    found = FindingsByModel("fit again")
    for model in "abcdef":
        found.add("P10", "was fitted on", model)
    found.add("P2", "was fitted on", "a")
    assert [(fault.patient, fault.finding) for fault in found.faults()] == [
        ("P2", "was fitted on: a"),
        ("P10", "was fitted on: a, b, c, d and 2 more"),
    ]
    assert some(["a", "b", "a"]) == "a, b"


def test_a_line_per_check_shows_whether_it_passed_and_what_was_compared() -> None:
    console = Console(width=90, file=io.StringIO())
    findings = [{"patient": "P1", "finding": "f", "remedy": "r"}] * 2
    checks = [
        {"check": "folds", "passed": True, "compared": "5 folds: 0 wrong", "findings": []},
        {"check": "images", "passed": False, "compared": "9 images: 2", "findings": findings},
    ]
    console.print(audit_table(checks))
    lines = console.file.getvalue().splitlines()
    assert any(line.split() == ["PASS", "folds", "5", "folds:", "0", "wrong"] for line in lines)
    assert any(line.split()[:3] == ["FAIL", "2", "images"] for line in lines)
