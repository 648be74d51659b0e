"""Tables for a terminal: data in, table out."""

import pandas as pd
from rich.table import Table


def terminal_table(scores: pd.DataFrame, *, submitted: str, folds: str, level: float) -> Table:
    """The score table for reading: intervals in brackets, the submitted row in bold.

    scores: the score table; folds: how they were made, such as "5 folds"; level: the share of
    resamples that an interval holds.
    """
    table = Table(
        title=f"Out of fold, {folds}, n = {scores['n_patients'].max()} patients",
        caption=f"brackets: {level:.0%} intervals over resampled patients; bold: submitted",
    )
    table.add_column("model", no_wrap=True)
    for heading in ("balanced accuracy", "F1", "recall", "precision", "AUC"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in scores.to_dict("records"):
        table.add_row(
            str(row["model"]),
            f"{row['balanced_accuracy']:.3f} \\[{row['low']:.2f}, {row['high']:.2f}]",
            *(f"{row[metric]:.3f}" for metric in ("f1", "recall", "precision")),
            f"{row['auc']:.3f} \\[{row['auc_low']:.2f}, {row['auc_high']:.2f}]",
            style="bold" if row["model"] == submitted else None,
        )
    return table
