"""The audit for reading: data in, table out."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table


def audit_table(checks: Iterable[Mapping[str, Any]]) -> Table:
    """A line a check: whether it passed, and what was compared.

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
