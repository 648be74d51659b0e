"""Learning curves with their bands, and the table for a terminal."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from lymphokit.studies.ablation import summarise
from lymphokit.studies.ablation_figure import (
    HEADINGS,
    ablation_terminal_table,
    learning_curve_figure,
)
from tests.figures.test_scores import text_of

CURVES = pd.concat(
    [
        pd.DataFrame(
            {
                "epoch": [1, 2, 3],
                "part": part,
                "n_patients": n,
                "metric": metric,
                "mean": np.array([0.5, 0.6, 0.65]) + shift,
                "std": [0.1, 0.05, np.nan],
            }
        )
        for part, n, shift in (("training", 64, 0.1), ("validation", 20, 0.0))
        for metric in ("balanced_accuracy", "loss")
    ]
)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "loss"])
def test_each_part_is_a_curve_of_means_in_a_band_of_one_deviation(metric: str) -> None:
    axes = learning_curve_figure(CURVES, metric, executions=10).axes[0]
    training, validation = axes.lines[:2]
    np.testing.assert_allclose(training.get_ydata(), [0.6, 0.7, 0.75])
    np.testing.assert_allclose(validation.get_xydata(), [[1, 0.5], [2, 0.6], [3, 0.65]])
    band = axes.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose([band[:, 1].min(), band[:, 1].max()], [0.4, 0.65])
    assert len(axes.lines) == (3 if metric == "balanced_accuracy" else 2)  # chance


def test_the_figure_names_the_number_of_executions_and_patients() -> None:
    figure = learning_curve_figure(CURVES, "loss", executions=10)
    text = text_of(figure)
    for words in ("10 executions", "standard deviation", "n = 64 patients", "n = 20 patients"):
        assert words in text


def scores() -> pd.DataFrame:
    rows = [
        {"variant": variant, "scheme": "split", "execution": execution, "fold": 1}
        | dict.fromkeys(list(HEADINGS), value + 0.1 * execution)
        for variant, value in (("D-MIL", 0.6), ("Max as aggregation", 0.5))
        for execution in (1, 2)
    ]
    return pd.DataFrame(rows)


def printed() -> list[str]:
    console = Console(width=160, file=io.StringIO())
    console.print(ablation_terminal_table(summarise(scores()), executions=2, n_patients=40))
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
    table = ablation_terminal_table(summarise(scores()), executions=2, n_patients=40)
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
