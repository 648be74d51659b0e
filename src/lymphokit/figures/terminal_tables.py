"""Scores as text: the score table for a terminal, and the parts of such tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Column, Table

from lymphokit.evaluation.intervals import wilson_interval

LEVEL = 0.95  # of the Wilson intervals


def score_terminal_table(
    scores: pd.DataFrame, *, submitted: str, folds: str, level: float, note: str = ""
) -> Table:
    """Format the score table, with intervals in brackets and the submitted row in bold.

    scores: the score table with a column `naive`; folds: such as "5 folds"; level: confidence
    level of the intervals; note: a last line under the table.
    """
    table = Table(
        Column("model", no_wrap=True),
        *number_columns("balanced accuracy", "naive", "F1", "recall", "precision", "AUC"),
        title=f"Out of fold, {folds}, n = {scores['n_patients'].max()} patients",
        caption=(
            f"brackets: {level:.0%} bootstrap intervals, widened because training sets overlap; "
            "bold: submitted\n"
            "naive: optimistic balanced accuracy, everything selected on the patients scored"
            f"{note and chr(10)}{note}"
        ),
    )
    for row in scores.to_dict("records"):
        table.add_row(
            str(row["model"]),
            f"{row['balanced_accuracy']:.3f} [{row['low']:.2f}, {row['high']:.2f}]",
            *(f"{row[metric]:.3f}" for metric in ("naive", "f1", "recall", "precision")),
            f"{row['auc']:.3f} [{row['auc_low']:.2f}, {row['auc_high']:.2f}]",
            style="bold" if row["model"] == submitted else None,
        )
    return table


def number_columns(*headings: str) -> list[Column]:
    """Columns of numbers: aligned to the right, never wrapped."""
    return [Column(heading, justify="right", no_wrap=True) for heading in headings]


def with_interval(estimate: float, low: float, high: float, *, sign: str = "") -> str:
    """Format an estimate with its interval: `0.81 [0.73, 0.88]`; sign: `+` for differences.

    Fit for a table: rich takes a bracket for markup only where a letter follows.
    """
    texts = [two_decimals(value, sign=sign) for value in (estimate, low, high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"


def two_decimals(value: float, *, sign: str = "") -> str:
    """Format a number: `0.81`; sign: `+` for differences. None is shown as -0.00."""
    return f"{round(float(value), 2) + 0.0:{sign}.2f}"  # adding 0.0 turns -0.0 into 0.0


def percentage(row: Mapping[Any, Any], column: str) -> str:
    """Format a share with its interval, `92% (84 to 96)`; a dash where it is NaN.

    row: of a table with the columns `column`, `column_low` and `column_high`.
    """
    if np.isnan(row[column]):
        return "-"
    low, high = 100 * row[f"{column}_low"], 100 * row[f"{column}_high"]
    return f"{row[column]:.0%} ({low:.0f} to {high:.0f})"


def share_with_interval(share: float, n: int) -> str:
    """Format a share of n cells with its Wilson interval: `0.98 (0.94 to 0.99)`."""
    interval = wilson_interval(round(share * n), n, LEVEL)
    return f"{share:.2f} ({interval.low:.2f} to {interval.high:.2f})"


def in_words(model: str) -> str:
    """The model that others are compared with: what `clinical` reads, or its name."""
    return "age and count alone" if model == "clinical" else model


def join_names(names: Sequence[str]) -> str:
    """Join names for a sentence: `a, b and c`."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
