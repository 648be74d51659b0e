"""Text and figures of `compare` and `board`."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from lymphokit.figures.style import VERMILION
from lymphokit.leaderboard.board import board_summary, board_table, boards
from lymphokit.leaderboard.board_figure import board_figure
from lymphokit.leaderboard.compare import Comparison, compare
from lymphokit.leaderboard.compare_figure import comparison_figure
from lymphokit.leaderboard.compare_text import percent, report, summary
from tests.leaderboard.test_compare import HALF, entered, submission


@pytest.fixture
def duel(tmp_path: Path) -> Comparison:
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    for file in files:
        entered(file)
    return compare(files, HALF)


@pytest.fixture
def four(tmp_path: Path) -> Comparison:
    flips = {"a": (), "b": {3}, "c": {2, 9, 31, 38}, "worst": set(range(0, 42, 3))}
    files = [submission(tmp_path / f"{name}.csv", flipped) for name, flipped in flips.items()]
    for file, score in zip(files, (0.9, 0.89, 0.86, 0.6), strict=True):
        entered(file, score, score)
    return compare(files, HALF)


def read(comparison: Comparison) -> str:
    console = Console(width=120, file=io.StringIO())
    for part in report(comparison):
        console.print(part, highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_conclusion_comes_first_then_leads_and_advice(duel):
    text = read(duel)
    assert text.startswith(summary(duel)[:60])
    assert "3 of 42" in summary(duel)
    assert "not enough" in summary(duel)
    assert percent(duel.second.lead.p_positive) in text
    assert f"keep: {duel.best.letter} and {duel.second.letter}" in text


def test_each_contested_patient_is_named_with_both_labels(duel):
    lines = [line for line in read(duel).splitlines() if "│ P" in line]
    assert [line.replace("│", " ").split() for line in lines] == [
        ["P3", "tumoral", "reactive"],
        ["P20", "tumoral", "reactive"],
        ["P40", "reactive", "tumoral"],
    ]


def test_of_many_files_the_likely_better_is_named(four):
    assert "A is likely better than D" in summary(four)
    assert "not enough" in summary(four)
    assert "keep: A and" in read(four)


def test_identical_files_have_one_score(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    found = compare([file, file], HALF)
    assert "agree on all 42" in summary(found)
    comparison_figure(found).canvas.draw()


def test_the_public_score_is_shown(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    entered(files[0], boards=("0.77", ""))
    found = compare(files, HALF)
    assert "0.77" in read(found)
    stars = [line for line in comparison_figure(found).axes[1].lines if line.get_marker() == "*"]
    assert [star.get_xdata()[0] for star in stars] == pytest.approx([0.77, np.nan], nan_ok=True)


def test_names_in_brackets_are_shown_as_they_are(tmp_path):
    files = [submission(tmp_path / "[bold]a.csv"), submission(tmp_path / "b.csv", {3})]
    assert "[bold]a.csv" in read(compare(files, HALF))


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.0, "0%"), (0.001, "under 1%"), (0.634, "63%"), (0.999, "over 99%"), (1.0, "100%")],
)
def test_a_percentage_is_never_surer_than_the_probability(chance, text):
    assert percent(chance) == text


def test_the_bars_are_the_probabilities_of_the_lead(duel):
    tiles, scores, leads = comparison_figure(duel).axes
    lead = duel.second.lead
    widths = [bar.get_width() for bar in leads.patches]
    assert widths == pytest.approx([lead.p_positive, lead.p_zero, lead.p_negative])
    assert percent(lead.p_positive) in [text.get_text() for text in leads.texts]
    assert [label.get_text() for label in tiles.get_xticklabels()] == ["P3", "P20", "P40"]
    assert len(scores.get_yticklabels()) == 4


def test_many_files_have_a_bar_each_and_no_text_leaves_the_figure(four):
    figure = comparison_figure(four)
    figure.canvas.draw()
    assert len(figure.axes[2].patches) == 3 * 3
    whole = figure.get_window_extent()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= whole.x0
        assert box.x1 <= whole.x1
        assert box.y0 >= whole.y0


def test_a_board_score_outside_the_band_is_labelled_in_the_figure(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("0.45", "0.8"))
    entered(submission(tmp_path / "b.csv", {4}), boards=("0.9", ""))
    found = boards(tmp_path / "ledger.csv", HALF)
    figure = board_figure(found)
    public, private = figure.axes
    assert [text.get_text() for text in public.texts] == ["stack, a.csv  "]
    points = [line for line in public.lines if line.get_marker() == "o"]
    assert [to_hex(point.get_color()) == VERMILION for point in points] == [True, False]
    assert not private.texts
    assert "1 of 2 scores" in board_summary(found[0])
    figure.canvas.draw()


def test_without_board_scores_the_columns_to_fill_are_named(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    found, _ = boards(tmp_path / "ledger.csv", HALF)
    assert "board_public" in board_summary(found)
    console = Console(width=120, file=io.StringIO())
    console.print(board_table(found))
    assert isinstance(console.file, io.StringIO)
    assert "0.85" in console.file.getvalue()
