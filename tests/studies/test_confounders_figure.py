"""The page says what was found, in words and in two colours."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from lymphokit.studies.confounders import label_scores, train_or_test_scores
from lymphokit.studies.confounders_figure import COLOURS, confounder_forest
from lymphokit.studies.confounders_text import (
    bag_size_sentences,
    confounder_table,
    headline,
    label_sentence,
    shift_sentence,
)
from lymphokit.studies.nuisance_columns import SUSPECTS, column_differences
from tests.studies.planted import TRIAL, folds_of, honest_table

Page = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def page(table: pd.DataFrame) -> Page:
    shift = train_or_test_scores(table, TRIAL, k=5, repeats=1)
    return label_scores(table, folds_of(table), TRIAL), shift, column_differences(table)


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
    console.print(confounder_table(scores[0], scores[1], level=0.95))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_planted_artefact_is_in_the_headline_and_the_sentence(sorted_by_label: Page) -> None:
    labels, shift, columns = sorted_by_label
    assert headline(labels, 0.95).startswith("Row order alone tells the label: AUC 1.00")
    sentence = label_sentence(labels, 0.95)
    assert "row order (1.00) and rows nearby (" in sentence
    assert "row order would add to them" in sentence or "rows nearby would add" in sentence
    shifted = shift_sentence(shift, columns, 0.95)
    assert shifted.startswith("Test patients are told from training patients by number of images")
    assert "n_images." in shifted


def test_without_an_artefact_the_page_says_so(honest: Page) -> None:
    labels, shift, columns = honest
    assert "No artefact tells the label better than chance" in label_sentence(labels, 0.95)
    assert "cannot be told from training patients by any suspect" in shift_sentence(
        shift, columns, 0.95
    )
    assert shift_sentence(shift, columns, 0.95).endswith(": none.")


def test_the_table_has_a_row_a_suspect_and_says_what_it_tells(sorted_by_label: Page) -> None:
    lines = {
        line.split("│")[1].strip(): line
        for line in printed(sorted_by_label).splitlines()
        if line.startswith("│")
    }
    assert set(lines) == {*(suspect.name for suspect in SUSPECTS), "images, glass, age and count"}
    assert "tells the label, adds to age and count" in lines["row order"]
    assert "tells test from train" in lines["number of images"]
    assert "the same for everybody" in lines["image size and JPEG tables"]


def test_no_figure_is_minus_nothing(honest: Page) -> None:
    labels, shift, columns = honest
    assert "-0.00" not in printed((labels.assign(added=-0.001), shift, columns))


def test_the_forest_has_a_point_for_all_that_varies_in_the_colour_of_its_family(
    honest: Page,
) -> None:
    labels, shift, _ = honest
    figure = confounder_forest(labels, shift, resamples=200, level=0.95)
    for axes, scores in zip(figure.axes[::2], (labels, shift), strict=True):
        points = [line for line in axes.lines if line.get_marker() == "o"]
        varying = scores[scores["varies"]]
        assert [line.get_xdata()[0] for line in points] == varying["auc"].tolist()
        colours = [to_hex(line.get_color()) for line in points]
        assert colours == [COLOURS[family] for family in varying["family"]]
    added = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert len(added) == labels["added"].notna().sum()
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.05, "owes something to the number of images"),
        (-0.05, -0.01, "does worse with it"),
        (-0.01, 0.05, "no difference that can be seen"),
    ],
)
def test_a_difference_is_claimed_only_where_its_interval_leaves_out_0(
    low: float, high: float, said: str
) -> None:
    row = {"model": "a", "twin": "b", "metric": "auc", "difference": (low + high) / 2}
    sentences = bag_size_sentences(pd.DataFrame([row | {"low": low, "high": high}]), ["a"], 3)
    assert "is used by a, and by none of the 3 other models" in sentences[0]
    assert said in sentences[1]


def test_models_that_use_no_bag_size_and_models_without_a_twin_are_said_to_be_so() -> None:
    nothing = pd.DataFrame(columns=["model", "twin", "metric", "difference", "low", "high"])
    assert bag_size_sentences(nothing, [], 4) == [
        "None of 4 models uses the number of a patient's images."
    ]
    alone = pd.concat([nothing, pd.DataFrame([{"model": "a"}])])
    assert bag_size_sentences(alone, ["a"], 4)[1] == "a has no twin without it to be compared with."
