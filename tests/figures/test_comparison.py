import pandas as pd
from matplotlib.figure import Figure

from lymphokit.figures.comparison import comparison_forest

TABLE = pd.DataFrame(
    {
        "model": ["stack", "pooled"],
        "reference": "clinical",
        "balanced_accuracy": [0.09, -0.05],
        "low": [0.02, -0.12],
        "high": [0.16, 0.01],
        "auc": [0.05, -0.02],
        "auc_low": [0.01, -0.06],
        "auc_high": [0.09, 0.02],
        "n_patients": 121,
    }
)


def forest(table: pd.DataFrame = TABLE) -> Figure:
    return comparison_forest(table, submitted="stack", resamples=2000, level=0.95)


def test_the_title_counts_who_is_clearly_better():
    assert "1 of 2" in forest().get_suptitle()
    assert "none of 2" in forest(TABLE.assign(low=-0.1)).get_suptitle()


def test_bars_span_the_intervals_of_the_differences():
    for axes, (score, low, high) in zip(
        forest().axes,
        [("balanced_accuracy", "low", "high"), ("auc", "auc_low", "auc_high")],
        strict=True,
    ):
        drawn = [line.get_xydata().tolist() for line in axes.lines[1:]]
        for place, row in enumerate(TABLE.to_dict("records")):
            assert [[row[low], place], [row[high], place]] in drawn
            assert [[row[score], place]] in drawn
