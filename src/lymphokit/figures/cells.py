"""What the cells of a few patients look like: data in, figure out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import BLUE, DARK, VERMILION

GROUPS = {0: ("reactive", BLUE), 1: ("tumoral", VERMILION), -1: ("label withheld", DARK)}
GAP = 0.04  # between two cells, of a cell's width
INCHES_A_CELL = 1.1
NAMES, ABOVE, BELOW = 1.35, 0.45, 0.35  # inches


def montage(
    bags: Sequence[NDArray[np.uint8]], patients: Sequence[str], labels: Sequence[int]
) -> Figure:
    """Cells of a few patients, a row a patient, named and coloured by label.

    bags: (n_cells, h, w, 3) RGB for each patient, all of one size, as many as are to be shown;
    labels: 0 reactive, 1 tumoral, -1 withheld.
    Raises ValueError where there is no bag or bags, patients and labels are not as many.
    """
    if not len(bags) == len(patients) == len(labels) > 0:
        raise ValueError(
            f"{len(bags)} bags, {len(patients)} patients and {len(labels)} labels: "
            "give one of each for every row, and at least one row"
        )
    most = max(len(bag) for bag in bags)
    width, height = INCHES_A_CELL * most + NAMES + BELOW, INCHES_A_CELL * len(bags) + ABOVE + BELOW
    figure = Figure(figsize=(width, height))
    inside = {"left": NAMES / width, "right": 1 - BELOW / width, "hspace": GAP}
    inside |= {"bottom": BELOW / height, "top": 1 - ABOVE / height}
    rows = np.atleast_1d(figure.subplots(len(bags), 1, sharex=True, gridspec_kw=inside))
    for axes, bag, patient, label in zip(rows, bags, patients, labels, strict=True):
        _draw_row(axes, bag, patient, label)
    rows[0].set_xlim(0, most * (1 + GAP) - GAP)
    figure.suptitle(_title(bags, labels), fontweight="bold")
    rows_px, columns_px = bags[0].shape[1:3]
    caption = f"A row a patient; each image {columns_px} x {rows_px} px"
    figure.supxlabel(caption, color=DARK, fontsize="small")
    return figure


def _draw_row(axes: Axes, bag: NDArray[np.uint8], patient: str, label: int) -> None:
    """The cells of one patient side by side, square, without axes."""
    for place, cell in enumerate(bag):
        left = place * (1 + GAP)
        axes.imshow(cell, extent=(left, left + 1, 0, 1), interpolation="antialiased")
    name, colour = GROUPS[label]
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_ylabel(
        f"{patient}\n{name}", rotation=0, ha="right", va="center", color=colour, fontweight="bold"
    )


def _title(bags: Sequence[NDArray[np.uint8]], labels: Sequence[int]) -> str:
    """How many patients of each group and how many cells are shown."""
    counted = [(list(labels).count(label), name) for label, (name, _) in GROUPS.items()]
    groups = ", ".join(f"{number} {name}" for number, name in counted if number)
    n_cells = sum(len(bag) for bag in bags)
    return f"Cells of n = {len(bags)} patients ({groups}), n = {n_cells} cells"
