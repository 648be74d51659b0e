"""Histograms of age and lymphocyte count: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lymphokit.figures.clinical_distributions import AGE, BINS, LYMPHOCYTES, distribution_figure
from lymphokit.figures.style import LABELS


@pytest.mark.parametrize("attribute", [AGE, LYMPHOCYTES], ids=["age", "count"])
def test_bars_of_a_label_add_up_to_one_and_the_legend_counts_its_patients(attribute) -> None:  # type: ignore[no-untyped-def]
    values = np.array([40.0, 50.0, 60.0, 70.0, 80.0])
    figure = distribution_figure(values, [0, 0, 1, 1, 1], attribute)
    (axes,) = figure.axes
    assert "n = 5" in axes.get_title()
    for label, n in ((0, 2), (1, 3)):
        name, colour = LABELS[label]
        bars = [bar for bar in axes.patches if to_hex(bar.get_facecolor()) == colour]
        assert len(bars) == BINS
        assert sum(bar.get_height() for bar in bars) == pytest.approx(1.0)
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert f"{name}, n = {n} patients" in legend


def test_axes_name_their_units_and_the_count_is_logarithmic() -> None:
    age = distribution_figure(np.array([40.0, 50.0]), [0, 1], AGE).axes[0]
    count = distribution_figure(np.array([4.0, 50.0]), [0, 1], LYMPHOCYTES).axes[0]
    assert "years" in age.get_xlabel()
    assert "10⁹ per litre" in count.get_xlabel()
    assert (age.get_xscale(), count.get_xscale()) == ("linear", "log")


def test_medians_are_those_of_each_label() -> None:
    values, labels = np.array([10.0, 20.0, 90.0, 70.0, 80.0]), [0, 0, 0, 1, 1]
    axes = distribution_figure(values, labels, AGE).axes[0]
    assert [float(line.get_xdata()[0]) for line in axes.lines] == [20.0, 75.0]


@pytest.mark.parametrize("values", [[np.nan, 50.0, 60.0], [50.0, 50.0, 50.0], [np.nan] * 3])
def test_missing_and_equal_values_are_drawn_without_fault(values: list[float]) -> None:
    figure = distribution_figure(np.array(values), [0, 0, 1], AGE)
    known = int(np.isfinite(values).sum())
    assert f"n = {known} " in figure.axes[0].get_title()
    assert (figure.get_supxlabel() != "") == (known < 3)
