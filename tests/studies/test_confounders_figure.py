"""The figure, the table and the sentences report what the probes found."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from rich.console import Console

from lymphokit.studies.confounders import label_scores, train_or_test_scores
from lymphokit.studies.confounders_figure import (
    COLOURS,
    confounder_forest,
    confounder_terminal_table,
    headline,
    label_sentence,
    shift_sentence,
)
from lymphokit.studies.nuisance_columns import (
    CONFOUNDERS,
    WITHOUT_CELLS,
    column_differences,
)
from tests.studies.planted import STUDY, folds_of, honest_table

Page = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def page(table: pd.DataFrame) -> Page:
    shift = train_or_test_scores(table, STUDY, k=5, repeats=1)
    return label_scores(table, folds_of(table), STUDY), shift, column_differences(table)


@pytest.fixture(scope="module")
def honest() -> Page:
    return page(honest_table())


@pytest.fixture(scope="module")
def sorted_by_label() -> Page:
    table = honest_table()
    table["row"] = np.argsort(np.argsort(table["truth"], kind="stable"), kind="stable")
    table.loc[table["part"] == "test", "n_images"] += 9.0
    return page(table)


def printed(scores: Page) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(confounder_terminal_table(scores[0], scores[1], level=0.95))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_planted_artefact_is_in_the_headline_and_the_sentence(sorted_by_label: Page) -> None:
    labels, shift, columns = sorted_by_label
    assert "row order, AUC 1.00" in headline(labels, 0.95)
    assert "row order" in headline(labels, 0.95).split(";")[1]  # it adds to age and count, too
    sentence = label_sentence(labels, 0.95)
    assert "row order (1.00) and rows nearby (" in sentence
    assert sentence.lower().count("row") > 2  # those that add to age and count are named again
    shifted = shift_sentence(shift, columns, 0.95)
    assert "number of images" in shifted
    assert "n_images" in shifted


def test_without_an_artefact_none_is_named(honest: Page) -> None:
    labels, shift, columns = honest
    artefacts = [each.name for each in CONFOUNDERS if each.family == "artefact"]
    sentences = label_sentence(labels, 0.95) + shift_sentence(shift, columns, 0.95)
    assert not any(name in sentences for name in artefacts)
    assert "none" in shift_sentence(shift, columns, 0.95)


def test_the_table_has_a_row_for_each_confounder_with_its_findings(sorted_by_label: Page) -> None:
    lines = {
        line.split("│")[1].strip(): line
        for line in printed(sorted_by_label).splitlines()
        if line.startswith("│")
    }
    assert set(lines) == {*(each.name for each in CONFOUNDERS), WITHOUT_CELLS.name}
    assert "label, adds to age and count" in lines["row order"]
    assert "test from train" in lines["number of images"]
    assert "constant" in lines["image size and JPEG tables"]


def test_no_number_is_minus_zero(honest: Page) -> None:
    labels, shift, columns = honest
    assert "-0.00" not in printed((labels.assign(added=-0.001), shift, columns))


@pytest.mark.parametrize("name", [each.name for each in CONFOUNDERS if each.family != "medicine"])
def test_the_headline_counts_what_the_table_and_the_points_say(honest: Page, name: str) -> None:
    """Any column may be the only one that predicts, one that depends on cells too."""
    labels, shift, columns = honest
    only = labels.assign(adjusted_p=1.0, added_low=-0.1, varies=True)
    only.loc[only["confounder"] == name, ["adjusted_p", "auc", "low", "high"]] = 0.01, 0.9, 0.8, 1.0
    shift = shift.assign(adjusted_p=1.0, varies=True)
    lines = [line for line in printed((only, shift, columns)).splitlines() if line.startswith("│")]
    assert [line.split("│")[1].strip() for line in lines if "predicts" in line] == [name]
    first, second = headline(only, 0.95).splitlines()
    assert f"{name}, AUC 0.90" in first + second
    assert (first + second).count("None of") == 1
    figure = confounder_forest(only, shift, resamples=200, level=0.95)
    filled = [line for line in points_of(figure.axes[0]) if line.get_mfc() != "white"]
    assert [line.get_xdata()[0] for line in filled] == [0.9]


def points_of(axes: Axes) -> list[Any]:
    points = [line for line in axes.lines if line.get_marker() == "o"]
    return [point for point in points if np.isfinite(point.get_xdata()[0])]  # type: ignore[index]


def test_the_forest_has_a_point_for_all_that_varies_in_the_colour_of_its_family(
    honest: Page,
) -> None:
    labels, shift, _ = honest
    figure = confounder_forest(labels, shift, resamples=200, level=0.95)
    for axes, scores in zip(figure.axes[::2], (labels, shift), strict=True):
        points = points_of(axes)
        varying = scores[scores["varies"]]
        assert [line.get_xdata()[0] for line in points] == varying["auc"].tolist()
        colours = [to_hex(line.get_color()) for line in points]
        assert colours == [COLOURS[family] for family in varying["family"]]
    assert len(points_of(figure.axes[1])) == labels["added"].notna().sum()
    figure.savefig(io.BytesIO())
