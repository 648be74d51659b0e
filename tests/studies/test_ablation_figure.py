"""Learning curves: the curves, their bands and the number of patients."""

import numpy as np
import pandas as pd
import pytest

from lymphokit.studies.ablation_figure import learning_curve_figure
from tests.figures.test_scores import text_of

CURVES = pd.concat(
    [
        pd.DataFrame(
            {
                "epoch": [1, 2, 3],
                "part": part,
                "n_patients": n,
                "metric": metric,
                "mean": np.array([0.5, 0.6, 0.65]) + shift,
                "std": [0.1, 0.05, np.nan],
            }
        )
        for part, n, shift in (("training", 64, 0.1), ("validation", 20, 0.0))
        for metric in ("balanced_accuracy", "loss")
    ]
)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "loss"])
def test_each_part_is_a_curve_of_means_in_a_band_of_one_deviation(metric: str) -> None:
    axes = learning_curve_figure(CURVES, metric, executions=10).axes[0]
    training, validation = axes.lines[:2]
    np.testing.assert_allclose(training.get_ydata(), [0.6, 0.7, 0.75])
    np.testing.assert_allclose(validation.get_xydata(), [[1, 0.5], [2, 0.6], [3, 0.65]])
    band = axes.collections[1].get_paths()[0].vertices
    np.testing.assert_allclose([band[:, 1].min(), band[:, 1].max()], [0.4, 0.65])
    assert len(axes.lines) == (3 if metric == "balanced_accuracy" else 2)  # chance


def test_the_figure_names_the_number_of_executions_and_patients() -> None:
    figure = learning_curve_figure(CURVES, "loss", executions=10)
    text = text_of(figure)
    for words in ("10 executions", "standard deviation", "n = 64 patients", "n = 20 patients"):
        assert words in text
