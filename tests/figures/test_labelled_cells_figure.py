"""Figure of healthy and malignant labelled cells."""

import numpy as np
from matplotlib.colors import to_hex

from lymphokit.figures.labelled_cells_figure import ROWS, labelled_cells_figure


def test_each_label_has_a_row_with_its_cells_its_number_and_its_colour() -> None:
    images = {label: np.full((n, 8, 8, 3), 128, np.uint8) for label, n in ((0, 3), (1, 2))}
    figure = labelled_cells_figure(images, {0: 100, 1: 90}, folder="ALL_IDB2")
    assert [len(axes.images) for axes in figure.axes] == [1, 1, 1, 1, 1, 0]
    for axes, label, number in ((figure.axes[0], 0, 100), (figure.axes[3], 1, 90)):
        name, colour = ROWS[label]
        assert axes.get_ylabel() == f"{name}\nn = {number} cells"
        assert to_hex(axes.yaxis.label.get_color()) == colour
    assert "5 of n = 190 cells" in figure.get_supxlabel()
    assert "8 x 8 px" in figure.get_supxlabel()
    assert "ALL_IDB2" in figure.get_suptitle()
