"""Text and figures of `compare` and `board`."""

import io
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from lymphokit.figures.style import VERMILION
from lymphokit.leaderboard.board import boards
from lymphokit.leaderboard.board_figure import board_figure
from lymphokit.leaderboard.compare import Comparison, compare, lead_bounds
from lymphokit.leaderboard.compare_figure import comparison_figure
from lymphokit.leaderboard.records import Note
from lymphokit.leaderboard.text import (
    NOTES,
    UNDECIDED,
    board_summary,
    board_table,
    format_note,
    percent,
    report,
    summary,
)
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


def test_the_conclusion_comes_first_then_bounds_and_advice(duel):
    text = read(duel)
    assert text.startswith(summary(duel)[:60])
    assert "3 of 42" in summary(duel)
    assert UNDECIDED in summary(duel)
    assert f"{lead_bounds(2, 1, 29, 13)[0]:.2f} ahead" in text
    assert "keep: both" in text
    assert "--public" in text


def test_each_contested_patient_is_named_with_both_labels(duel):
    lines = [line for line in read(duel).splitlines() if "│ P" in line]
    assert [line.replace("│", " ").split() for line in lines] == [
        ["P3", "tumoral", "reactive"],
        ["P20", "tumoral", "reactive"],
        ["P40", "reactive", "tumoral"],
    ]


def test_of_many_files_the_likely_better_are_named(four):
    assert "A than D" in summary(four)
    assert UNDECIDED in summary(four)
    assert "keep: A and" in read(four)


def test_identical_files_have_one_score(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    found = compare([file, file], HALF)
    assert "agree on all 42" in summary(found)
    assert "keep: one" in read(found)
    comparison_figure(found).canvas.draw()


def test_a_known_private_score_decides(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    for file, score in zip(files, ("0.71", "0.83"), strict=True):
        entered(file, boards=("", score))
    assert "B won" in summary(compare(files, HALF))
    assert "0.83 against 0.71" in summary(compare(files, HALF))


def test_without_figures_there_are_no_expected_scores(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3})]
    found = compare(files, HALF)
    text = read(found)
    assert "Expected" not in text
    assert "--oof" in text
    comparison_figure(found).canvas.draw()


def test_names_in_brackets_are_shown_as_they_are(tmp_path):
    files = [submission(tmp_path / "[bold]a.csv"), submission(tmp_path / "b.csv", {3})]
    assert "[bold]a.csv" in read(compare(files, HALF))


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.0, "0%"), (0.001, "under 1%"), (0.634, "63%"), (0.999, "over 99%"), (1.0, "100%")],
)
def test_a_percentage_is_never_surer_than_the_probability(chance, text):
    assert percent(chance) == text


def test_the_bars_of_the_lead_add_up_to_the_probabilities_in_the_title(duel):
    tiles, forest, leads = comparison_figure(duel).axes
    lead = duel.pairs[0].leads["all"]
    ahead = sum(bar.get_height() for bar in leads.patches if bar.get_x() > 0)
    assert ahead == pytest.approx(lead.p_positive)
    assert sum(bar.get_height() for bar in leads.patches) == pytest.approx(1)
    assert percent(lead.p_positive) in leads.get_title(loc="left")
    assert [label.get_text() for label in tiles.get_xticklabels()] == ["P3", "P20", "P40"]
    assert len(forest.get_yticklabels()) == 6


def test_many_files_get_a_matrix_and_no_text_leaves_the_figure(four):
    figure = comparison_figure(four)
    figure.canvas.draw()
    matrix = figure.axes[2]
    texts = [text.get_text() for text in matrix.texts]
    assert len(texts) == 12
    lead = four.pair(0, 3).leads["all"]
    assert f"{lead.p_positive:.0%}" in texts
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
    assert [text.get_text() for text in public.texts] == ["stack, a.csv"]
    points = [line for line in public.lines if line.get_marker() == "o"]
    assert [to_hex(point.get_color()) == VERMILION for point in points] == [True, False]
    assert not private.texts
    assert board_summary(found[0]).startswith("dlmi: 2 of 3 board scores")
    figure.canvas.draw()


def test_without_board_scores_the_columns_to_fill_are_named(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    (found,) = boards(tmp_path / "ledger.csv", HALF)
    assert "board_public" in board_summary(found)
    console = Console(width=120, file=io.StringIO())
    console.print(board_table(found))
    assert isinstance(console.file, io.StringIO)
    assert "0.85" in console.file.getvalue()


def test_every_note_has_a_sentence_with_its_values():
    values = {"file": "a.csv", "ledger": "l.csv", "other": "b.csv", "files": ["A", "B"], "n": 21}
    values |= {"share": 0.5, "scores": (0.8, 0.9)}
    for kind in NOTES:
        assert "{" not in format_note(Note(kind, values))
    assert "A and B" in format_note(Note("no_figures", values))
