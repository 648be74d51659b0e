import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lymphokit.figures.scores import roc_curves, score_forest
from lymphokit.figures.style import FADED

MODELS = ["clinical", "mi_svm", "stack"]
SCORES = pd.DataFrame(
    {
        "model": MODELS,
        "balanced_accuracy": [0.62, 0.75, 0.81],
        "low": [0.53, 0.67, 0.73],
        "high": [0.71, 0.83, 0.88],
        "naive": [0.66, 0.77, 0.84],
        "f1": [0.7, 0.8, 0.86],
        "recall": [0.64, 0.8, 0.85],
        "precision": [0.7, 0.8, 0.87],
        "auc": [0.65, 0.8, 0.9],
        "auc_low": [0.55, 0.7, 0.83],
        "auc_high": [0.75, 0.9, 0.95],
        "n_patients": [121] * 3,
    }
)


def forest(scores: pd.DataFrame = SCORES) -> Figure:
    return score_forest(scores, submitted="stack", folds="5 folds", resamples=2000, level=0.95)


def text_of(figure: Figure) -> str:
    figure.draw_without_rendering()
    return "\n".join(
        text.get_text() for text in figure.findobj(match=lambda a: hasattr(a, "get_text"))
    )


def test_the_forest_states_n_the_folds_both_metrics_and_what_the_bars_are():
    text = text_of(forest())
    for part in ("n = 121 patients", "5 folds", "Balanced accuracy", "ROC", "95%", "2000"):
        assert part in text


def test_every_bar_spans_its_interval_and_every_point_stands_at_its_score():
    figure = forest()
    for axes, (score, low, high) in zip(
        figure.axes,
        [("balanced_accuracy", "low", "high"), ("auc", "auc_low", "auc_high")],
        strict=True,
    ):
        drawn = [line.get_xydata().tolist() for line in axes.lines[1:]]
        for place, row in enumerate(SCORES[::-1].to_dict("records")):  # the best on top
            assert [[row[low], place], [row[high], place]] in drawn
            assert [[row[score], place]] in drawn


def test_naive_scores_are_hollow_points():
    accuracy, auc = forest().axes
    hollow = [line for line in accuracy.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_xdata().tolist() for line in hollow] == [SCORES["naive"].tolist()[::-1]]
    assert not any(line.get_markerfacecolor() == "none" for line in auc.lines)


def test_the_submitted_model_has_a_colour_a_marker_and_bold_and_the_best_is_on_top():
    axes = forest().axes[0]
    weights = {tick.get_text(): tick.get_fontweight() for tick in axes.get_yticklabels()}
    assert weights == {"stack": "bold", "mi_svm": "normal", "clinical": "normal"}
    assert list(weights) == ["stack", "mi_svm", "clinical"]
    points = [
        line for line in axes.lines if line.get_marker() in "oD" and len(line.get_xdata()) == 1
    ]
    assert [line.get_marker() for line in points] == ["D", "o", "o"]
    colours = [line.get_color() for line in points]
    assert colours[0] not in colours[1:]
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_what_is_only_scored_is_faded_and_the_caption_says_so():
    drawn = {"submitted": "stack", "folds": "5 folds", "resamples": 2000, "level": 0.95}
    figure = score_forest(SCORES, **drawn, faded=["mi_svm"])
    colours = {tick.get_text(): tick.get_color() for tick in figure.axes[0].get_yticklabels()}
    assert {name for name, colour in colours.items() if colour == FADED} == {"mi_svm"}
    assert [line.get_color() for line in figure.axes[0].lines].count(FADED) == 2  # bar and point
    assert "in no blend" in text_of(figure)
    assert "in no blend" not in text_of(forest())


def test_a_score_below_chance_is_still_inside_the_panel():
    poor = SCORES.assign(low=[0.21, 0.67, 0.73])
    axes = forest(poor).axes[0]
    assert axes.get_xlim()[0] < 0.21


def long_table(repeats: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    labels = (np.arange(40) < 28).astype(int)
    tables = [
        pd.DataFrame(
            {
                "repeat": repeat,
                "patient": [f"P{i}" for i in range(40)],
                "part": "validation",
                "label": labels,
                "model": model,
                "probability": np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1),
            }
        )
        for repeat in range(1, repeats + 1)
        for model in MODELS
    ]
    return pd.concat(tables, ignore_index=True)


def test_points_of_the_roc_lie_at_the_decisions():
    figure = roc_curves(long_table(), SCORES, ["stack", "clinical"], folds="5 folds")
    points = [line.get_xydata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    # Specificity is twice the balanced accuracy less the recall.
    np.testing.assert_allclose(points, [[1 - (1.62 - 0.85), 0.85], [1 - (1.24 - 0.64), 0.64]])
    text = text_of(figure)
    assert "stack, AUC 0.90 (0.83 to 0.95)" in text
    assert "n = 40 patients" in text


@pytest.mark.parametrize("repeats", [1, 3])
def test_each_repeat_has_one_curve(repeats):
    figure = roc_curves(long_table(repeats), SCORES, MODELS, folds="5 folds")
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert len(curves) == repeats * len(MODELS)
    assert all(curve.get_xydata()[-1].tolist() == [1, 1] for curve in curves)


def test_test_patients_are_not_drawn():
    table = long_table()
    test = table.assign(part="test", label=-1, patient="T" + table["patient"])
    figure = roc_curves(pd.concat([table, test]), SCORES, ["stack"], folds="5 folds")
    assert "n = 40 patients" in text_of(figure)
