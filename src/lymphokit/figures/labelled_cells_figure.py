"""Healthy and malignant cells of the labelled set (report, figure 6)."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lymphokit.figures.style import BLUE, CAPTION, VERMILION

ROWS = {0: ("healthy", BLUE), 1: ("malignant", VERMILION)}
CELL_INCHES, NAMES, LEAST_WIDTH = 1.2, 1.3, 6.2


def labelled_cells_figure(
    images: Mapping[int, NDArray[np.uint8]], numbers: Mapping[int, int], *, folder: str
) -> Figure:
    """Draw some labelled cells, a row per label: healthy above, malignant below.

    images: by label (0 healthy, 1 malignant) the cells to show, (n_shown, h, w, 3) RGB; numbers:
    how many cells of each label the set holds; folder: its name.
    Source: report 4.2, figure 6.
    """
    most = max(len(rows) for rows in images.values())
    width = max(CELL_INCHES * most + NAMES, LEAST_WIDTH)
    figure = Figure(figsize=(width, CELL_INCHES * len(ROWS) + 1.1), layout="constrained")
    panels = figure.subplots(len(ROWS), most, squeeze=False)
    for row, (label, (name, colour)) in zip(panels, ROWS.items(), strict=True):
        for panel in row:
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        for panel, image in zip(row, images[label], strict=False):
            panel.imshow(image, interpolation="antialiased")
        text = f"{name}\nn = {numbers[label]} cells"
        style = {"rotation": 0, "ha": "right", "va": "center", "fontweight": "bold"}
        row[0].set_ylabel(text, color=colour, **style)
    height_px, width_px = images[0].shape[1:3]
    shown = sum(len(rows) for rows in images.values())
    figure.suptitle(f"Labelled cells of {folder}", fontweight="bold")
    figure.supxlabel(
        f"{shown} of n = {sum(numbers.values())} cells; each {width_px} x {height_px} px", **CAPTION
    )
    return figure
