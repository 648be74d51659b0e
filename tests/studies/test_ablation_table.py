"""The ablation's table for a terminal."""

import io

import pandas as pd
from rich.console import Console

from lymphokit.studies.ablation import summarise
from lymphokit.studies.ablation_table import HEADINGS, ablation_table

METRICS = list(HEADINGS)


def scores() -> pd.DataFrame:
    rows = [
        {"variant": variant, "scheme": "split", "execution": execution, "fold": 1}
        | dict.fromkeys(METRICS, value + 0.1 * execution)
        for variant, value in (("D-MIL", 0.6), ("Max as aggregation", 0.5))
        for execution in (1, 2)
    ]
    return pd.DataFrame(rows)


def printed() -> list[str]:
    console = Console(width=160, file=io.StringIO())
    console.print(ablation_table(summarise(scores()), executions=2, n_patients=40))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_our_rows_stand_below_the_reports() -> None:
    lines = printed()
    (first,) = [place for place, line in enumerate(lines) if "│ D-MIL " in line]
    assert ".759 ± .036 (.834)" in lines[first]
    assert "split" in lines[first + 1]
    # 0.7 and 0.8: mean, sample deviation, best.
    assert ".750 ± .071 (.800)" in lines[first + 1]
    assert any("2 executions, n = 40 patients" in line for line in lines)
    assert max(len(line) for line in lines) <= 160


def test_the_best_mean_of_each_source_is_bold_the_lowest_of_losses() -> None:
    table = ablation_table(summarise(scores()), executions=2, n_patients=40)
    cells = {column.header: list(column.cells) for column in table.columns}
    sources = cells["source"]
    bold = {
        heading: [
            place
            for place, cell in enumerate(cells[heading])
            if sources[place] == "split" and "[bold]" in str(cell)
        ]
        for heading in ("recall", "loss")
    }
    rows = [place for place, source in enumerate(sources) if source == "split"]
    assert bold == {"recall": [rows[0]], "loss": [rows[1]]}
