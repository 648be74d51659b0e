import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from lymphokit.figures.cells import montage
from lymphokit.figures.style import LABELS


def bag(n_cells: int, size: int = 8) -> np.ndarray:
    return np.full((n_cells, size, size, 3), 128, dtype=np.uint8)


def test_the_title_counts_patients_groups_and_cells() -> None:
    figure = montage([bag(3), bag(2), bag(4)], ["P1", "P2", "P9"], [0, 1, 1])
    title = figure.get_suptitle()
    assert "n = 3 patients (1 reactive, 2 tumoral)" in title
    assert "n = 9 cells" in title
    assert "8 x 8 px" in figure.get_supxlabel()


def test_every_row_shows_its_cells_and_names_its_patient() -> None:
    bags, patients, labels = [bag(3), bag(2), bag(1)], ["P1", "P2", "P3"], [0, 1, -1]
    figure = montage(bags, patients, labels)
    assert [len(row.images) for row in figure.axes] == [3, 2, 1]
    for row, patient, label in zip(figure.axes, patients, labels, strict=True):
        name, colour = LABELS[label]
        assert row.get_ylabel() == f"{patient}\n{name}"
        assert to_hex(row.yaxis.label.get_color()) == colour


def test_nothing_is_cut_off_at_the_border() -> None:
    figure = montage([bag(2)], ["P1000"], [-1])
    drawn = figure.axes[0].get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert drawn.x0 >= 0
    assert drawn.x1 <= figure.bbox.x1
