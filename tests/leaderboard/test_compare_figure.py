"""What a comparison says and draws."""

import io
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from lymphokit.figures.style import VERMILION
from lymphokit.leaderboard.assumed import Asked
from lymphokit.leaderboard.board import boards
from lymphokit.leaderboard.board_figure import board_figure, board_table, said
from lymphokit.leaderboard.compare import Comparison, compare
from lymphokit.leaderboard.compare_figure import comparison_figure
from lymphokit.leaderboard.compare_text import answer, percent, told
from tests.leaderboard.test_compare import entered, submission

HALF = Asked(public=0.5)


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
    for part in told(comparison):
        console.print(part, highlight=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_first_sentence_is_the_answer(duel):
    text = read(duel)
    assert text.startswith("They differ on 3 of 42 patients: not enough to tell which is better")
    assert "exactly one is right" in text
    assert "comes out at most" in text
    assert "Which two to keep: both" in text
    assert "drawn at random" in text


def test_each_patient_in_dispute_is_named_with_both_labels(duel):
    lines = [line for line in read(duel).splitlines() if "│ P" in line]
    assert [line.replace("│", " ").split() for line in lines] == [
        ["P3", "tumoral", "reactive"],
        ["P20", "tumoral", "reactive"],
        ["P40", "reactive", "tumoral"],
    ]


def test_many_files_are_told_apart_where_they_can_be(four):
    text = read(four)
    assert "Likely the better: " in text
    assert "A than D" in text
    assert "not enough to tell about the others" in text
    assert "Which two to keep: A and" in text


def test_identical_files_need_no_reckoning(tmp_path):
    file = submission(tmp_path / "a.csv")
    entered(file)
    found = compare([file, file], HALF)
    assert answer(found).startswith("The files say the same of all 42 patients")
    assert "one of them" in read(found)
    comparison_figure(found).canvas.draw()


def test_the_private_board_has_the_last_word(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3, 20, 40})]
    for file, score in zip(files, ("0.71", "0.83"), strict=True):
        entered(file, boards=("", score))
    assert "B won on the private board, 0.83 against 0.71" in answer(compare(files, HALF))


def test_without_figures_nothing_is_promised(tmp_path):
    files = [submission(tmp_path / "a.csv"), submission(tmp_path / "b.csv", {3})]
    found = compare(files, HALF)
    text = read(found)
    assert "to expect" not in text
    assert "cannot be said without out-of-fold scores" in text
    comparison_figure(found).canvas.draw()


def test_names_in_brackets_are_shown_as_they_are(tmp_path):
    files = [submission(tmp_path / "[bold]a.csv"), submission(tmp_path / "b.csv", {3})]
    assert "[bold]a.csv" in read(compare(files, HALF))


@pytest.mark.parametrize(
    ("chance", "text"),
    [(0.0, "0%"), (0.001, "under 1%"), (0.634, "63%"), (0.999, "over 99%"), (1.0, "100%")],
)
def test_a_chance_is_never_surer_than_it_is(chance, text):
    assert percent(chance) == text


def test_the_bars_of_the_lead_add_up_to_the_chances_beside_them(duel):
    tiles, leads, forest = comparison_figure(duel).axes
    lead = duel.pairs[0].leads["all"]
    ahead = sum(bar.get_height() for bar in leads.patches if bar.get_x() > 0)
    assert ahead == pytest.approx(lead.above)
    assert sum(bar.get_height() for bar in leads.patches) == pytest.approx(1)
    assert percent(lead.above) in leads.get_title(loc="left")
    assert [label.get_text() for label in tiles.get_xticklabels()] == ["P3", "P20", "P40"]
    assert len(forest.get_yticklabels()) == 6


def test_many_files_get_a_matrix_and_nothing_hangs_over_the_edge(four):
    figure = comparison_figure(four)
    figure.canvas.draw()
    matrix = figure.axes[1]
    texts = [text.get_text() for text in matrix.texts]
    assert len(texts) == 12
    lead = four.pair(0, 3).leads["all"]
    assert f"{lead.above:.0%}" in texts
    whole = figure.get_window_extent()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= whole.x0
        assert box.x1 <= whole.x1
        assert box.y0 >= whole.y0


def test_a_board_score_outside_the_band_is_named_in_the_picture(tmp_path):
    entered(submission(tmp_path / "a.csv"), boards=("0.45", "0.8"))
    entered(submission(tmp_path / "b.csv", {4}), boards=("0.9", ""))
    found = boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)
    figure = board_figure(found)
    public, private = figure.axes
    assert [text.get_text() for text in public.texts] == ["stack, a.csv"]
    points = [line for line in public.lines if line.get_marker() == "o"]
    assert [to_hex(point.get_color()) == VERMILION for point in points] == [True, False]
    assert not private.texts
    assert said(found[0]).startswith("dlmi: 2 of 3 board scores are where noise puts them")
    figure.canvas.draw()


def test_without_board_scores_it_is_said_where_to_enter_them(tmp_path):
    entered(submission(tmp_path / "a.csv"))
    (found,) = boards(tmp_path / "ledger.csv", public=0.5, test_patients=None)
    assert "no board score yet" in said(found)
    console = Console(width=120, file=io.StringIO())
    console.print(board_table(found))
    assert isinstance(console.file, io.StringIO)
    assert "0.85" in console.file.getvalue()
