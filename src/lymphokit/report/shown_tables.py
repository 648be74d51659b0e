"""Tables of a run as texts: numbers rounded, intervals beside their estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

MOST_ROWS = 60
_NAMES = {
    "auc": "AUC",
    "f1": "F1",
    "ece": "ECE",
    "mcnemar_p": "McNemar p",
    "p": "p",
    "adjusted_p": "adjusted p",
    "n_patients": "n",
}


@dataclass(frozen=True)
class ShownTable:
    """A table as the page shows it.

    numeric: whether a column holds numbers, which are aligned to the right; marked: whether a row
    is that of the submitted blend; n_rows: of the whole table, which may be longer.
    """

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: tuple[bool, ...]
    n_rows: int


def shown_table(
    table: pd.DataFrame, *, left_out: Sequence[str] = (), submitted: str = "", most: int = MOST_ROWS
) -> ShownTable:
    """A table for the page: `x`, `x_low` and `x_high` in one column, columns of nothing left out.

    `low` and `high` without a name belong to the column before them.
    """
    head = table.head(most)
    columns = {
        heading: texts
        for heading, texts in _columns(head, set(left_out)).items()
        if any(text for text, _ in texts)
    }
    rows = zip(*([text for text, _ in texts] for texts in columns.values()), strict=True)
    marked = head["model"].eq(submitted).tolist() if "model" in head else [False] * len(head)
    numeric = tuple(all(number for text, number in texts if text) for texts in columns.values())
    return ShownTable(tuple(columns), numeric, tuple(rows), tuple(marked), len(table))


def _columns(table: pd.DataFrame, left_out: set[str]) -> dict[str, list[tuple[str, bool]]]:
    """The texts of each shown column, and whether each is a number, by heading."""
    names = [str(name) for name in table.columns]
    columns = {}
    for place, name in enumerate(names):
        low, high = f"{name}_low", f"{name}_high"
        if names[place + 1 : place + 3] == ["low", "high"]:
            low, high = "low", "high"
        bound = name in ("low", "high") or (
            name.endswith(("_low", "_high")) and name.rpartition("_")[0] in names
        )
        if name in left_out or bound:
            continue
        has_interval = low in names and high in names
        columns[heading(name)] = [
            _cell(row[name], (row[low], row[high]) if has_interval else None)
            for row in table.to_dict("records")
        ]
    return columns


def _cell(value: Any, interval: tuple[Any, Any] | None) -> tuple[str, bool]:
    text, is_number = number(value), isinstance(value, (int, float, np.number))
    if not text or interval is None or pd.isna(interval[0]):
        return text, is_number
    return f"{text} [{number(interval[0], 2)}, {number(interval[1], 2)}]", is_number


def number(value: Any, decimals: int = 3) -> str:
    """A value as text: a number rounded, nothing where it is missing."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if float(value).is_integer() and abs(value) < 1e15 and (abs(value) >= 2 or value == 0):
        return f"{int(value):,}"
    if 0 < abs(value) < 10**-decimals:
        return f"{value:.1g}"
    return f"{value:.{0 if abs(value) >= 1000 else decimals}f}"


def heading(name: str) -> str:
    """The heading of a column."""
    return _NAMES.get(name, name.replace("_", " ").replace(" auc", " AUC"))
