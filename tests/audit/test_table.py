import io

from rich.console import Console

from lymphokit.audit.table import audit_table


def test_a_line_a_check_says_whether_it_passed_and_what_was_compared() -> None:
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
