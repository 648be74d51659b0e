import numpy as np
import pytest
from matplotlib.figure import Figure

from lymphokit.figures.margins import margin_histograms
from tests.figures.test_scores import text_of

IDS = ["P1", "P2", "P3", "P4", "P5", "P6"]
LABELS = [1, 0, 1, 1, 1, 1]
SIZES = [4, 1, 8, 3, 5, 6]
OFFSETS = np.concatenate([[0], np.cumsum(SIZES)])
MARGINS = np.random.default_rng(0).normal(0.5, 1.0, size=OFFSETS[-1])
MARGINS[:4] = [-0.5, 0.25, 0.0, 1.0]


def figure() -> Figure:
    who = "the reactive training patients of fold 1"
    return margin_histograms(MARGINS, OFFSETS, IDS, LABELS, fitted_on=who)


def panels() -> dict[str, object]:
    return {axes.get_title().split(",")[0]: axes for axes in figure().axes if axes.get_visible()}


def test_every_patient_has_a_panel_and_labels_share_no_row() -> None:
    shown = panels()
    assert list(shown) == ["P2", "P1", "P3", "P4", "P5", "P6"]
    rows = [axes.get_subplotspec().rowspan.start for axes in shown.values()]
    assert rows == [0, 1, 1, 1, 1, 2]


def test_a_title_says_how_many_cells_lie_outside() -> None:
    for part in ("P1, tumoral", "4 cells", "25% outside"):
        assert part in panels()["P1"].get_title()
    assert "1 cell," in panels()["P2"].get_title()


def test_bars_are_shares_of_the_patients_cells_on_the_right_side_of_the_boundary() -> None:
    for place, name in enumerate(IDS):
        margins = MARGINS[OFFSETS[place] : OFFSETS[place + 1]]
        bars = panels()[name].patches[1:]  # the first is the shade outside
        heights = np.array([bar.get_height() for bar in bars])
        left = np.array([bar.get_x() for bar in bars])
        assert heights.sum() == pytest.approx(1.0)
        assert heights[left < -1e-9].sum() == pytest.approx(np.mean(margins < 0.0))


def test_all_panels_share_their_axes_and_mark_the_boundary() -> None:
    shown = list(panels().values())
    assert len({axes.get_xlim() for axes in shown}) == 1
    assert len({axes.get_ylim() for axes in shown}) == 1
    low, high = shown[0].get_xlim()
    assert low <= MARGINS.min()
    assert high >= MARGINS.max()
    for axes in shown:
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), [0.0, 0.0])


def test_the_figure_states_n_the_labels_and_the_training_cells() -> None:
    text = text_of(figure())
    for part in ("n = 6 patients (1 reactive, 5 tumoral)", "n = 27 cells", "of fold 1"):
        assert part in text
    assert "Share of the patient's cells" in text


@pytest.mark.parametrize("margins", [[0.0, 0.0], [2.0, 3.0], [-2.0, -3.0]])
def test_the_boundary_is_visible_with_all_cells_on_one_side(margins: list[float]) -> None:
    drawn = margin_histograms(
        np.array(margins), np.array([0, 2]), ["P1"], [0], fitted_on="everyone"
    )
    low, high = drawn.axes[0].get_xlim()
    assert low < 0.0 < high
    assert sum(bar.get_height() for bar in drawn.axes[0].patches[1:]) == pytest.approx(1.0)
