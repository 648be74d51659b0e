"""Scores as text: tables for a terminal, and a share with its interval."""

import pandas as pd
from rich.table import Table

from lymphokit.evaluation.intervals import wilson_interval

LEVEL = 0.95  # of the Wilson intervals


def terminal_table(scores: pd.DataFrame, *, submitted: str, folds: str, level: float) -> Table:
    """Format the score table, with intervals in brackets and the submitted row in bold.

    scores: the score table with a column `naive`; folds: such as "5 folds"; level: confidence
    level of the intervals.
    """
    table = Table(
        title=f"Out of fold, {folds}, n = {scores['n_patients'].max()} patients",
        caption=(
            f"brackets: {level:.0%} bootstrap intervals, widened because training sets overlap; "
            "bold: submitted\n"
            "naive: optimistic balanced accuracy, everything selected on the patients scored"
        ),
    )
    table.add_column("model", no_wrap=True)
    for heading in ("balanced accuracy", "naive", "F1", "recall", "precision", "AUC"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in scores.to_dict("records"):
        table.add_row(
            str(row["model"]),
            f"{row['balanced_accuracy']:.3f} \\[{row['low']:.2f}, {row['high']:.2f}]",
            *(f"{row[metric]:.3f}" for metric in ("naive", "f1", "recall", "precision")),
            f"{row['auc']:.3f} \\[{row['auc_low']:.2f}, {row['auc_high']:.2f}]",
            style="bold" if row["model"] == submitted else None,
        )
    return table


def share_with_interval(share: float, n: int) -> str:
    """Format a share of n cells with its Wilson interval: `0.98 (0.94 to 0.99)`."""
    interval = wilson_interval(round(share * n), n, LEVEL)
    return f"{share:.2f} ({interval.low:.2f} to {interval.high:.2f})"
