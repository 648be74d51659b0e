"""The verdict follows from four intervals; every verdict can be told and drawn."""

from pathlib import Path

import pandas as pd
import pytest

from lymphokit.cohort.tables import read_table, write_table
from lymphokit.robustness.stain_columns import BOTH
from lymphokit.robustness.stain_figure import stain_forest
from lymphokit.robustness.stain_test import NO_IMAGES
from lymphokit.robustness.stain_verdict import (
    product_model,
    stain_sentences,
    survives,
    verdict,
    warning,
)
from tests.robustness.stained import given, planted, table_of

Numbers = tuple[float, float, float]
NAN = float("nan")


@pytest.fixture(scope="module")
def tested() -> pd.DataFrame:
    cohort, descriptors = planted(stain=0.0, cells=1.0, n=40)
    return table_of(cohort, {"given": cohort.versions(given(cohort, descriptors), 4)})


def changed(table: pd.DataFrame, **numbers: Numbers) -> pd.DataFrame:
    """The table with other numbers in the rows that the verdict reads."""
    table = table.copy()
    for name, values in numbers.items():
        quantity = "removed - control" if name == "difference" else name
        rows = (table["quantity"] == quantity) & (table["metric"] == "auc")
        rows &= (table["score"] == "images") & (table["model"] != NO_IMAGES)
        rows &= table["columns"] == ("none" if name == "score" else BOTH)
        assert rows.sum() == 1
        table.loc[rows, ["estimate", "low", "high"]] = values
    return table


SCORE, CONTROL = (0.9, 0.8, 0.95), (0.88, 0.78, 0.94)
CASES = [
    # no further than the control
    (SCORE, (0.87, 0.76, 0.94), CONTROL, (-0.01, -0.05, 0.03), "survives", True),
    # further, but so few patients do not prove it
    (SCORE, (0.75, 0.6, 0.86), CONTROL, (-0.13, -0.28, 0.02), "survives in part", True),
    # further
    (SCORE, (0.75, 0.6, 0.86), CONTROL, (-0.13, -0.22, -0.02), "survives in part", True),
    # to chance, also where the control falls nearly as far
    (SCORE, (0.6, 0.45, 0.75), (0.65, 0.52, 0.8), (-0.05, -0.2, 0.1), "rests on colour", False),
    ((0.6, 0.45, 0.75), (0.5, 0.4, 0.6), (0.6, 0.5, 0.7), (-0.1, -0.2, 0.1), "no better", False),
    ((NAN, NAN, NAN), (NAN, NAN, NAN), (NAN, NAN, NAN), (NAN, NAN, NAN), "no better", False),
]


@pytest.mark.parametrize(("score", "removed", "control", "difference", "found", "holds"), CASES)
def test_the_verdict_follows_from_the_intervals(
    tested: pd.DataFrame,
    score: Numbers,
    removed: Numbers,
    control: Numbers,
    difference: Numbers,
    found: str,
    holds: bool,
) -> None:
    numbers = {"score": score, "removed": removed, "control": control, "difference": difference}
    table = changed(tested, **numbers)
    assert verdict(table).startswith(found)
    assert verdict(table) == verdict(table, "given")
    assert survives(table) == holds
    assert bool(warning(table)) == (found != "survives")
    assert 3 <= len(stain_sentences(table)) <= 6


def test_a_table_read_back_says_the_same(tested: pd.DataFrame, tmp_path: Path) -> None:
    write_table(tested, tmp_path / "stain_test.csv")
    again = read_table(tmp_path / "stain_test.csv")
    assert product_model(again) == "given"
    assert stain_sentences(again) == stain_sentences(tested)


def test_the_figure_has_a_row_for_each_set_and_model(tested: pd.DataFrame) -> None:
    figure = stain_forest(tested, level=0.95)
    alone, product = figure.axes
    assert [tick.get_text() for tick in alone.get_yticklabels()] == [
        "given",
        "without glass",
        "without red cells",
        "without glass and red cells",
        "without all nuisance",
    ]
    for panel in (alone, product):  # a score and four pairs, a bar and a point each, and chance
        assert len(panel.lines) == 2 * 9 + 1
    assert "n = 40 patients" in figure.legends[0].get_title().get_text()
