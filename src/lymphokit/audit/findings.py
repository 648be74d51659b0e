"""What a check compared and found, and the error that stops a build."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from natsort import natsorted

from lymphokit.errors import Fault, LymphokitError, describe

SHOWN = 4  # models or patients named in a finding


class AuditError(LymphokitError):
    """Leaks: everything that all checks found, at once."""

    def __init__(self, checks: Sequence["Check"]) -> None:
        self.checks = tuple(check for check in checks if check.faults)
        findings = counted(sum(len(check.faults) for check in self.checks), "finding")
        lines = [f"the audit fails with {findings}: this run cannot be believed as it is"]
        for check in self.checks:
            lines += [f"[{check.name}]", describe(check.faults)]
        super().__init__("\n".join(lines))


@dataclass(frozen=True)
class Check:
    """One check: its name, what it compared in words with the numbers in them, what is wrong."""

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


class FindingsByModel:
    """Findings that many models share, told once with the names of the models."""

    def __init__(self, remedy: str) -> None:
        self.remedy = remedy
        self._models: dict[tuple[str, str], list[str]] = {}

    def add(self, patient: str, finding: str, model: str) -> None:
        """One finding about a patient, or about a file, in one model."""
        self._models.setdefault((patient, finding), []).append(model)

    def faults(self) -> list[Fault]:
        """Every finding once, patients in natural order."""
        return [
            Fault(patient, f"{finding}: {some(models)}", self.remedy)
            for (patient, finding), models in natsorted(self._models.items())
        ]


def some(names: Iterable[str]) -> str:
    """The first few names, each once, and how many more there are."""
    each = list(dict.fromkeys(names))
    more = len(each) - SHOWN
    return ", ".join(each[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 fold, 2 folds."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def as_json(checks: Sequence[Check], **more: Any) -> Mapping[str, Any]:
    """All checks for audit.json."""
    return {"checks": [check.as_dict() for check in checks], **more}
