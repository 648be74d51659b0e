"""The figure, the sentences and the terminal table of the draws of cells."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from lymphokit.robustness.cell_draws import draw_decisions, draw_scores, draw_summary
from lymphokit.robustness.draws_figure import draws_figure, draws_terminal_table, findings
from tests.figures.test_scores import text_of
from tests.robustness.test_cell_draws import cohort_of, predictions_of


@pytest.fixture(scope="module")
def made() -> tuple[pd.DataFrame, pd.DataFrame]:
    cohort, *_ = cohort_of(clinical=1.0, images=0.5)
    decisions = draw_decisions(predictions_of(cohort, [2, "all"], draws=3), "midpoint")
    summary = draw_summary(decisions, cohort.sizes, resamples=100, level=0.9, seed=0)
    return draw_scores(decisions), summary


def test_every_draw_is_a_point_at_its_score_and_all_cells_are_a_line(made) -> None:
    scores, summary = made
    figure = draws_figure(scores, summary, level=0.9)
    for axes, metric in zip(figure.axes, ("balanced_accuracy", "auc"), strict=True):
        heights = [np.asarray(drawn.get_offsets())[:, 1] for drawn in axes.collections]
        np.testing.assert_allclose(np.sort(np.concatenate(heights)), np.sort(scores[metric]))
        whole = summary[(summary["cells"] == "all") & (summary["metric"] == metric)]["mean"]
        lines = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(np.sort(lines), np.sort(whole))
        assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "all"]
    assert "n = 45 patients" in text_of(figure)


def test_the_sentences_name_range_mean_over_draws_and_both_intervals(made) -> None:
    rows = made[1].assign(lowest=0.61, highest=0.97, averaged=0.83, low=0.71, drawn_low=0.66)
    text = " ".join(findings(rows, level=0.9))
    for part in ("images, with age and count", "0.610 to 0.970", "0.830", "90% interval", "0.66"):
        assert part in text


def test_where_nothing_is_left_out_a_sentence_says_so(made) -> None:
    whole = made[1][made[1]["cells"] == "all"]
    assert len(findings(whole, level=0.9)) == 1


def test_the_terminal_table_has_a_row_a_number_of_cells_and_score(made) -> None:
    console = Console(width=140, file=io.StringIO())
    console.print(draws_terminal_table(made[1], level=0.9))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    row = made[1].iloc[0]
    assert f"{row['mean']:.3f} ({row['sd']:.3f})" in printed
    assert f"{row['lowest']:.3f} to {row['highest']:.3f}" in printed
    assert printed.count(" AUC ") == 4
