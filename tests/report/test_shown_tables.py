"""Tables as texts: rounded, with intervals beside their estimates."""

import numpy as np
import pandas as pd

from lymphokit.report.shown_tables import number, shown_table


def test_an_interval_stands_beside_its_estimate() -> None:
    table = pd.DataFrame(
        {
            "model": ["a", "b"],
            "balanced_accuracy": [0.91234, 0.5],
            "low": [0.8, np.nan],
            "high": [0.95, np.nan],
            "auc": [0.9, 0.5],
            "auc_low": [0.85, 0.4],
            "auc_high": [1.0, 0.6],
            "empty": [np.nan, np.nan],
            "n_patients": [100, 100],
        }
    )
    shown = shown_table(table, left_out=["n_patients"], submitted="b")
    assert shown.headings == ("model", "balanced accuracy", "AUC")
    assert shown.rows[0] == ("a", "0.912 [0.80, 0.95]", "0.900 [0.85, 1.00]")
    assert shown.rows[1][1] == "0.500"
    assert shown.marked == (False, True)
    assert shown.numeric == (False, True, True)


def test_a_long_table_is_cut_and_its_length_kept() -> None:
    shown = shown_table(pd.DataFrame({"x": range(100)}), most=3)
    assert (len(shown.rows), shown.n_rows) == (3, 100)


def test_numbers_keep_what_a_reader_needs() -> None:
    assert [number(value) for value in (1234.0, 12, 0, 0.00002, -0.25, np.nan, None)] == [
        *("1,234", "12", "0", "2e-05", "-0.250", "", "")
    ]
    assert [number(value) for value in (True, np.bool_(False), "text")] == ["yes", "no", "text"]
