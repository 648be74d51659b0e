"""Tables for a terminal: data in, table out."""

import pandas as pd
from rich.table import Table

STYLES = {"passed": "green", "failed": "bold red", "undecided": "yellow"}


def terminal_table(scores: pd.DataFrame, *, submitted: str, folds: str, level: float) -> Table:
    """The score table for reading: intervals in brackets, the submitted row in bold.

    scores: the score table with a column `naive`; folds: how they were made, such as "5 folds";
    level: the share of resamples that an interval holds.
    """
    table = Table(
        title=f"Out of fold, {folds}, n = {scores['n_patients'].max()} patients",
        caption=(
            f"brackets: {level:.0%} intervals over resampled patients, widened, for folds share "
            "patients; bold: submitted\n"
            "naive: balanced accuracy, had all been chosen on the patients scored: not to believe"
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


def checks_terminal_table(checks: pd.DataFrame) -> Table:
    """The table of multiple-instance checks for reading: a row a model, a column a check.

    checks: `model, check, train_auc, test_auc, verdict` as of `checks_table`.
    """
    table = Table(
        title="Multiple-instance checks on synthetic bags: verdict, AUC in training > in testing",
        caption="passed: clearly right in testing; failed: clearly upside down; undecided: neither",
    )
    table.add_column("model", no_wrap=True)
    for check in checks["check"].unique():
        table.add_column(str(check).replace("_", " "), no_wrap=True)
    for model, rows in checks.groupby("model", sort=False):
        found = [
            f"[{STYLES[row['verdict']]}]{row['verdict']:9}[/] "
            f"{row['train_auc']:.2f} > {row['test_auc']:.2f}"
            for row in rows.to_dict("records")
        ]
        table.add_row(str(model), *found)
    return table
