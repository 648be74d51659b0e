"""Every approach of the report, its figures beside ours.

The report validates on one stratified split of 20% of the patients, on which settings were tuned
as well, and gives scores of a leaderboard with 42 patients. Ours are nested and out of fold; the
column `naive` is the one to hold against the report's validation.
"""

from typing import Any

import pandas as pd
from rich.table import Column, Table

from lymphokit.figures.terminal_tables import number_columns, with_interval

# Section, approach, balanced accuracy on its validation set and on the leaderboard, by the name of
# our model or blend. Source: report 5.1.1, 5.1.2, 5.2.2 f, 5.2.3 (table 1), 4.5, 6 and appendix.
REPORT: tuple[tuple[str, str, str, float | None, float | None], ...] = (
    ("clinical_xgb", "5.1.2", "XGBoost, only clinical data", 0.69, None),
    ("mi_svm", "5.1.1", "MI-SVM with PCA", 0.74, None),
    ("mi_svm_xgb", "5.1.2", "MI-SVM & XGBoost", 0.82, 0.82),
    ("d_mil", "5.2.2 f", "D-MIL, best execution", 0.8348, 0.7558),
    ("d_mil", "table 1", "D-MIL, mean of 7 executions", 0.759, None),
    ("d_mil_tuned", "5.2", "D-MIL with other settings", None, None),
    ("end_to_end", "5.2.2 d", "D-MIL end to end; 'didn't improve our results'", None, None),
    ("pseudo_label_xgb", "4.5", "pseudo-labels, XGBoost", 0.963, 0.823),
    ("bag_start_xgb", "4", "the same without labelled cells", None, None),
    ("pseudo_label_lgbm", "4.4.3", "pseudo-labels, LightGBM", None, None),
    ("pooled_blood", "3.4.2", "features of blood cells; not used", None, None),
    ("one_class", "appendix", "one-class SVM; dropped", None, None),
    ("instance_cnn", "appendix", "naive instance network; dropped", None, None),
    ("instance_cnn_xgb", "appendix", "the same & XGBoost; dropped", None, None),
    ("vote", "6", "vote of the five best", None, 0.8571),
)


def approaches_table(scores: pd.DataFrame) -> pd.DataFrame:
    """The report's approaches in its order, then all other models and blends.

    scores: the score table with a column `naive`. Columns `approach, section, model,
    report_validation, report_board`, then the score table's; scores are missing where the model
    did not run.
    """
    columns = ["model", "section", "approach", "report_validation", "report_board"]
    report = pd.DataFrame(REPORT, columns=columns).astype(
        {"report_validation": "float64", "report_board": "float64"}
    )
    others = scores.loc[~scores["model"].isin(report["model"]), ["model"]]
    rows = pd.concat([report, others.assign(section="", approach="")], ignore_index=True)
    return rows.merge(scores, on="model", how="left", validate="m:1")


def approaches_terminal_table(table: pd.DataFrame, *, folds: str, level: float) -> Table:
    """Format the table of approaches; folds: such as "5 folds"; level: of the intervals."""
    shown = Table(
        Column("report", no_wrap=True),
        Column("approach"),
        *number_columns("validation", "board"),
        Column("model", no_wrap=True),
        *number_columns("balanced accuracy", "naive", "AUC"),
        title=f"The report's approaches and ours, {folds}, n = {table['n_patients'].max():.0f} "
        "patients",
        caption=f"report: one split, 142 training patients; ours: nested, {level:.0%} intervals; "
        "naive: everything selected on the patients scored",
    )
    for row in table.to_dict("records"):
        shown.add_row(
            row["section"],
            row["approach"],
            _number(row["report_validation"]),
            _number(row["report_board"]),
            str(row["model"]),
            _scored(row, "balanced_accuracy", "low", "high"),
            _number(row["naive"]),
            _scored(row, "auc", "auc_low", "auc_high"),
        )
    return shown


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


def _scored(row: dict[Any, Any], score: str, low: str, high: str) -> str:
    return "rests" if pd.isna(row[score]) else with_interval(row[score], row[low], row[high])
