import io

import pandas as pd
from rich.console import Console

from lymphokit.figures.tables import checks_terminal_table, terminal_table
from tests.figures.test_scores import SCORES


def test_the_table_reads_well_on_a_narrow_terminal():
    console = Console(width=100, file=io.StringIO())
    table = terminal_table(SCORES, submitted="stack", folds="5 folds", level=0.95)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    (row,) = [line for line in lines if "stack" in line]
    assert "0.810 [0.73, 0.88]" in row
    assert "0.900 [0.83, 0.95]" in row
    assert any("n = 121 patients" in line for line in lines)
    assert any("95%" in line for line in lines)
    assert [style for row in table.rows for style in [row.style]] == [None, None, "bold"]


def test_checks_are_a_row_a_model_in_the_order_given():
    checks = pd.DataFrame(
        {
            "model": ["pooled", "pooled", "mi_svm", "mi_svm"],
            "check": ["single_concept", "multi_concept"] * 2,
            "train_auc": [1.0, 0.9, 1.0, 0.7],
            "test_auc": [0.1, 0.2, 0.98, 0.5],
            "verdict": ["failed", "failed", "passed", "undecided"],
        }
    )
    console = Console(width=100, file=io.StringIO())
    console.print(checks_terminal_table(checks))
    printed = console.file.getvalue()
    assert "single concept" in printed
    (pooled,) = [line for line in printed.splitlines() if "pooled" in line]
    (mi_svm,) = [line for line in printed.splitlines() if "mi_svm" in line]
    assert printed.index("pooled") < printed.index("mi_svm")
    assert pooled.split()[3:8] == ["failed", "1.00", ">", "0.10", "│"]
    assert "passed    1.00 > 0.98" in mi_svm
    assert "undecided 0.70 > 0.50" in mi_svm
