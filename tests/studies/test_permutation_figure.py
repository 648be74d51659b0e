"""The figure, the terminal table and the findings of the permutation test."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from lymphokit.figures.style import BLUE, VERMILION
from lymphokit.studies.permutation import permutation_table
from lymphokit.studies.permutation_figure import (
    SHUFFLED,
    findings,
    permutation_figure,
    permutation_terminal_table,
)
from tests.figures.test_scores import text_of

OBSERVED = pd.DataFrame(
    {
        "model": ["clinical", "pooled", "pooled+clinical"],
        "balanced_accuracy": [0.8, 0.5, 0.85],
        "auc": [0.9, 0.5, 0.95],
    }
)


def null(images_at: float = 0.75) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    tests = [(model, "labels", 0.5) for model in OBSERVED["model"]]
    tests += [("pooled+clinical", kind, images_at) for kind in ("images", "images_of_size")]
    tables = []
    for model, shuffle, centre in tests:
        scores = rng.normal(centre, 0.02, (199, 2))
        table = pd.DataFrame(scores, columns=["balanced_accuracy", "auc"])
        tables.append(table.assign(model=model, shuffle=shuffle, number=range(199)))
    return pd.concat(tables)


def table(**drawn: float) -> pd.DataFrame:
    return permutation_table(OBSERVED, null(**drawn))


def test_the_title_separates_significant_models_from_others() -> None:
    first, second, third = findings(table())
    assert "clinical, pooled+clinical (p = 0.005)" in first
    assert ": pooled (p = 0." in second
    assert "pooled+clinical" in third
    assert "(p = 0.005)" in third


def test_images_add_only_if_every_shuffle_of_them_is_significant() -> None:
    shown = table()
    one = (shown["shuffle"] == "images_of_size") & (shown["metric"] == "balanced_accuracy")
    shown.loc[one, "p"] = 0.07
    finding = findings(shown)[-1]
    assert "images not shown to add" in finding
    assert "p = 0.005 to 0.070" in finding


def test_a_row_a_test_with_the_score_as_a_line_and_the_clinical_one_where_images_move() -> None:
    figure = permutation_figure(table(), null(), n_patients=121, clinical="clinical")
    assert len(figure.axes) == 5 * 2
    for place, axes in enumerate(figure.axes):
        lines = {line.get_color(): line.get_xdata()[0] for line in axes.lines}  # type: ignore[index]
        metric = ["balanced_accuracy", "auc"][place % 2]
        observed = OBSERVED[metric].iloc[min(place // 2, 2)]
        assert lines[VERMILION] == pytest.approx(observed)
        if place < 6:
            assert BLUE not in lines
        else:
            assert lines[BLUE] == pytest.approx(OBSERVED[metric].iloc[0])
    assert "199 shuffles" in text_of(figure)
    assert "n = 121 patients" in text_of(figure)


def test_no_shuffle_is_left_out_of_its_histogram() -> None:
    chance = null()
    chance.iloc[0, :2] = 0.05
    figure = permutation_figure(table(), chance, n_patients=121, clinical=None)
    assert all(sum(bar.get_height() for bar in axes.patches) == 199 for axes in figure.axes)
    assert all(axes.get_xlim()[0] <= 0.05 for axes in figure.axes)


def test_a_row_of_the_terminal_table_has_score_null_and_p() -> None:
    console = Console(width=140, file=io.StringIO())
    console.print(permutation_terminal_table(table(), n_patients=121))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    (row,) = [line for line in lines if SHUFFLED["images"] in line]
    assert "0.85 vs 0.75 (0.7" in row
    assert row.count("0.005") == 2
    assert "199 shuffles" in lines[0]
