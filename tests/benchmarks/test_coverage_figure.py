import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from rich.console import Console

from coverage_figure import coverage_figure, coverage_terminal_table
from lymphokit.figures.style import VERMILION

SCORES = pd.DataFrame(
    {
        "cohort": [1, 2, 3, 1, 2, 3],
        "model": ["clinical"] * 3 + ["stack"] * 3,
        "balanced_accuracy": [0.5, 0.52, 0.48, 0.63, 0.5, 0.37],
        "low": [0.4, 0.42, 0.38, 0.53, 0.4, 0.27],
        "high": [0.6, 0.62, 0.58, 0.73, 0.6, 0.47],
        "auc": [0.5, 0.52, 0.65, 0.63, 0.5, 0.37],
        "auc_low": [0.4, 0.42, 0.55, 0.53, 0.4, 0.27],
        "auc_high": [0.6, 0.62, 0.75, 0.73, 0.6, 0.47],
        "naive": [0.55, 0.57, 0.53, 0.66, 0.6, 0.57],
        "n_patients": 100,
    }
)


def drawn() -> Figure:
    return coverage_figure(SCORES, truth=0.5, level=0.95, title="found")


def test_only_intervals_that_miss_the_truth_are_orange():
    both = [[0.27, 0.47], [0.53, 0.73]]
    for axes, missed in zip(drawn().axes, (both, [*both, [0.55, 0.75]]), strict=True):
        orange = [bars for bars in axes.collections if to_hex(bars.get_color()[0]) == VERMILION]
        spans = sorted(path[:, 0].tolist() for bars in orange for path in bars.get_segments())
        assert spans == missed


def test_a_hollow_mark_stands_at_each_models_mean_naive_score():
    accuracy, auc = drawn().axes
    hollow = [line for line in accuracy.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(hollow[0].get_xydata(), [[0.55, 0], [0.61, 1]])
    assert not [line for line in auc.lines if line.get_marker() == "D"]


def test_the_table_counts_misses_on_either_side_of_both_scores():
    console = Console(width=140)
    with console.capture() as captured:
        console.print(coverage_terminal_table(SCORES, truth=0.5, level=0.95))
    rows = {
        cells[0]: cells[1:]
        for line in captured.get().splitlines()
        if line.startswith("│")
        for cells in [[cell.strip() for cell in line.strip("│").split("│")]]
    }
    assert rows["stack"] == [
        "0.500 ± 0.075", "2.5", "1", "1", "0.61", "0.500 ± 0.075", "2.5", "1", "1",
    ]  # fmt: skip
    assert rows["clinical"][2:4] == ["0", "0"]
    assert rows["clinical"][7:9] == ["1", "0"]
