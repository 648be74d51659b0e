"""The figure, the terminal table and the finding of the spread of single splits."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from lymphokit.figures.style import VERMILION
from lymphokit.studies.spread import split_scores, spread_decisions, spread_table
from lymphokit.studies.spread_figure import finding, spread_figure, spread_terminal_table
from tests.figures.test_scores import text_of
from tests.studies.cohorts import FOLD_SETTINGS, labelled


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort, _ = labelled(clinical=1.0)
    decisions = spread_decisions(
        cohort, repeats=2, fold_settings=FOLD_SETTINGS, rule="midpoint", seed=1
    )
    return spread_table(decisions, resamples=100, level=0.9, seed=0), split_scores(decisions)


def test_every_split_is_a_point_at_its_score(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    table, parts = made
    figure = spread_figure(table, parts, n_patients=60, level=0.9)
    for axes, metric in zip(figure.axes, ("balanced_accuracy", "auc"), strict=True):
        points = [drawn.get_offsets()[:, 0] for drawn in axes.collections[1::3]]  # type: ignore[index]
        shown = np.sort(np.concatenate([np.asarray(each) for each in points]))
        expected = np.sort(parts.loc[parts["split"] == "part", metric])
        np.testing.assert_allclose(shown, expected)
    text = text_of(figure)
    assert all(words in text for words in ("90% interval", "6 validation parts", "67% to 33%"))


def test_parts_drawings_and_the_pooled_score_lie_above_each_other(
    made: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    axes = spread_figure(*made, n_patients=60, level=0.9).axes[0]
    for model, (part, repeat) in enumerate(
        zip(axes.collections[1::3], axes.collections[2::3], strict=True)
    ):
        heights = [np.asarray(drawn.get_offsets())[:, 1] for drawn in (part, repeat)]
        pooled = axes.lines[2 * model + 1].get_ydata()[0]  # type: ignore[index]
        assert heights[0].max() < heights[1].min() < heights[1].max() < pooled  # axis points down
        assert axes.lines[2 * model + 1].get_color() == VERMILION


def test_the_title_names_the_extremes_of_single_splits_beside_the_interval(
    made: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    table = made[0].assign(parts_min=0.61, parts_max=0.97, low=0.71, high=0.89, pooled=0.8)
    title = finding(table)
    assert "20 patients" in title
    assert "0.61 to 0.97" in title
    assert "0.80 (0.71 to 0.89)" in title


def test_the_terminal_table_has_a_row_a_model_and_score(
    made: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    console = Console(width=140, file=io.StringIO())
    console.print(spread_terminal_table(made[0], n_patients=60, level=0.9))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    row = made[0].iloc[1]
    assert f"{row['pooled']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" in printed
    assert f"{row['parts_min']:.2f} to {row['parts_max']:.2f} ({row['parts_sd']:.2f})" in printed
    assert printed.count(" AUC ") == 3
    assert "6 single parts of 20" in " ".join(printed.split())
