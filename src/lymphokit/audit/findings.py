"""The result of a check, the error that stops a build, and the audit as JSON and as a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natsort import natsorted
from rich.table import Table

from lymphokit.errors import Fault, LymphokitError, describe
from lymphokit.files import read_json
from lymphokit.integrity import remedy

SHOWN = 4  # models or patients named in a finding


class AuditError(LymphokitError):
    """Leaks: the findings of all checks at once."""

    def __init__(self, checks: Sequence["Check"]) -> None:
        self.checks = tuple(check for check in checks if check.faults)
        findings = counted(sum(len(check.faults) for check in self.checks), "finding")
        lines = [f"the audit fails with {findings}: the scores of this run may be wrong"]
        for check in self.checks:
            lines += [f"[{check.name}]", describe(check.faults)]
        super().__init__("\n".join(lines))


class AuditFileError(LymphokitError):
    """A file of leak checks cannot be read, or not all of its checks passed."""


@dataclass(frozen=True)
class Check:
    """The result of one check: its name, what it compared (a text with counts), its findings."""

    name: str
    compared: str
    faults: tuple[Fault, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        findings = [
            {"patient": fault.patient, "finding": fault.finding, "remedy": fault.remedy}
            for fault in self.faults
        ]
        return {
            "check": self.name,
            "passed": not self.faults,
            "compared": self.compared,
            "findings": findings,
        }


def raise_on_findings(checks: Sequence[Check]) -> None:
    """Raise AuditError, with all findings, where a check has any."""
    if any(check.faults for check in checks):
        raise AuditError(checks)


def passed_checks(file: Path) -> list[dict[str, Any]]:
    """The checks in leaks.json. Raises AuditFileError unless each of them has passed."""
    try:
        content = read_json(file)
    except LymphokitError as error:
        raise AuditFileError(str(error)) from error
    checks = content.get("checks") if isinstance(content, dict) else None
    if not isinstance(checks, list) or not checks:
        raise AuditFileError(f"{file} holds no checks: {remedy(file)}")
    if not all(map(_has_passed, checks)):
        raise AuditFileError(f"{file} has checks that did not pass: {remedy(file)}")
    return checks


def failed_checks(checks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the checks that did not pass; checks: of the JSON file."""
    return [str(check["check"]) for check in checks if not check["passed"]]


def _has_passed(check: Any) -> bool:
    if not isinstance(check, dict) or not isinstance(check.get("check"), str):
        return False
    return check.get("passed") is True and check.get("findings") == []


class FindingsByModel:
    """Findings that several models share: one fault each, with the names of the models."""

    def __init__(self, remedy: str) -> None:
        self.remedy = remedy
        self._models: dict[tuple[str, str], list[str]] = {}

    def add(self, patient: str, finding: str, model: str) -> None:
        """Add a finding about a patient, or about a file, in one model."""
        self._models.setdefault((patient, finding), []).append(model)

    def faults(self) -> tuple[Fault, ...]:
        """Every finding once, patients in natural order."""
        return tuple(
            Fault(patient, f"{finding}: {some(models)}", self.remedy)
            for (patient, finding), models in natsorted(self._models.items())
        )


def some(names: Iterable[str]) -> str:
    """The first few names, each once, and the number of further names."""
    each = list(dict.fromkeys(names))
    more = len(each) - SHOWN
    return ", ".join(each[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 fold, 2 folds."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def as_json(checks: Sequence[Check], **more: Any) -> Mapping[str, Any]:
    """All checks for audit.json."""
    return {"checks": [check.as_dict() for check in checks], **more}


def audit_table(checks: Iterable[Mapping[str, Any]]) -> Table:
    """A terminal table with a line per check: whether it passed, and what was compared.

    checks: `check, passed, compared, findings` as in audit.json.
    """
    table = Table(title="Leak audit", box=None, show_header=False, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("compared")
    for check in checks:
        n = len(check["findings"])
        verdict = "[green]PASS[/]" if check["passed"] else f"[bold red]FAIL {n}[/]"
        table.add_row(verdict, check["check"], check["compared"])
    return table
