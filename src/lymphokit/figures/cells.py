"""Montage of the cells of a few patients."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import CAPTION, LABELS, count_labels

GAP = 0.04  # between two cells, as a share of the width of a cell
CELL_INCHES = 1.1
NAMES, ABOVE, BELOW = 1.35, 0.45, 0.35  # margins in inches; the names stand on the left


def montage(
    bags: Sequence[NDArray[np.uint8]], patients: Sequence[str], labels: Sequence[int]
) -> Figure:
    """Draw the cells of a few patients, one row per patient, with its name in the label's colour.

    bags: for each patient the cells to show, (n_cells, h, w, 3) RGB, all cells of one size;
    labels: 0 reactive, 1 tumoral, -1 withheld. At least one patient.
    """
    most = max(len(bag) for bag in bags)
    width, height = CELL_INCHES * most + NAMES + BELOW, CELL_INCHES * len(bags) + ABOVE + BELOW
    figure = Figure(figsize=(width, height))
    inside = {"left": NAMES / width, "right": 1 - BELOW / width, "hspace": GAP}
    inside |= {"bottom": BELOW / height, "top": 1 - ABOVE / height}
    rows = np.atleast_1d(figure.subplots(len(bags), 1, sharex=True, gridspec_kw=inside))
    for axes, bag, patient, label in zip(rows, bags, patients, labels, strict=True):
        _draw_row(axes, bag, patient, label)
    rows[0].set_xlim(0, most * (1 + GAP) - GAP)
    n_cells = sum(len(bag) for bag in bags)
    figure.suptitle(f"Cells of {count_labels(labels)}, n = {n_cells} cells", fontweight="bold")
    rows_px, columns_px = bags[0].shape[1:3]
    figure.supxlabel(f"One row per patient; each image {columns_px} x {rows_px} px", **CAPTION)
    return figure


def _draw_row(axes: Axes, bag: NDArray[np.uint8], patient: str, label: int) -> None:
    """Draw the cells of one patient in a row, square, without axes."""
    for place, cell in enumerate(bag):
        left = place * (1 + GAP)
        axes.imshow(cell, extent=(left, left + 1, 0, 1), interpolation="antialiased")
    name, colour = LABELS[label]
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_ylabel(
        f"{patient}\n{name}", rotation=0, ha="right", va="center", color=colour, fontweight="bold"
    )
