"""The table of approaches: the report's rows first, ours beside them, all others after."""

import pandas as pd
from rich.console import Console

from lymphokit.studies.approaches import REPORT, approaches_table, approaches_terminal_table

COLUMNS = ["balanced_accuracy", "low", "high", "naive", "auc", "auc_low", "auc_high"]


def scores_of(*models: str) -> pd.DataFrame:
    rows = [{"model": name, **dict.fromkeys(COLUMNS, 0.75), "n_patients": 121} for name in models]
    return pd.DataFrame(rows)


def test_every_approach_of_the_report_has_its_row_also_where_it_did_not_run() -> None:
    table = approaches_table(scores_of("mi_svm", "d_mil", "mine", "stack"))
    assert table["model"].tolist() == [*(row[0] for row in REPORT), "mine", "stack"]
    by_model = table.set_index("model")
    assert by_model.loc["mi_svm", "report_validation"] == 0.74
    assert by_model.loc["vote", "report_board"] == 0.8571
    assert by_model["balanced_accuracy"].notna().groupby(level=0).all().to_dict() == {
        name: name in ("mi_svm", "d_mil", "mine", "stack") for name in set(table["model"])
    }


def test_the_report_and_ours_stand_in_one_line() -> None:
    table = approaches_table(scores_of("mi_svm_xgb"))
    console = Console(width=200, record=True)
    console.print(approaches_terminal_table(table, folds="5 folds", level=0.95))
    (line,) = (line for line in console.export_text().splitlines() if "mi_svm_xgb" in line)
    assert "0.820" in line
    assert "0.75 [0.75, 0.75]" in line
    assert "rests" not in line
